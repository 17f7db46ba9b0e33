"""Values on the host: `eqm.to_host` beside a compiled `compute` and one transfer, the first
call in a process and each later one."""

import json
import sys
import time

import jax
import jax.numpy as jnp

import eqmetrics as eqm

from ._timing import about, in_turns, per_call, si, table


def readmes_four() -> eqm.MetricDict:
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        f1=eqm.F1(eqm.Multiclass(10)),
        loss=eqm.Average().from_output("loss"),
        loss_std=eqm.Std().from_output("loss"),
    )


def measure(kind: str) -> dict[str, float]:
    metrics = jax.jit(lambda m, **outputs: m.update(**outputs))(
        readmes_four(),
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
    taken = in_turns({k: ["tests.benchmarks.readout", "measure", k] for k in names}, 3)
    rows: list[list[object]] = [
        [name, *(si(taken[kind][k]) for k in ("first", "later"))] for kind, name in names.items()
    ]
    table(["README's four metrics", "first", "later"], rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main()
