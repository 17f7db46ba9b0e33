"""Stacked cases of the shelf: arrays drawn from a seed in one shape, with masks and weights."""

from typing import Any

import jax
import numpy as np

from ..oracle import CASES, ROWS, STEPS


SHAPE = CASES, STEPS, ROWS


def masked(rng: np.random.Generator, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Of each case all rows, none, few or most."""
    share = rng.choice([0.0, 0.15, 0.7, 1.0], (shape[0], *(1,) * (len(shape) - 1)))
    return rng.random(shape) < share


def weighted(rng: np.random.Generator, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return rng.choice(np.array([0.0, 1, 2, 3, 0.25, 0.7, 1e3], np.float32), shape)


def hidden(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Floats, with NaN where a row doesn't take part."""
    mask = mask.reshape(*mask.shape, *(1,) * (x.ndim - mask.ndim))
    return np.where(mask, x, np.nan).astype(np.float32)


def each_case(got: Any, batch: dict[str, np.ndarray]):
    """Of every case the value, and the arrays of the rows that take part, in float64."""
    got = jax.tree.map(lambda x: np.asarray(x, np.float64), jax.device_get(got))
    for i in range(CASES):
        arrays = {k: v[i] for k, v in batch.items()}
        keep = arrays.pop("mask")
        if "weights" in arrays:
            keep = keep & (arrays["weights"] > 0)
        wide = {k: v[keep].astype(np.float64 if v.dtype.kind == "f" else v.dtype) for k, v in
                arrays.items()}  # fmt: skip
        yield jax.tree.map(lambda x, i=i: x[i], got), wide
