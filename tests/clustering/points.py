"""Random rows of features in clusters."""

from typing import Any

import numpy as np

from ..oracle import CASES, ROWS, STEPS


CLUSTERS, DIM, CAPACITY = 4, 3, STEPS * ROWS


def drawn(seed: int) -> dict[str, np.ndarray]:
    """At an offset, and in clusters that are apart or not, of few rows or many, some equal; a
    weight is a number of rows."""
    rng = np.random.default_rng(seed)
    size = (CASES, STEPS, ROWS)
    clusters = rng.integers(0, rng.integers(1, CLUSTERS + 1, (CASES, 1, 1)), size)
    centres = rng.normal(size=(CASES, CLUSTERS, DIM)) * rng.choice([0, 1, 10], (CASES, 1, 1))
    x = np.take_along_axis(centres[:, None], clusters[..., None], axis=2)
    x = x + rng.normal(size=(*size, DIM)) * rng.choice([0.1, 1], (CASES, 1, 1, 1))
    x = np.where(rng.random((CASES, 1, 1, 1)) < 0.2, np.round(x), x)
    x = x + rng.choice([0, 100], (CASES, 1, 1, 1))
    mask = rng.random(size) < rng.choice([0.1, 0.5, 1], (CASES, 1, 1))
    weights = rng.choice([0, 1, 1, 2, 3], size).astype(np.float32)
    weights[rng.random(CASES) < 0.5] = 1
    away = ~mask | (weights == 0)
    return {
        "features": np.where(away[..., None], np.nan, x).astype(np.float32),
        "predicted_labels": np.where(away, -3, clusters).astype(np.int32),
        "mask": mask,
        "weights": weights,
    }


def rows_of(batch: dict[str, np.ndarray], i: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a case that count, repeated, in float64."""
    times = np.where(batch["mask"][i], batch["weights"][i], 0).astype(int).ravel()
    x = np.repeat(batch["features"][i].reshape(-1, DIM), times, axis=0)
    return x.astype(np.float64), np.repeat(batch["predicted_labels"][i].ravel(), times)


def of_case(got: Any, i: int) -> Any:
    return {k: np.asarray(v)[i] for k, v in got.items()}
