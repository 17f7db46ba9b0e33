"""Batches of ids that the oracle tests of text draw, and their sequences as lists."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..oracle import ROWS, STEPS


PADDING, STOP = -1, 9
LENGTH, LONGER = 6, 7
seeds = st.integers(0, 2**32 - 1)


def one_batch(seed: int, references: int | None = None, *, stop: bool = False) -> dict[str, Any]:
    """Stacked batches of `predicted_tokens` and `tokens`, or `references`, with masks of rows and
    weights. Ids are few, so that tokens repeat; lengths are ragged, and some are 0."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))

    def ids(*shape: int) -> np.ndarray:
        x = rng.integers(0, size, shape)
        end = rng.integers(0, shape[-1] + 1, (*shape[:-1], 1))
        x = np.where(np.arange(shape[-1]) < end, x, PADDING)
        x = np.where(rng.random(shape) < rng.choice([0, 0.2]), PADDING, x)
        if stop:
            x = np.where(rng.random(shape) < 0.1, STOP, x)
        return x.astype(np.int32)

    meant = ids(STEPS, ROWS, *(() if references is None else (references,)), LONGER)
    said = ids(STEPS, ROWS, LENGTH)
    near = meant if references is None else meant[:, :, 0]
    # Half of the predictions are near to a reference.
    close = (rng.random((STEPS, ROWS, 1)) < 0.5) & (rng.random(said.shape) < 0.8)
    said = np.where(close, near[..., :LENGTH], said).astype(np.int32)
    kinds = np.stack([np.ones(ROWS, bool), np.zeros(ROWS, bool), rng.random(ROWS) < 0.7])
    return {
        "predicted_tokens": said,
        "tokens" if references is None else "references": meant,
        "mask": kinds[rng.choice(3, STEPS, p=[0.4, 0.1, 0.5])],
        "weights": rng.choice(np.array([0, 1, 2, 3, 0.5], np.float32), (STEPS, ROWS)),
    }


def listed(ids: np.ndarray, stop: int | None = None) -> Any:
    """Nested lists of sequences, each without padding and up to the first stop."""
    if ids.ndim > 1:
        return [listed(x, stop) for x in ids]
    found = [int(x) for x in ids if x != PADDING]
    return found[: found.index(stop)] if stop in found else found


def taken(batch: dict[str, Any], stop: int | None = None) -> list[tuple[Any, Any, float]]:
    """Prediction, reference (or references) and weight of each row that counts."""
    keep = batch["mask"] & (batch["weights"] > 0)
    other = "tokens" if "tokens" in batch else "references"
    said, meant = (listed(batch[name][keep], stop) for name in ("predicted_tokens", other))
    return list(zip(said, meant, batch["weights"][keep].tolist(), strict=True))
