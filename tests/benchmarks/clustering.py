"""Scores of clusterings beside scikit-learn, in CPU time of all threads, in turns: of a million
rows, counting included, and silhouettes of some thousand."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, si, table
from .peers import module
from .text import cpu_per_call


def whole(metric: Any, batch: dict[str, Any]) -> Callable[[], Any]:
    """Update and value, compiled."""
    value = jax.jit(lambda metric, batch: type(metric).update(metric, **batch).compute())
    return lambda: value(metric, batch)


def beside(name: str, mine: Callable[[], Any], peer: Callable[[], Any]) -> list[object]:
    want = float(peer())
    assert abs(float(mine()) - want) <= 1e-5 * abs(want) + 1e-6, name
    took = cpu_per_call({"mine": mine, "scikit-learn": lambda: peer() and None}, rounds=5)
    ratio = took["mine"] / took["scikit-learn"]
    return [name, si(took["mine"]), si(took["scikit-learn"]), f"{ratio:.3f}x"]


def of_labels(rows: int, classes: int) -> list[list[object]]:
    skl, rng = module("sklearn.metrics"), np.random.default_rng(0)
    y = rng.integers(0, classes, rows, dtype=np.int32)
    p = np.where(rng.random(rows) < 0.3, y, rng.integers(0, classes, rows)).astype(np.int32)
    batch = {"labels": jnp.asarray(y), "predicted_labels": jnp.asarray(p)}
    scores = {
        "AdjustedMutualInformation": skl.adjusted_mutual_info_score,
        "AdjustedRandScore": skl.adjusted_rand_score,
        "VMeasure": skl.v_measure_score,
    }
    return [
        beside(
            f"{name}, {rows} rows, {classes} classes",
            whole(getattr(eqm.clustering, name)(classes), batch),
            lambda peer=peer: peer(y, p),
        )
        for name, peer in scores.items()
    ]


def of_features(rows: int, dim: int, clusters: int) -> list[list[object]]:
    skl, rng = module("sklearn.metrics"), np.random.default_rng(0)
    y = rng.integers(0, clusters, rows)
    x = rng.normal(size=(rows, dim)) + 100 + (y[:, None] == np.arange(dim)) * 2
    x = x.astype(np.float32)
    batch = {"features": jnp.asarray(x), "predicted_labels": jnp.asarray(y, jnp.int32)}
    name = f"{rows} rows of {dim}, {clusters} clusters"
    silhouette = eqm.clustering.Silhouette(clusters, dim, capacity=rows)
    exact = skl.silhouette_score(x.astype(np.float64), y)
    assert abs(float(whole(silhouette, batch)()) - exact) < 1e-6
    ratio = eqm.clustering.CalinskiHarabasz(clusters, dim)
    # In float32 scikit-learn keeps few digits of distances at an offset.
    centred = x - x.mean(0)
    return [
        beside(
            f"Silhouette, {name}",
            whole(silhouette, batch),
            lambda: skl.silhouette_score(centred, y),
        ),
        beside(
            f"CalinskiHarabasz, {name}",
            whole(ratio, batch),
            lambda: skl.calinski_harabasz_score(centred, y),
        ),
    ]


def main() -> None:
    about("Clusterings", "scikit-learn")
    rows = of_labels(1_000_000, 10) + of_labels(1_000_000, 100)
    rows += of_features(4096, 16, 8)
    table(["", "CPU time of update and value", "scikit-learn", ""], rows)


if __name__ == "__main__":
    main()
