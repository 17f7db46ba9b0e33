"""`Moments` beside scipy in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import kurtosis, sem, skew

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_float64s(way, batch, place):
    batch["values"] = batch.pop("targets")
    del batch["predictions"]
    batch = moved(batch, *place)
    x, w = real_rows(batch, "values")
    got = way(eqm.Moments(ddof=0), batch).compute()
    if x.size == 0:
        assert all(np.isnan(v) for v in got.values())
        return
    mean = np.average(x, weights=w)
    m2, m3, m4 = (np.average((x - mean) ** k, weights=w) for k in (2, 3, 4))
    agree(got["mean"], mean, rtol=1e-6, atol=1e-6 * place[0])
    agree(got["variance"], m2 if np.ptp(x) else 0, rtol=1e-5, atol=1e-7 * place[0] ** 2)
    constant = np.ptp(x) == 0
    # of what the powers of the deviations are compared with
    agree(got["skewness"], np.nan if constant else m3 / m2**1.5, rtol=1e-4, atol=1e-4)
    agree(got["kurtosis"], np.nan if constant else m4 / m2**2 - 3, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("place", [(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0), (1e-20, 0)])
def test_scipys(rows, place):
    x = np.random.default_rng(0).gamma(2.0, size=2000) * place[0] + place[1]
    x = x.astype(np.float32)
    want = x.astype(np.float64)
    for way in (fold, spread):
        got = way(eqm.Moments(), {"values": x.reshape(-1, rows)}).compute()
        agree(got["mean"], want.mean(), rtol=1e-6)
        lost = place[0] < 1e-15  # it leaves the range of float32
        agree(got["variance"], np.nan if lost else want.var(ddof=1), rtol=1e-5)
        agree(got["standard_error"], sem(want), rtol=1e-5)
        agree(got["skewness"], skew(want), rtol=1e-5)
        agree(got["kurtosis"], kurtosis(want), rtol=1e-5)


def test_by_hand():
    x = jnp.array([1.0, 1.0, 4.0])
    got = eqm.Moments()(x)
    assert got["mean"] == 2.0 and got["variance"] == 3.0 and got["standard_error"] == 1.0
    agree(got["skewness"], np.sqrt(0.5))
    agree(got["kurtosis"], -1.5)
    two = eqm.Moments().update(x[:1], weights=jnp.array([2])).merge(eqm.Moments().update(x[2:]))
    for name, value in two.compute().items():
        agree(value, got[name])


def test_undefined_and_invalid():
    assert all(jnp.isnan(v) for v in eqm.Moments().compute().values())
    one = eqm.Moments()(jnp.ones(1))
    assert one["mean"] == 1.0 and jnp.isnan(one["variance"]) and jnp.isnan(one["skewness"])
    constant = eqm.Moments(undefined=0.0)(jnp.full(7, 0.1), weights=jnp.full(7, 0.3))
    assert constant["kurtosis"] == 0.0 and constant["variance"] == 0.0
    assert jnp.isnan(eqm.Moments()(jnp.array([jnp.inf, 1.0]))["variance"])
    with pytest.raises(eqm.InvalidDataError, match="Moments: 1 invalid row"):
        eqm.Moments().update(jnp.ones(1), weights=jnp.array([-1.0])).check()
