"""What the oracle tests of the shelf share: batches drawn from a seed, in one shape, with weights
and masks of rows, or of the points in them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..oracle import fold, spread


STEPS, ROWS = 2, 4
WEIGHTS = np.array([0.0, 1, 2, 3, 0.25, 0.7, 1e3], np.float32)
WAYS = ((fold, True), (spread, False))


def batch_of(
    seed: int, shapes: Mapping[str, tuple[int, ...]], entries: tuple[int, ...] | None = None
) -> dict[str, np.ndarray]:
    """Arrays of these shapes in each row, whole or of few digits, with NaN where a row or one of
    its `entries`, if there are some, doesn't take part."""
    rng = np.random.default_rng(seed)
    rows = STEPS, ROWS
    scale = rng.choice([1.0, 1e-6, 1e6])
    offset = rng.choice([0.0, 0.0, 3.0])
    whole = rng.choice([True, False])
    batch = {}
    for name, shape in shapes.items():
        x = rng.normal(size=(*rows, *shape)) + offset
        batch[name] = scale * (np.round(x) if whole else x)
    share = rng.choice([0.0, 0.2, 0.8, 1.0], rows)
    inner = entries or ()
    batch["mask"] = rng.random((*rows, *inner)) < share.reshape(*rows, *(1,) * len(inner))
    batch["weights"] = rng.choice(WEIGHTS, rows)
    for name in shapes:
        out = ~batch["mask"]
        out = out.reshape(*out.shape, *(1,) * (batch[name].ndim - out.ndim))
        batch[name] = np.where(out, np.nan, batch[name])
    return {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in batch.items()}


def rows_of(batch: dict[str, np.ndarray]) -> list[tuple[dict[str, np.ndarray], Any, float]]:
    """`(arrays, mask, weight)` of each row that takes part, in float64."""
    arrays = {k: v.astype(np.float64) for k, v in batch.items() if k not in ("mask", "weights")}
    return [
        ({k: v[at] for k, v in arrays.items()}, batch["mask"][at], float(batch["weights"][at]))
        for at in np.ndindex(STEPS, ROWS)
        if batch["weights"][at] > 0 and np.any(batch["mask"][at])
    ]


def mean_of_rows(batch: dict, value: Callable[..., Any]) -> Any:
    """The mean of a value of each row, of those that have one (not NaN)."""
    found = [(value(**arrays, mask=mask), w) for arrays, mask, w in rows_of(batch)]
    if not found:
        return np.nan
    x, w = np.array([x for x, _ in found]), np.array([w for _, w in found])
    w = np.where(np.isnan(x), 0, w.reshape(-1, *(1,) * (x.ndim - 1)))
    with np.errstate(invalid="ignore"):
        return np.sum(np.nan_to_num(x) * w, 0) / np.sum(w, 0)


def check(
    seed: int,
    metric: Any,
    shapes: Mapping[str, tuple[int, ...]],
    truth: Callable[[dict], Any],
    entries: tuple[int, ...] | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    """The metric beside `truth(batch)`, updated in steps with masks of entries, and spread over
    devices with masks of rows."""
    for way, inner in WAYS:
        batch = batch_of(seed, shapes, entries if inner else None)
        got = way(metric, batch).compute()
        np.testing.assert_allclose(got, truth(batch), rtol, atol, err_msg=f"{way}")
