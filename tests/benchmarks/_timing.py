"""Interleaved timing: what runs in turn shares the machine's moods."""

import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import jax
import jax.numpy as jnp


def get_ready() -> None:
    """Does what would fall on whichever form comes first: compiles a first program, and collects
    garbage, since a collection of all generations takes 50 ms once jax is loaded."""
    jax.jit(lambda x: jnp.cumsum(x @ x)).lower(jnp.ones((3, 3))).compile()
    gc.collect()


def per_call(
    functions: Mapping[str, Callable[[], object]], calls: int, rounds: int = 7
) -> dict[str, float]:
    """Seconds per call of each function: the median over rounds that take turns."""
    for f in functions.values():
        jax.block_until_ready(f())
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, f in functions.items():
            start = time.perf_counter()
            for _ in range(calls - 1):
                f()
            jax.block_until_ready(f())
            taken[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(x) for name, x in taken.items()}


def in_turns(
    runs: Mapping[str, Sequence[str]],
    rounds: int,
    env: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, dict[str, float]]:
    """What each run prints, as JSON in its last line: the medians over fresh processes that take
    turns. A run is a module with its arguments; `env` adds variables to some of them."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, results in taken.items():
            run = subprocess.run(
                [sys.executable, "-m", *runs[name]],
                env={**os.environ, **(env or {}).get(name, {})},
                capture_output=True,
                text=True,
                check=True,
            )
            results.append(json.loads(run.stdout.splitlines()[-1]))
    return {
        name: {k: statistics.median(r[k] for r in results) for k in results[0]}
        for name, results in taken.items()
    }


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(x) for x in row) + " |", flush=True)
    print()


def si(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def about(title: str, *packages: str) -> None:
    """What was covered: machine, versions, and the peers that aren't installed."""
    print(f"## {title}\n")
    found = []
    for name in ("jax", "equinox", *packages):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed: not covered")
    device = jax.devices()[0]
    print(f"{platform.machine()}, {device.device_kind} x {jax.device_count()}; " + ", ".join(found))
    print()
