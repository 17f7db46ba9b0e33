"""How often intervals of 95 % hold the truth, over simulated data sets, and what an update costs
(argument: rows)."""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, per_call, si, table


SETS, SIZE, CLUSTERS = 1000, 500, 50


def labels(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    y = rng.random((n, SIZE)) < 0.3
    return {"labels": y, "predicted_labels": np.where(rng.random(y.shape) < 0.8, y, ~y)}


def losses(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    return {"loss": rng.gamma(2.0, size=(n, SIZE))}


def words(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    size = rng.integers(1, 30, (n, SIZE))
    hard = rng.beta(2, 18, (n, SIZE))  # sentences differ
    return {"errors": rng.binomial(size, hard), "size": size}


def pairs(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    t = rng.normal(size=(n, SIZE))
    return {"targets": t, "predictions": t + 0.7 * rng.normal(size=t.shape)}


def grouped(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Hits of questions about 50 texts, of which some are hard."""
    text = np.broadcast_to(np.arange(SIZE) % CLUSTERS, (n, SIZE))
    ease = rng.beta(1.5, 1.0, (n, CLUSTERS))
    hits = rng.random((n, SIZE)) < np.take_along_axis(ease, text, 1)
    return {"values": hits.astype(np.float32), "cluster": text}


TASK = eqm.Binary()
MEAN_LOSS = eqm.Average().from_output("loss")
SUMS = eqm.Sum().from_output("errors"), eqm.Sum().from_output("size")
# A metric, what draws rows for it, and the value of all rows that there could be.
CASES: dict[str, tuple[eqm.Metric, Any, float]] = {
    "accuracy": (eqm.Accuracy(TASK), labels, 0.8),
    "F1": (eqm.F1(TASK), labels, 2 * 0.24 / (0.3 + 0.24 + 0.14)),
    "perplexity": (eqm.Compose(jnp.exp, MEAN_LOSS), losses, float(np.exp(2.0))),
    "ratio of sums, as WER": (eqm.Compose(jnp.divide, *SUMS), words, 0.1),
    "R2": (eqm.R2(), pairs, 1 - 0.49),
}
SHARE = 1.5 / 2.5


def coverage(metric: eqm.Metric, rows: dict[str, np.ndarray], truth: float) -> float:
    """How often the intervals of stacked data sets hold the truth."""
    batch = {n: x.astype(np.float32 if x.dtype == float else x.dtype) for n, x in rows.items()}
    batch = {n: x.astype(np.int32) if x.dtype == np.int64 else x for n, x in batch.items()}
    value = jax.jit(jax.vmap(lambda b: type(metric).update(metric, **b).compute()))(batch)
    return float(np.mean((value["low"] <= truth) & (truth <= value["high"])))


def of_clusters(sets: int) -> tuple[float, float]:
    """That of the interval which knows of clusters, and of the one which doesn't."""
    rows = grouped(np.random.default_rng(0), sets)
    known = eqm.Interval(eqm.Average(), clusters=CLUSTERS)
    naive = eqm.Interval(eqm.Average())
    alone = {"values": rows["values"]}
    return coverage(known, rows, SHARE), coverage(naive, alone, SHARE)


def main(rows: int) -> None:
    about(f"Intervals of 95 %: {SETS} data sets of {SIZE} rows")
    ids = np.broadcast_to(np.arange(SIZE), (SETS // 4, SIZE))
    lines: list[list[object]] = []
    for name, (metric, draw, truth) in CASES.items():
        drawn = draw(np.random.default_rng(0), SETS)
        few = {n: x[: len(ids)] for n, x in drawn.items()} | {"ids": ids}
        boot = eqm.Bootstrap(metric, 200, key=jax.random.key(0), ids=True)
        shares = coverage(eqm.Interval(metric), drawn, truth), coverage(boot, few, truth)
        lines.append([name, *(f"{share:.1%}" for share in shares)])
    known, naive = of_clusters(SETS)
    lines.append(["accuracy of clusters", f"{known:.1%}", ""])
    lines.append(["the same without `clusters`", f"{naive:.1%}", ""])
    table(["", "`Interval`", f"`Bootstrap`, {len(ids)} sets"], lines)

    update = jax.jit(lambda m, b: type(m).update(m, **b))
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(rows, 10)), jnp.float32)
    both = {"logits": logits, "labels": jnp.asarray(rng.integers(0, 10, rows), jnp.int32)}
    x = jnp.asarray(rng.normal(size=(2, rows)), jnp.float32)
    timed = {
        "accuracy": (eqm.Accuracy(), both),
        "log loss of 10 classes": (eqm.LogLoss(eqm.Multiclass(10)), both),
        "macro F1 of 10 classes": (eqm.F1(eqm.Multiclass(10)), both),
        "mean": (eqm.Average(), {"values": x[0]}),
        "R2": (eqm.R2(), {"predictions": x[0], "targets": x[1]}),
    }
    lines = []
    for name, (metric, batch) in timed.items():
        of = lambda m, b=batch: lambda: update(m, b)
        took = per_call({"alone": of(metric), "with": of(eqm.Interval(metric))}, 10, 7)
        lines.append([name, *map(si, took.values()), f"{took['with'] / took['alone']:.1f}"])
    table([f"an update of {rows} rows", "alone", "`Interval`", "ratio"], lines)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4096)
