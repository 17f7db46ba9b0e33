"""Random ratings, some of them missing."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ..oracle import CASES, fold, ROWS, STEPS, values_of


CATEGORIES, RATERS = 4, 3


def drawn(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = (CASES, STEPS, ROWS)
    truth = rng.integers(0, rng.integers(1, CATEGORIES + 1, (CASES, 1, 1)), size)[..., None]
    noise = rng.integers(0, CATEGORIES, (*size, RATERS))
    wrong = rng.random((*size, RATERS)) < rng.choice([0, 0.3, 1], (CASES, 1, 1, 1))
    mask = rng.random((*size, RATERS)) < rng.choice([0.1, 0.6, 1], (CASES, 1, 1, 1))
    weights = rng.choice([0, 1, 1, 2, 3], size).astype(np.float32)
    weights[rng.random(CASES) < 0.5] = 1
    ratings = np.where(wrong, noise, truth)
    return {
        "ratings": np.where(mask, ratings, -5).astype(np.int32),
        "mask": mask,
        "weights": weights,
    }


def cases_of(metric: Any, seed: int) -> Iterator[tuple[Any, list[np.ndarray]]]:
    """The values, and of each row that counts its ratings, two or more."""
    batch = drawn(seed)
    got = jax.tree.map(np.asarray, values_of(fold, metric, batch))
    for i in range(CASES):
        weights = batch["weights"][i].ravel().astype(int)
        rows = [
            x[m]
            for x, m, w in zip(
                batch["ratings"][i].reshape(-1, RATERS),
                batch["mask"][i].reshape(-1, RATERS),
                weights,
                strict=True,
            )
            for _ in range(w)
        ]
        yield jax.tree.map(lambda x, i=i: x[i], got), [x for x in rows if len(x) > 1]
