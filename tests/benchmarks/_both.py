"""Two updates, a merge and a value of each row of the tests' table, on two devices of one process;
the rows divided among several processes, since most of the time is spent on compiling."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import table


LIMIT = 1e-5


def updated(metric: Any, batch: dict[str, Any]) -> Any:
    return type(metric).update(metric, **batch)


update = jax.jit(updated)
merge = jax.jit(lambda a, b: a.merge(b))
compute = jax.jit(lambda metric: metric.compute())


def to_numpy(x: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)


def on(device: Any, metric: eqm.Metric, batches: list[dict]) -> list[list[np.ndarray]]:
    """The leaves of the state and of the value. Of the batches only those with the shapes of the
    first are used, so that `update` is compiled once."""
    shapes = lambda batch: [np.shape(x) for x in jax.tree.leaves(batch)]
    alike = [b for b in batches if shapes(b) == shapes(batches[0])]
    first, last, metric = jax.device_put((alike[0], alike[-1], metric), device)
    state = merge(update(update(metric, first), last), update(metric, last))
    return [[to_numpy(x) for x in jax.tree.leaves(y)] for y in (state, compute(state))]


def difference(got: np.ndarray, want: np.ndarray) -> float:
    """The largest, relative to the largest finite number; infinite where only one is NaN or inf."""
    if want.dtype.kind not in "fc":
        return 0.0 if np.array_equal(got, want) else np.inf
    finite = np.isfinite(want)
    if not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return np.inf
    if not np.isfinite(got[finite]).all():
        return np.inf
    apart = np.abs(got[finite].astype(complex) - want[finite]).max(initial=0)
    return float(apart / np.abs(want[finite]).max(initial=0)) if apart else 0.0


def whole(x: np.ndarray) -> bool:
    """Counts are floats too: whole numbers, and not all 0, as the low part of a sum may be."""
    return x.dtype.kind not in "fc" or bool(x.any() and np.array_equal(x, np.round(x)))


def compared(name: str, metric: eqm.Metric, batches: list[dict]) -> dict[str, Any]:
    """Between the first device and a CPU."""
    start = time.perf_counter()
    try:
        got, want = (on(d, metric, batches) for d in (jax.devices()[0], jax.devices("cpu")[-1]))
    except Exception as e:
        told = f"{type(e).__name__}: {e}".splitlines()[0]
        return {"row": name, "failed": told[:200], "took": time.perf_counter() - start}
    states, values = (list(zip(g, w, strict=True)) for g, w in zip(got, want, strict=True))
    return {
        "row": name,
        "whole": sum(whole(w) for _, w in states),
        "wrong": sum(whole(w) and g.tobytes() != w.tobytes() for g, w in states),
        "same": all(g.tobytes() == w.tobytes() for g, w in states),
        "value": max((difference(g, w) for g, w in values), default=0.0),
        "took": time.perf_counter() - start,
    }


def shard(i: int, n: int, seconds: float, match: str) -> None:
    """Every n-th row that matches, those of readouts last, as lines of JSON, until the time is
    over."""
    end = time.monotonic() + seconds
    from ..table import ROWS, SLOW

    names = [name for name in ROWS if re.search(match, name)]
    for name in sorted(names, key=lambda name: name in SLOW)[i::n]:
        left = end - time.monotonic()
        print(json.dumps(compared(name, *ROWS[name]) if left > 0 else {"row": name}), flush=True)


def lines(processes: int, seconds: float, match: str) -> Iterator[dict[str, Any]]:
    """Of all shards. One that hangs is stopped; what it printed counts."""
    command = [sys.executable, "-m", "tests.benchmarks.gpu", "--match", match]
    command += ["--seconds", str(seconds)]
    with tempfile.TemporaryDirectory() as folder:
        running, end = [], time.monotonic() + seconds + 20
        for i in range(processes):
            out = open(f"{folder}/{i}", "w+")
            each = [*command, "--shard", f"{i}/{processes}"]
            running.append((subprocess.Popen(each, stdout=out, stderr=out), out))
        for i, (process, out) in enumerate(running):
            try:
                process.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            out.seek(0)
            told = out.read().splitlines()
            out.close()
            yield from (json.loads(x) for x in told if x.startswith('{"row"') and x.endswith("}"))
            if process.returncode:
                ended = f"ended with {process.returncode}: {' '.join(told[-1:])[:200]}"
                yield {"row": f"(process {i})", "failed": ended}


def report(processes: int, seconds: float, match: str) -> None:
    start = time.perf_counter()
    found = list(lines(processes, seconds, match))
    done = [x for x in found if "value" in x]
    wrong = [x for x in done if x["wrong"] or x["value"] > LIMIT]
    failed = [x for x in found if "failed" in x]
    late = sum(len(x) == 1 for x in found)
    print(
        f"{len(done)} rows compared, {len(failed)} failed, for {late} the time was over; "
        f"{processes} processes, {time.perf_counter() - start:.0f} s. In the states "
        f"{sum(x['whole'] for x in done)} arrays of whole numbers, {sum(x['wrong'] for x in done)} "
        f"of them different. {sum(x['same'] for x in done)} states have the same bits, "
        f"{sum(not x['value'] for x in done)} values the same numbers.\n"
    )
    near = [x["value"] for x in done if x["value"] <= LIMIT]
    print(f"Largest relative difference of a value, of those up to {LIMIT}: {max(near, default=0)}")
    steps = [(y, sum(x["value"] > y for x in done)) for y in (1e-7, 2e-7, 5e-7, 1e-6, 1e-5)]
    print("; ".join(f"above {y}: {n}" for y, n in steps) + ".\n")
    if wrong:
        each = lambda x: [x["row"], f"{x['wrong']} of {x['whole']}", f"{x['value']:.1e}"]
        rows = [each(x) for x in sorted(wrong, key=lambda x: -x["value"])]
        table(["row", "whole numbers that differ", "difference of the value"], rows)
    if failed:
        table(["row", "failed"], [[x["row"], x["failed"]] for x in failed])
    slowest = sorted(done, key=lambda x: -x["took"])[:5]
    print("Longest: " + ", ".join(f"{x['row']} {x['took']:.0f} s" for x in slowest) + ".\n")
