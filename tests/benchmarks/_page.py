"""The page "Benchmarks": the goals, the machine, and what each benchmark printed."""

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from .goals import GOALS


PAGE = Path("docs/docs/benchmarks.md")
NAMES = """
    updates classification regression curves groups bootstrap intervals reductions collectives
    loop sums compile together eager readout imports peers text ranking ranks episodes
    clustering audio pictures gpu
""".split()
ELSEWHERE = {"gpu"}  # runs where there is one, if it is named
HEAD = """# Benchmarks

`python -m tests.benchmarks NAME` prints one of these tables; `python -m tests.benchmarks --page`
runs all benchmarks and writes this page. The other libraries are in the dependency groups `bench`
and `torch`; the line above a table names those that weren't installed. Programs that are compared
run alternately, in one process or in several. Times exclude compilation, unless they are labelled
as compile times. "1.5x of A" means 1.5 times the time of A. *Bare* is a plain JAX program without
this library that computes the same metrics with float32 sums.
"""
STATUS = {"met": "met", "missed": "**missed**", "open": "not measured yet"}


def machine() -> str:
    """Of this moment: the load says how far the figures can be trusted."""
    model = "processor unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.M)
        model = found[1] if found else model
    python = f"Python {platform.python_version()}"
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}, {python}; "
        f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f} before"
    )


def run(name: str) -> str:
    """What the benchmark prints, which is also passed on."""
    before, start = machine(), time.perf_counter()
    command = [sys.executable, "-u", "-m", f"tests.benchmarks.{name}"]
    lines = []
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
        process.wait()
        errors.seek(0)
        last = errors.read().strip().splitlines()[-1:]
    if process.returncode:
        lines.append(f"\n**Failed**: `{last[0] if last else process.returncode}`\n")
        print(lines[-1])
    took = f"`{name}`: {before}, {time.perf_counter() - start:.0f} s."
    return "".join(lines).strip() + "\n\n" + took


def goals() -> str:
    rows = ["| goal | where | figure | |", "|---|---|---|---|"]
    rows += [
        f"| {g.text} | `{g.where}` | {g.figure} | {STATUS[g.status]} |"
        for g in GOALS
    ]
    missed = [f"- *{g.text}*: {g.reason}" for g in GOALS if g.status == "missed"]
    count = {s: sum(g.status == s for g in GOALS) for s in STATUS}
    told = f"{len(GOALS)} goals: {count['met']} met, {count['missed']} missed"
    told += f", {count['open']} not measured yet." * (count["open"] > 0) or "."
    note = (
        "Each goal was set before the code was written. *Where* names a benchmark, whose table is "
        "below if it was run, or a test that fails if the goal is no longer met."
    )
    why = "Why goals are missed:"
    return "\n".join(["## Goals", "", told, note, "", *rows, "", why, "", *missed])


def sections_of(page: str) -> dict[str, str]:
    found = re.split(r"^<!-- (\w+) -->\n", page, flags=re.M)[1:]
    return {name: text.strip() for name, text in zip(found[::2], found[1::2], strict=True)}


def assembled(sections: Mapping[str, str]) -> str:
    parts = [f"<!-- {name} -->\n{sections[name]}" for name in NAMES if name in sections]
    return "\n\n".join([HEAD.strip(), goals(), *parts]) + "\n"


def write(**new: str) -> None:
    """The page with new sections; the others stay as they are."""
    old = sections_of(PAGE.read_text()) if PAGE.exists() else {}
    PAGE.write_text(assembled(old | new))


if __name__ == "__main__":
    write()  # after a change of the goals
