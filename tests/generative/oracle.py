"""What the oracle tests of the shelf share: features of both sides, in one shape, with masks,
weights and NaN where a row doesn't take part."""

import numpy as np


CASES, STEPS, ROWS, DIM = 50, 2, 12, 4
Batch = dict[str, np.ndarray]


def features(seed: int, *, weighted: bool = True, ties: bool = False) -> Batch:
    """Stacked cases of stacked batches of `real_features` and `generated_features`."""
    rng = np.random.default_rng(seed)
    size = CASES, STEPS, ROWS
    each = (CASES, 1, 1, 1)
    batch = {}
    for side in ("real", "generated"):
        mix = rng.normal(size=(CASES, 1, DIM, DIM)) * rng.choice([0.05, 0.5, 1.0], each)
        x = rng.normal(size=(*size, DIM)) @ mix + rng.normal(size=each) * rng.choice([0, 1], each)
        batch[f"{side}_features"] = np.round(x * 4) / 4 if ties else x
    share = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0], (CASES, 1, 1), p=[0.05, 0.15, 0.2, 0.3, 0.3])
    batch["mask"] = rng.random(size) < share
    keep = batch["mask"]
    if weighted:
        weights = rng.choice(np.array([0.0, 1, 2, 3, 0.25, 0.7]), size)
        batch["weights"] = np.where(rng.random((CASES, 1, 1)) < 0.4, 1.0, weights)
        keep = keep & (batch["weights"] > 0)
    for name in ("real_features", "generated_features"):
        batch[name] = np.where(keep[..., None], batch[name], np.nan)
    return {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in batch.items()}


def sides(batch: Batch, case: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of one case the real and the generated rows that count and their weights, in float64."""
    keep = batch["mask"][case]
    weights = batch["weights"][case] if "weights" in batch else np.ones(keep.shape)
    keep = keep & (weights > 0)
    real, generated = (batch[f"{k}_features"][case][keep] for k in ("real", "generated"))
    return real.astype(np.float64), generated.astype(np.float64), weights[keep].astype(np.float64)


def moments(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the covariance, of rows that the weights count."""
    mean = np.average(x, axis=0, weights=w)
    return mean, (x - mean).T @ ((x - mean) * w[:, None]) / (w.sum() - 1)
