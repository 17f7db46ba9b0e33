"""What the oracle tests of the shelf share: batches drawn from a seed, in one shape, and the two
means over what is in the rows, in float64."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..oracle import fold, spread


STEPS, ROWS = 2, 4
HEIGHT, WIDTH, CHANNELS = 13, 12, 2
PICTURE = HEIGHT, WIDTH, CHANNELS
WEIGHTS = np.array([0.0, 1, 2, 3, 0.25, 0.7, 1e3], np.float32)


def noisy(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Targets in [0, 1] and noisy predictions."""
    targets = rng.random((STEPS, ROWS, *shape)).astype(np.float32)
    size = rng.choice([0.01, 0.3], (STEPS, ROWS) + (1,) * len(shape))
    predictions = targets + size * rng.normal(size=targets.shape)
    return {"predictions": predictions.astype(np.float32), "targets": targets}


Draw = Callable[[np.random.Generator], dict[str, np.ndarray]]


def batch_of(seed: int, draw: Draw, entries: tuple[int, ...] | None) -> dict[str, np.ndarray]:
    """With weights, a mask of rows, or of `entries` in them, and NaN where a row or an entry
    doesn't take part."""
    rng = np.random.default_rng(seed)
    batch = draw(rng)
    rows = (STEPS, ROWS)
    batch["weights"] = rng.choice(WEIGHTS, rows)
    share = rng.choice([0.0, 0.2, 0.97, 0.995, 1.0], rows)
    if entries is None:
        batch["mask"] = rng.random(rows) < share
    else:
        batch["mask"] = rng.random((*rows, *entries)) < share.reshape(*rows, *(1,) * len(entries))
    for name in batch.keys() - {"mask", "weights"}:
        x, out = batch[name], ~batch["mask"]
        if x.ndim >= out.ndim:
            batch[name] = np.where(out.reshape(*out.shape, *(1,) * (x.ndim - out.ndim)), np.nan, x)
    return {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in batch.items()}


def images(batch: dict[str, np.ndarray]) -> list[tuple[dict[str, np.ndarray], np.ndarray, float]]:
    """`(arrays, mask, weight)` of each row that takes part, in float64."""
    rows = [(i, j) for i in range(STEPS) for j in range(ROWS)]
    arrays = {k: v.astype(np.float64) for k, v in batch.items() if k not in ("mask", "weights")}
    return [
        ({k: v[at] for k, v in arrays.items()}, batch["mask"][at], float(batch["weights"][at]))
        for at in rows
        if batch["weights"][at] > 0 and np.any(batch["mask"][at])
    ]


Entries = Callable[[dict[str, np.ndarray], np.ndarray], np.ndarray]
identity = lambda mean: mean


def of_images(batch: dict, value: Callable[[dict[str, np.ndarray], np.ndarray], float]) -> float:
    """The mean of a value of each image, of those that have one."""
    found = [(value(arrays, mask), w) for arrays, mask, w in images(batch)]
    found = [(x, w) for x, w in found if not math.isnan(x)]
    total = sum(w for _, w in found)
    return sum(x * w for x, w in found) / total if found else math.nan


def by_row(batch: dict, entries: Entries, of_mean: Callable = identity) -> float:
    def value(arrays, mask):
        each = entries(arrays, mask)
        return of_mean(each.mean()) if each.size else math.nan

    return of_images(batch, value)


def pooled(batch: dict, entries: Entries, of_mean: Callable = identity) -> float:
    found = [(entries(arrays, mask), w) for arrays, mask, w in images(batch)]
    count = sum(w * each.size for each, w in found)
    return of_mean(sum(w * each.sum() for each, w in found) / count) if count else math.nan


def check(
    seed: int,
    make: Callable[..., Any],
    entries: Entries,
    of_mean: Callable = identity,
    *,
    draw: Draw = lambda rng: noisy(rng, PICTURE),
    mask: tuple[int, ...] = (HEIGHT, WIDTH),
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    """`make(per=...)` beside the float64 mean over `entries(arrays, mask)`, updated in steps with
    masks of entries, and spread over devices with masks of rows."""

    for way, inner in ((fold, mask), (spread, None)):
        batch = batch_of(seed, draw, inner)
        for per, truth in (("row", by_row), ("pooled", pooled)):
            want = truth(batch, entries, of_mean)
            got = way(make(per=per), batch).compute()
            np.testing.assert_allclose(got, want, rtol, atol, err_msg=f"{per} {inner}")


def check_images(
    seed: int,
    metric: Any,
    value: Callable[[dict[str, np.ndarray], np.ndarray], float],
    *,
    draw: Draw = lambda rng: noisy(rng, PICTURE),
    mask: tuple[int, ...] | None = (HEIGHT, WIDTH),
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    """The same for what has a value of each image alone."""

    for way, inner in ((fold, mask), (spread, None)):
        batch = batch_of(seed, draw, inner)
        got = way(metric, batch).compute()
        want = of_images(batch, value)
        np.testing.assert_allclose(got, want, rtol, atol, err_msg=f"{inner}")


def pixels(arrays: dict[str, np.ndarray], mask: np.ndarray) -> list[np.ndarray]:
    """Each array as `(pixels, ...)`, of those in the mask."""
    keep = np.broadcast_to(mask, next(iter(arrays.values())).shape[:2])
    return [x[keep] for x in arrays.values()]
