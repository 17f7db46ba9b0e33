"""The compile time of `update` of a `MetricDict` of 20 metrics, against the same 20 in bare
jax.numpy: tracing, lowering and XLA, each in fresh processes that take turns."""

import itertools
import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, get_ready, in_turns, table


ROWS, CLASSES, THRESHOLDS = 256, 10, 200
TASK = eqm.Multiclass(CLASSES)
OURS: dict[str, Callable[[], dict[str, eqm.Metric]]] = {
    "10 of counts": lambda: {
        "accuracy": eqm.Accuracy(TASK),
        "f1": eqm.F1(TASK),
        "precision": eqm.Precision(TASK),
        "recall": eqm.Recall(TASK),
        "specificity": eqm.Specificity(TASK),
        "jaccard": eqm.Jaccard(TASK),
        "kappa": eqm.CohenKappa(TASK),
        "matthews": eqm.MatthewsCorrelation(TASK),
        "balanced": eqm.BalancedAccuracy(TASK),
        "confusion": eqm.ConfusionMatrix(TASK),
    },
    "AUROC": lambda: {"auroc": eqm.AUROC(TASK)},
    "log loss": lambda: {"log_loss": eqm.LogLoss(TASK)},
    "average, std, min, max": lambda: {
        "average": eqm.Average().from_output("loss"),
        "std": eqm.Std().from_output("loss"),
        "min": eqm.Min().from_output("loss"),
        "max": eqm.Max().from_output("loss"),
    },
    "4 of regression": lambda: {
        "mse": eqm.MeanSquaredError(),
        "mae": eqm.MeanAbsoluteError(),
        "r2": eqm.R2(),
        "pearson": eqm.Pearson(),
    },
}


def sums(*values: jax.Array) -> jax.Array:
    return jnp.stack([jnp.float32(values[0].size), *(x.sum() for x in values)])


def matrix(b: dict[str, Any]) -> jax.Array:
    zeros = jnp.zeros((CLASSES, CLASSES))
    return zeros.at[b["labels"], jnp.argmax(b["logits"], -1)].add(1.0)


def curve(b: dict[str, Any]) -> jax.Array:
    """The usual thresholds between 0 and 1."""
    bins = (jax.nn.softmax(b["logits"]) * (THRESHOLDS - 1)).astype(jnp.int32)
    hot = jax.nn.one_hot(b["labels"], CLASSES, dtype=jnp.int32)
    return jnp.zeros((2, CLASSES, THRESHOLDS)).at[hot, jnp.arange(CLASSES), bins].add(1.0)


def log_loss(b: dict[str, Any]) -> jax.Array:
    return sums(-jnp.take_along_axis(jax.nn.log_softmax(b["logits"]), b["labels"][:, None], 1))


def regression(b: dict[str, Any]) -> list[jax.Array]:
    p, t = b["predictions"], b["targets"]
    return [sums((p - t) ** 2, jnp.abs(p - t), p, t, p * p, t * t, p * t)]


def regression_alone(b: dict[str, Any]) -> list[jax.Array]:
    p, t = b["predictions"], b["targets"]
    squares = (p - t) ** 2
    pearson = sums(p, t, p * p, t * t, p * t)
    return [sums(squares), sums(jnp.abs(p - t)), sums(squares, t, t * t), pearson]


def counts_alone(b: dict[str, Any]) -> list[jax.Array]:
    def of(*kinds: str) -> list[jax.Array]:
        true = jax.nn.one_hot(b["labels"], CLASSES)
        guess = jax.nn.one_hot(jnp.argmax(b["logits"], -1), CLASSES)
        rows = {"tp": (true, guess), "fp": (1 - true, guess), "fn": (true, 1 - guess)}
        rows["tn"] = 1 - true, 1 - guess
        return [(x * y).sum(0) for x, y in (rows[kind] for kind in kinds)]

    scores = "tp fp fn", "tp fp", "tp fn", "tn fp", "tp fp fn", "tp fn"
    found = [x for kinds in scores for x in of(*kinds.split())]
    return [sums(jnp.argmax(b["logits"], -1) == b["labels"]), *found, *(matrix(b) for _ in "123")]


