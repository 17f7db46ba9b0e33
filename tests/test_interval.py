"""Scores of intervals beside their formulas in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_float64s(way, batch, place):
    center = batch.pop("predictions")
    batch |= {"lower": center - 0.5, "upper": center + 0.25}
    batch = moved(batch, *place)
    low, high, t, w = real_rows(batch, "lower", "upper", "targets")
    got = way(eqm.MetricDict(c=eqm.IntervalCoverage(), w=eqm.WinklerScore(0.2)), batch).compute()
    if w.size == 0:
        assert np.isnan(got["c"]) and np.isnan(got["w"])
        return
    agree(got["c"], np.average((low <= t) & (t <= high), weights=w))
    score = high - low + 2 / 0.2 * np.where(t < low, low - t, np.where(t > high, t - high, 0))
    agree(got["w"], np.average(score, weights=w))


def test_by_hand():
    low, high = jnp.array([[0.0, 0.0]]), jnp.array([[1.0, 2.0]])
    t = jnp.array([[1.0, 2.5]])
    coverage = eqm.IntervalCoverage(outputs=2, multioutput="raw_values")
    assert coverage(lower=low, upper=high, targets=t).tolist() == [1.0, 0.0]
    winkler = eqm.WinklerScore(0.5, outputs=2, multioutput="raw_values")
    assert winkler(lower=low, upper=high, targets=t).tolist() == [1.0, 4.0]


def test_undefined_and_invalid():
    one, two = jnp.ones(2), jnp.array([0.0, 2.0])
    for metric in (eqm.IntervalCoverage(), eqm.WinklerScore(0.1)):
        assert jnp.isnan(metric.compute())
        with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*lower <= upper"):
            metric.update(lower=one, upper=two, targets=one).check()
        with pytest.raises(TypeError, match=r"`lower` is float32\[2\] and `targets` is .*\[1\]"):
            metric.update(lower=one, upper=one, targets=one[:1])
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
        nan = jnp.array([jnp.nan, 1.0])
        eqm.IntervalCoverage().update(lower=one, upper=one, targets=nan).check()
    with pytest.raises(ValueError, match="alpha=0"):
        eqm.WinklerScore(0)
