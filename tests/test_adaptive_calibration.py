"""`AdaptiveCalibrationError` beside sorted rows, in float64."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import kept, read_value, scored


def expected(p, right, weights, bins, norm="l1"):
    """Each row covers an interval of weight; a bin averages over what covers it."""
    if weights.sum() == 0:
        return math.nan
    gaps = []
    # rows of one confidence are mixed: none of them comes first
    values = np.unique(p)
    w = np.array([weights[p == v].sum() for v in values])
    gap = np.array([(weights * (right - p))[p == v].sum() for v in values]) / w
    ends = np.cumsum(w) / w.sum() * bins
    starts = np.concatenate([[0], ends[:-1]])
    for b in range(bins):
        share = np.clip(np.minimum(ends, b + 1) - np.maximum(starts, b), 0, None)
        gaps.append(abs((share * gap).sum()))
    gaps = np.array(gaps)
    return {"l1": gaps.mean(), "l2": np.sqrt((gaps**2).mean()), "max": gaps.max()}[norm]


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("way", [fold, spread])
def test_rows_in_cells_of_their_own(way, norm):
    metric = eqm.AdaptiveCalibrationError(eqm.Binary(), bins=4, norm=norm, resolution=9)

    @few
    @given(batch=scored("probabilities"))
    def check(batch):
        want = expected(*kept(batch, "probabilities"), 4, norm)
        np.testing.assert_allclose(read_value(way(metric, batch)), want, atol=1e-6)

    check()


@pytest.mark.parametrize("spread_of", [1.0, 6.0])
def test_many_rows(spread_of):
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-spread_of * rng.normal(size=20_000)))
    p, right = p.astype(np.float32), rng.random(20_000) < p**1.5
    got = eqm.AdaptiveCalibrationError(eqm.Binary())(probabilities=p, labels=right)
    want = expected(p.astype(np.float64), right, np.ones(len(p)), 15)
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_by_hand():
    p = jnp.array([0.5, 0.75, 0.875, 1.0])
    error = eqm.AdaptiveCalibrationError(eqm.Binary(), bins=2)
    value = error(probabilities=p, labels=jnp.array([0, 1, 1, 1]))
    assert value == (abs(1 - 1.25) / 2 + abs(2 - 1.875) / 2) / 2
    # one row covers both bins
    assert error(probabilities=p[:1], labels=jnp.array([1])) == 0.5
    scores = jnp.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    rows = dict(probabilities=scores, labels=jnp.array([0, 2]))
    task = eqm.Multiclass(3, ignore_index=1)
    assert eqm.AdaptiveCalibrationError(task, bins=1)(**rows) == 0  # one of two is right
    each = eqm.AdaptiveCalibrationError(task, bins=2, per_class=True, average=None)(**rows)
    assert each[0] == (0.25 + 0.5) / 2 and each[2] == 0.25 and jnp.isnan(each[1])
    cells = eqm.ConfidenceHistogram(eqm.Multilabel(2), resolution=9)
    sums = cells(logits=jnp.array([[50.0, -200.0]]), labels=jnp.array([[1, 0]]))
    assert sums["weight"][1, 0] == 1 and sums["weight"][0, 256:].sum() == 1
    assert sums["confidence"].sum(-1).tolist() == [1, 0] and sums["right"][0].sum() == 1


def test_undefined():
    assert jnp.isnan(eqm.AdaptiveCalibrationError(eqm.Binary()).compute())
    assert eqm.AdaptiveCalibrationError(eqm.Binary(), undefined=0.0).compute() == 0
    wrongs: list[dict[str, Any]] = [{"norm": "l3"}, {"bins": 0}, {"resolution": 3}]
    for wrong in [*wrongs, {"per_class": True}]:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            eqm.AdaptiveCalibrationError(eqm.Binary(), **wrong)
