"""Batches of padded sequences, drawn in one shape."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..oracle import ROWS, STEPS


LENGTH, VOCABULARY = 4, 6
seeds = st.integers(0, 2**32 - 1)


def tokens(seed: int) -> tuple[dict[str, Any], np.random.Generator]:
    """Stacked batches of `logits` and `labels`, with a `mask` of tokens, all, some or none of a
    batch, and `weights` of rows; with NaN and labels out of range outside of the mask."""
    rng = np.random.default_rng(seed)
    shape = STEPS, ROWS, LENGTH
    mask = rng.random(shape) < rng.choice([0.0, 0.3, 0.8, 1.0], (STEPS, 1, 1))
    mask &= rng.random(shape[:2])[..., None] < 0.9
    logits = rng.choice([1.0, 20.0]) * rng.normal(size=(*shape, VOCABULARY))
    labels = rng.integers(0, VOCABULARY, shape).astype(np.int32)
    logits[rng.random(logits.shape) < 0.03] = -np.inf
    return {
        "logits": np.where(mask[..., None], logits, np.nan).astype(np.float32),
        "labels": np.where(mask, labels, 77),
        "mask": mask,
        "weights": np.float32(rng.choice([0.0, 1.0, 2.0, 0.25, 1e3], shape[:2])),
    }, rng


def losses(batch: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The loss and the weight of each token that counts, in float64."""
    keep = batch["mask"] & (batch["weights"] > 0)[..., None]
    x, y = batch["logits"][keep].astype(np.float64), batch["labels"][keep]
    top = np.max(x, axis=-1, initial=-np.inf)
    whole = np.log(np.sum(np.exp(x - top[:, None]), axis=-1)) + top
    own = np.take_along_axis(x, y[:, None], axis=-1)[:, 0]
    weights = np.broadcast_to(batch["weights"][..., None], keep.shape)[keep]
    return whole - own, weights.astype(np.float64)
