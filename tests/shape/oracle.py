"""What the oracle tests of the shelf share: shapes drawn from a seed, in one shape of arrays, with
weights and masks of rows, or of points."""

from collections.abc import Callable, Mapping

import numpy as np

import eqmetrics as eqm

from ..fields.oracle import mean_of_rows, ROWS, STEPS
from ..oracle import fold, spread


POINTS = 9
WEIGHTS = np.array([0.0, 1, 2, 3, 0.25, 0.7, 1e3], np.float32)
WAYS = ((fold, True), (spread, False))


def batch_of(seed: int, inner: bool, axes: int = 3) -> dict[str, np.ndarray]:
    """Predictions are targets that were turned, mirrored, moved and shaken. NaN where a row, or one
    of its points, doesn't take part."""
    rng = np.random.default_rng(seed)
    rows = STEPS, ROWS
    t = rng.normal(size=(*rows, POINTS, axes))
    turn, _ = np.linalg.qr(rng.normal(size=(*rows, axes, axes)))
    p = rng.choice([1.0, 0.3, 4.0], (*rows, 1, 1)) * (t @ turn) + rng.normal(size=(*rows, 1, axes))
    p = p + rng.choice([1e-3, 0.1, 2.0], (*rows, 1, 1)) * rng.normal(size=p.shape)
    scale = rng.choice([1.0, 1e-9, 1e9])
    share = rng.choice([0.0, 0.7, 1.0, 1.0], rows)
    shape = (*rows, POINTS) if inner else rows
    mask = rng.random(shape) < share.reshape(*rows, *(1,) * (len(shape) - 2))
    out = ~mask.reshape(*mask.shape, *(1,) * (4 - mask.ndim))
    hidden = lambda x: np.where(out, np.nan, x * scale).astype(np.float32)
    weights = rng.choice(WEIGHTS, rows)
    return {"predictions": hidden(p), "targets": hidden(t), "mask": mask, "weights": weights}


def check(
    seed: int, rtol: float, pairs: Mapping[str, tuple[eqm.Metric, Callable]], axes: int = 3
) -> None:
    """Metrics, in one program, beside `value(p, t)` of the points of a row that take part."""
    metrics = eqm.MetricDict({name: metric for name, (metric, _) in pairs.items()})
    for way, inner in WAYS:
        batch = batch_of(seed, inner, axes)
        got = way(metrics, batch).compute()
        for name, (_, value) in pairs.items():

            def of_row(predictions, targets, mask, value=value):
                keep = np.broadcast_to(mask, POINTS)
                return value(predictions[keep], targets[keep])

            want = mean_of_rows(batch, of_row)
            np.testing.assert_allclose(got[name], want, rtol, err_msg=f"{name}, {way}")