# What a batch adds: with one state for all that may share it, as a careful hand writes it; and
# with a state a metric, as in libraries that share nothing.
SHARED: dict[str, Callable[[Any], Any]] = {
    "10 of counts": matrix,
    "AUROC": curve,
    "log loss": log_loss,
    "average, std, min, max": lambda b: sums(b["loss"], b["loss"] ** 2),
    "4 of regression": regression,
}
ALONE = SHARED | {
    "10 of counts": counts_alone,
    "average, std, min, max": lambda b: [sums(b["loss"]), sums(b["loss"], b["loss"] ** 2)],
    "4 of regression": regression_alone,
}
FORMS = {"bare": SHARED, "bare, each alone": ALONE, "eqmetrics": None}


def bare(adds: dict[str, Callable[[Any], Any]], parts: list[str], batch: Any) -> Any:
    ends = "average, std, min, max" in parts

    def update(state: Any, batch: Any) -> Any:
        total, low, high = state
        total = jax.tree.map(jnp.add, total, [adds[part](batch) for part in parts])
        if ends:
            low = jnp.minimum(low, batch["loss"].min())
            high = jnp.maximum(high, batch["loss"].max())
        return total, low, high

    shapes = jax.eval_shape(lambda: [adds[part](batch) for part in parts])
    total = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return update, (total, jnp.full((), jnp.inf), jnp.full((), -jnp.inf))


def measure(form: str, parts: list[str]) -> dict[str, float]:
    rng = np.random.default_rng(0)
    batch: dict[str, Any] = {
        "logits": rng.normal(size=(ROWS, CLASSES)).astype(np.float32),
        "labels": rng.integers(0, CLASSES, ROWS).astype(np.int32),
        **{k: rng.normal(size=ROWS).astype(np.float32) for k in ("loss", "predictions", "targets")},
    }
    adds = FORMS[form]
    if adds is None:
        state = eqm.MetricDict({k: m for part in parts for k, m in OURS[part]().items()})
        batch = {k: x for k, x in batch.items() if k in state.arguments()}
        update = lambda m, b: m.update(**b)
    else:
        update, state = bare(adds, parts, batch)
    get_ready()

    times = [time.perf_counter()]
    traced = jax.jit(update).trace(state, batch)
    times.append(time.perf_counter())
    lowered = traced.lower()
    times.append(time.perf_counter())
    compiled = lowered.compile()
    times.append(time.perf_counter())
    stages = [b - a for a, b in itertools.pairwise(times)]
    text = compiled.as_text() or ""
    return {
        **dict(zip(("trace", "lower", "XLA"), stages, strict=True)),
        "all": times[-1] - times[0],
        "operations": len(re.findall(r"^\s+(?:ROOT )?%\S+ = ", text, re.M)),
        "fusions": len(re.findall(r" fusion\(", text)),
    }


def main() -> None:
    about("Compile time of 20 metrics")
    rows: list[list[object]] = []
    two = ["bare", "eqmetrics"]
    for forms, parts, rounds in [(list(FORMS), list(OURS), 3), *((two, [x], 1) for x in OURS)]:
        runs = {form: ["tests.benchmarks.compile", form, *parts] for form in forms}
        found = in_turns(runs, rounds)
        for form, x in found.items():
            rows.append(
                [
                    "all 20" if len(parts) > 1 else parts[0],
                    form,
                    *(f"{1e3 * x[k]:.0f} ms" for k in ("trace", "lower", "XLA", "all")),
                    f"{x['all'] / found['bare']['all']:.2f}",
                    *(f"{x[k]:.0f}" for k in ("operations", "fusions")),
                ]
            )
    head = ["metrics", "form", "trace", "lower", "XLA", "all", "of bare", "operations", "fusions"]
    table(head, rows)
    print(
        "The first program of each process, but for one that warms up; `update` alone. Bare: one "
        "state for all that may share it, float32 sums, a curve of 200 thresholds.\n"
    )


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2:]))) if len(sys.argv) > 2 else main()
