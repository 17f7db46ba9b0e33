"""Stacked cases of scores of runs, with ties, and with NaN where a run doesn't take part."""

import numpy as np

from ..oracle import CASES, ROWS, STEPS


TASKS, CAPACITY = 3, 32


def drawn(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = CASES, STEPS, ROWS
    mask = rng.random(shape) < rng.choice([0.0, 0.1, 0.7, 1.0], (CASES, 1, 1))
    scores = rng.integers(-8, 12, (*shape, TASKS)) / 4 + rng.normal(size=(CASES, 1, 1, TASKS))
    return {
        "scores": np.where(mask[..., None], scores, np.nan).astype(np.float32),
        "mask": mask,
    }
