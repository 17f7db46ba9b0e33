"""What the tests of scores of a table share: all of them in one program, on random cases."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

import eqmetrics as eqm

from ..oracle import CASES, fold, ROWS, STEPS, values_of


CLASSES, CLUSTERS = 3, 4
AVERAGES = "arithmetic", "geometric", "min", "max"
ADJUSTED = "arithmetic", "min"  # a program of each takes long to compile
SIZE = (CLASSES, CLUSTERS)
SCORES = eqm.clustering
METRICS = eqm.MetricDict(
    {
        "table": SCORES.ContingencyCounts(*SIZE),
        "matrix": SCORES.ContingencyMatrix(*SIZE),
        "mutual": SCORES.MutualInformation(*SIZE),
        "variation": SCORES.VariationOfInformation(*SIZE),
        "homogeneity": SCORES.Homogeneity(*SIZE),
        "completeness": SCORES.Completeness(*SIZE),
        "v": SCORES.VMeasure(*SIZE, beta=2.0),
        "pairs": SCORES.PairConfusion(*SIZE),
        "rand": SCORES.RandScore(*SIZE),
        "adjusted rand": SCORES.AdjustedRandScore(*SIZE),
        "fowlkes": SCORES.FowlkesMallows(*SIZE),
        "purity": SCORES.Purity(*SIZE),
        "b-cubed": SCORES.BCubed(*SIZE),
        "accuracy": SCORES.ClusterAccuracy(*SIZE),
        "cramer": SCORES.CramersV(*SIZE),
        "tschuprow": SCORES.TschuprowsT(*SIZE),
        "cramer corrected": SCORES.CramersV(*SIZE, bias_correction=True),
        "tschuprow corrected": SCORES.TschuprowsT(*SIZE, bias_correction=True),
        "pearson": SCORES.ContingencyCoefficient(*SIZE),
        "theil": SCORES.TheilsU(*SIZE),
        "lambda": SCORES.GoodmanKruskalLambda(*SIZE),
    }
    | {f"nmi {a}": SCORES.NormalizedMutualInformation(*SIZE, average=a) for a in AVERAGES}
    | {f"ami {a}": SCORES.AdjustedMutualInformation(*SIZE, average=a) for a in ADJUSTED}
)
assert len(METRICS.states.all()) == 1


def drawn(seed: int) -> dict[str, np.ndarray]:
    """Cases of few rows and of many, with empty classes, clusters and batches, and near to
    agreement or far from it; a weight is a number of rows."""
    rng = np.random.default_rng(seed)
    size = (CASES, STEPS, ROWS)
    some = lambda most: np.floor(rng.random(size) * rng.integers(1, most + 1, (CASES, 1, 1)))
    labels, clusters = some(CLASSES), some(CLUSTERS)
    same = rng.random(size) < rng.choice([0.0, 0.5, 1.0], (CASES, 1, 1))
    clusters = np.where(same, (labels + 1) % CLUSTERS, clusters)
    mask = rng.random(size) < rng.choice([0.0, 0.1, 0.5, 1.0], (CASES, 1, 1))
    weights = rng.choice([0, 1, 1, 2, 30], size).astype(np.float32)
    weights[rng.random(CASES) < 0.5] = 1
    away = ~mask | (weights == 0)
    return {
        "labels": np.where(away, -7, labels).astype(np.int32),
        "predicted_labels": np.where(away, 99, clusters).astype(np.int32),
        "mask": mask,
        "weights": weights,
    }


def cases_of(seed: int) -> Iterator[tuple[dict[str, Any], np.ndarray, np.ndarray]]:
    """The values, and the labels and clusters of the rows that count, repeated."""
    batch = drawn(seed)
    got = jax.tree.map(np.asarray, values_of(fold, METRICS, batch))
    for i in range(CASES):
        times = np.where(batch["mask"][i], batch["weights"][i], 0).astype(int).ravel()
        y, p = (np.repeat(batch[k][i].ravel(), times) for k in ("labels", "predicted_labels"))
        yield {k: jax.tree.map(lambda x, i=i: x[i], v) for k, v in got.items()}, y, p


def table_of(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    table = np.zeros(SIZE)
    np.add.at(table, (y, p), 1)
    return table


def groups(x: np.ndarray) -> int:
    return len(np.unique(x))


def chance(y: np.ndarray, p: np.ndarray) -> float:
    """The expected mutual information."""
    return expected_mutual_information(contingency_matrix(y, p, sparse=True), len(y))


def entropy(x: np.ndarray) -> float:
    share = np.unique(x, return_counts=True)[1] / len(x)
    return float(-np.sum(share * np.log(share)))


def mean_entropy(y: np.ndarray, p: np.ndarray, average: str) -> float:
    x = np.array([entropy(y), entropy(p)])
    if average == "geometric":
        return float(np.sqrt(x.prod()))
    return float({"arithmetic": np.mean, "min": np.min, "max": np.max}[average](x))


@jax.jit
def at_each(metric: eqm.Metric, labels: Any, clusters: Any, weights: Any = None) -> Any:
    """The values of stacked batches, in one program."""

    def one(y: Any, p: Any, w: Any) -> Any:
        w = {} if weights is None else {"weights": w}
        return metric.update(labels=y, predicted_labels=p, **w).compute()

    return jax.vmap(one)(labels, clusters, labels if weights is None else weights)


def close(got: Any, want: Any, rtol: float = 1e-5, atol: float = 2e-7) -> None:
    np.testing.assert_allclose(got, want, rtol, atol)


def big(rows: int, classes: int, clusters: int, alike: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows, dtype=np.int32)
    p = rng.integers(0, clusters, rows, dtype=np.int32)
    p = np.where(rng.random(rows) < alike, y % clusters, p).astype(np.int32)
    return {"labels": y, "predicted_labels": p}
