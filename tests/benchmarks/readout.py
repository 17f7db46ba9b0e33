"""Values on the host: `eqm.to_host` beside a compiled `compute` and one transfer, the first
call in a process and each later one."""

import json
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp

import eqmetrics as eqm

from ._timing import about, per_call, si, table


def _metrics() -> eqm.MetricDict:
    """README's four."""
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        f1=eqm.F1(eqm.Multiclass(10)),
        loss=eqm.Average().from_output("loss"),
        loss_std=eqm.Std().from_output("loss"),
    )


def measure(kind: str) -> dict[str, float]:
    metrics = jax.jit(lambda m, **outputs: m.update(**outputs))(
        _metrics(),
        logits=jnp.ones((32, 10)),
        labels=jnp.zeros(32, jnp.int32),
        loss=jnp.ones(32),
    )
    jax.block_until_ready(metrics)
    compiled = jax.jit(lambda m: m.compute())
    read = {
        "to_host": lambda: eqm.to_host(metrics),
        "compiled": lambda: jax.device_get(compiled(metrics)),
        "eager": lambda: jax.device_get(metrics.compute()),
    }[kind]
    start = time.perf_counter()
    read()
    first = time.perf_counter() - start
    return {"first": first, "later": per_call({kind: read}, 200, 5)[kind]}


def main() -> None:
    about("Values on the host")
    names = {
        "to_host": "`eqm.to_host(metrics)`",
        "compiled": "`jax.device_get(jit(compute)(metrics))`",
        "eager": "`jax.device_get(metrics.compute())`",
    }
    taken: dict[str, list[dict[str, float]]] = {kind: [] for kind in names}
    for _ in range(3):
        for kind, results in taken.items():
            run = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.readout", "measure", kind],
                capture_output=True,
                text=True,
                check=True,
            )
            results.append(json.loads(run.stdout.splitlines()[-1]))
    rows: list[list[object]] = [
        [name, *(si(statistics.median(r[k] for r in taken[kind])) for k in ("first", "later"))]
        for kind, name in names.items()
    ]
    table(["README's four metrics", "first", "later"], rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main()
