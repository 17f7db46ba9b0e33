"""Errors of logarithms beside scikit-learn, and `LogCosh` beside its formula in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import mean_squared_log_error, root_mean_squared_log_error

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


def log_cosh(t, p, sample_weight):
    x = np.abs(p - t)
    with np.errstate(over="ignore"):
        small = np.log1p(2 * np.sinh(x / 2) ** 2)
    return np.average(
        np.where(x < 1, small, x + np.log1p(np.exp(-2 * x)) - np.log(2)), weights=sample_weight
    )


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize(
    "metric, oracle, low",
    [
        (eqm.MeanSquaredLogError(), mean_squared_log_error, 0),
        (eqm.RootMeanSquaredLogError(), root_mean_squared_log_error, 0),
        (eqm.LogCosh(), log_cosh, -2),
    ],
)
@many
@given(data=st.data(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_float64s(way, metric, oracle, low, data, place):
    batch = moved(data.draw(pairs(low)), *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    got = way(metric, batch).compute()
    want = oracle(t, p, sample_weight=w) if w.size else np.nan
    square = want**2 if oracle is root_mean_squared_log_error else want
    if 0 < square < 2.0**-99:  # where squares leave the range of float32
        assert np.isnan(got) or np.isclose(got, want, 1e-5, 0)
    else:
        agree(got, want)


def test_by_hand():
    p, t = jnp.expm1(jnp.array([1.0, 3.0])), jnp.zeros(2)
    agree(eqm.MeanSquaredLogError()(predictions=p, targets=t), 5.0)
    agree(eqm.RootMeanSquaredLogError()(predictions=p, targets=t), np.sqrt(5.0))
    agree(eqm.LogCosh()(predictions=jnp.array([100.0]), targets=t[:1]), 100 - np.log(2))
    agree(eqm.LogCosh()(predictions=jnp.array([1e-3]), targets=t[:1]), 5e-7)
    assert jnp.isnan(eqm.LogCosh()(predictions=jnp.array([1e-20]), targets=t[:1]))


def test_undefined_and_invalid():
    for cls in (eqm.MeanSquaredLogError, eqm.RootMeanSquaredLogError, eqm.LogCosh):
        assert jnp.isnan(cls().compute()) and cls(undefined=0.0).compute() == 0.0
    for cls in (eqm.MeanSquaredLogError, eqm.RootMeanSquaredLogError):
        seen = cls().update(
            predictions=jnp.array([-1.0, 1.0, 1.0]), targets=jnp.array([1, -2, 1.0])
        )
        assert jnp.isnan(seen.compute())
        with pytest.raises(eqm.InvalidDataError, match="2 invalid row.*predictions > -1"):
            seen.check()
        hidden = jnp.array([False, False, True])
        assert (
            cls()(predictions=jnp.array([-1.0, 1, 1]), targets=jnp.array([1, -2, 1.0]), mask=hidden)
            == 0
        )
        assert jnp.isnan(cls()(predictions=jnp.array([jnp.nan]), targets=jnp.ones(1)))
