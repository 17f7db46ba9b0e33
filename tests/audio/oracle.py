"""What the oracle tests of the shelf share: signals drawn from a seed, in one shape, with weights
and masks of rows, or of samples."""

from collections.abc import Callable
from typing import Any

import numpy as np

import eqmetrics as eqm

from ..fields.oracle import ROWS, rows_of, STEPS
from ..oracle import fold, spread


TIME = 60
WEIGHTS = np.array([0.0, 1, 2, 3, 0.25, 0.7, 1e3], np.float32)
WAYS = ((fold, True), (spread, False))


def batch_of(
    seed: int, samples: bool, *sources: int, time: int = TIME, silence: float = 0.02
) -> dict[str, np.ndarray]:
    """Predictions are targets with a gain, an echo and noise of some level; a few of either are
    silent. NaN where a row, or one of its samples, doesn't take part."""
    rng = np.random.default_rng(seed)
    rows = STEPS, ROWS, *sources
    one = lambda *choice: rng.choice(choice, rows)[..., None]
    t = rng.normal(size=(*rows, time)) + one(0.0, 0.0, 1.0)
    t = t + one(0.0, 0.8) * np.roll(t, 1, axis=-1)
    p = one(1.0, 0.5, -2.0) * (t + one(0.0, 0.3) * np.roll(t, 2, axis=-1))
    p = p + one(0.001, 0.1, 1.0, 10.0) * rng.normal(size=p.shape)
    scale = rng.choice([1.0, 1e-12, 1e12])
    p, t = (x * scale * (rng.random((*rows, 1)) >= silence) for x in (p, t))
    share = rng.choice([0.0, 0.7, 1.0, 1.0], (STEPS, ROWS))
    inner = (*sources, time) if samples else ()
    mask = rng.random((STEPS, ROWS, *inner)) < share.reshape(STEPS, ROWS, *(1,) * len(inner))
    out = ~mask.reshape(*mask.shape, *(1,) * (t.ndim - mask.ndim))
    hidden = lambda x: np.where(out, np.nan, x).astype(np.float32)
    weights = rng.choice(WEIGHTS, (STEPS, ROWS))
    return {"predictions": hidden(p), "targets": hidden(t), "mask": mask, "weights": weights}


def mean_of(batch: dict[str, np.ndarray], value: Callable[..., Any]) -> Any:
    """The mean of `value(p, t)` of the samples of each row that take part, in float64."""

    found = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for x, mask, weight in rows_of(batch):
            keep = np.broadcast_to(mask, x["targets"].shape)
            found.append((value(x["predictions"][keep], x["targets"][keep]), weight))
        found = [(x, w) for x, w in found if not np.isnan(x)]
        # of infinities as well
        return sum(x * w for x, w in found) / sum(w for _, w in found) if found else np.nan


def check(
    seed: int, rtol: float = 1e-5, atol: float = 1e-4, **pairs: tuple[eqm.Metric, Callable]
) -> None:
    """Metrics, in one program, beside a value of single signals: updated in steps with masks of
    samples, and spread over devices with masks of rows."""
    metrics = eqm.MetricDict({name: metric for name, (metric, _) in pairs.items()})
    for way, samples in WAYS:
        batch = batch_of(seed, samples)
        got = way(metrics, batch).compute()
        for name, (_, value) in pairs.items():
            want = mean_of(batch, value)
            np.testing.assert_allclose(got[name], want, rtol, atol, err_msg=f"{name}, {way}")
