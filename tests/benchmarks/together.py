"""Nine metrics in one `MetricDict`, against the bare form: the compile time of their `update`, and
a call. And what the first `update_across` of README's four costs beside their first `update`."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec as P

import eqmetrics as eqm

from ._timing import about, get_ready, in_turns, per_call, si, table
from .readout import readmes_four


CLASSES, ROUNDS = 10, 3
SIZES = "256", "4096"


def batch_of(rows: int) -> dict[str, jax.Array]:
    rng = np.random.default_rng(0)
    return {
        "logits": jnp.asarray(rng.normal(size=(rows, CLASSES)).astype(np.float32)),
        "labels": jnp.asarray(rng.integers(0, CLASSES, rows).astype(np.int32)),
        **{
            k: jnp.asarray(rng.normal(size=rows).astype(np.float32))
            for k in ("loss", "predictions", "targets")
        },
    }


def nine() -> eqm.MetricDict:
    return eqm.MetricDict(
        log_loss=eqm.LogLoss(eqm.Multiclass(CLASSES)),
        average=eqm.Average().from_output("loss"),
        std=eqm.Std().from_output("loss"),
        min=eqm.Min().from_output("loss"),
        max=eqm.Max().from_output("loss"),
        mse=eqm.MeanSquaredError(),
        mae=eqm.MeanAbsoluteError(),
        r2=eqm.R2(),
        pearson=eqm.Pearson(),
    )


def bare(state: tuple[jax.Array, ...], b: dict[str, jax.Array]) -> tuple[jax.Array, ...]:
    p, t, loss = b["predictions"], b["targets"], b["loss"]
    log_loss = -jnp.take_along_axis(jax.nn.log_softmax(b["logits"]), b["labels"][:, None], 1)
    squared, absolute = (p - t) ** 2, jnp.abs(p - t)
    added = log_loss, loss, loss * loss, squared, absolute, p, t, p * p, t * t, p * t
    sums = jnp.stack([*(x.sum() for x in added), jnp.float32(loss.size)])
    return state[0] + sums, jnp.maximum(state[1], loss.max()), jnp.minimum(state[2], loss.min())


def form_of(name: str) -> tuple[Callable[[Any, Any], Any], Any]:
    if name == "bare":
        return bare, (jnp.zeros(11), jnp.full((), -jnp.inf), jnp.full((), jnp.inf))
    return lambda m, b: m.update(**b), nine()


def measure(rows: int, name: str) -> dict[str, float]:
    (update, state), batch = form_of(name), batch_of(rows)
    get_ready()
    start = time.perf_counter()
    compiled = jax.jit(update).lower(state, batch).compile()
    took = time.perf_counter() - start
    call = per_call({name: lambda: compiled(state, batch)}, 200, 15)[name]
    return {"compile": took, "call": call, "arrays": len(jax.tree.leaves(state))}


def first(rows: int, name: str) -> dict[str, float]:
    """README's four, on one device or over all."""
    metrics = readmes_four()
    batch = {k: x for k, x in batch_of(rows).items() if k in metrics.arguments()}
    axes = (jax.sharding.AxisType.Auto,)
    mesh = jax.make_mesh((jax.device_count(),), ("devices",), axis_types=axes)
    programs = {
        "update": lambda m, b: m.update(**b),
        "update_across": jax.shard_map(
            lambda m, b: m.update_across("devices", **b),
            mesh=mesh,
            in_specs=(P(), P("devices")),
            out_specs=P(),
        ),
    }
    get_ready()
    start = time.perf_counter()
    jax.block_until_ready(jax.jit(programs[name])(metrics, batch))
    return {"first": time.perf_counter() - start}


def both(kind: str, rows: str, names: tuple[str, str]) -> list[dict[str, float]]:
    runs = {name: ["tests.benchmarks.together", kind, rows, name] for name in names}
    return list(in_turns(runs, ROUNDS).values())


def main() -> None:
    about("Nine metrics in one collection")
    rows: list[list[object]] = []
    for size in SIZES:
        base, ours = both("measure", size, ("bare", "eqmetrics"))
        for name, x in (("bare", base), ("eqmetrics", ours)):
            ratios = [f"{x[k] / base[k]:.2f}" for k in ("compile", "call")]
            found = [f"{si(x[k])} ({r})" for k, r in zip(("compile", "call"), ratios, strict=True)]
            rows.append([size, name, *found, f"{x['arrays']:.0f}"])
    table(["rows", "form", "trace, lower and compile", "a call", "arrays of the state"], rows)
    print("In brackets: against the bare form.\n")
    one, across = both("first", "256", ("update", "update_across"))
    ratio = across["first"] / one["first"]
    head = ["README's four, 8 devices", "first `update`", "first `update_across`", "ratio"]
    table(head, [["256 rows", si(one["first"]), si(across["first"]), f"{ratio:.2f}"]])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        main()
    elif sys.argv[1] == "measure":
        print(json.dumps(measure(int(sys.argv[2]), sys.argv[3])))
    else:
        jax.config.update("jax_num_cpu_devices", 8)
        print(json.dumps(first(int(sys.argv[2]), sys.argv[3])))
