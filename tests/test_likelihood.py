"""`PoissonNLL` and `GaussianNLL` beside `scipy.stats`."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import norm, poisson

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(1 / 1024), scale=st.sampled_from([1.0, 100.0, 1e6]))
def test_poisson(way, batch, scale):
    batch = moved({k: np.round(v * scale) if k == "targets" else v for k, v in batch.items()})
    batch["predictions"] = batch["predictions"] * np.float32(scale)
    p, t, w = real_rows(batch, "predictions", "targets")
    want = np.average(-poisson.logpmf(t, p), weights=w) if w.size else np.nan
    agree(way(eqm.PoissonNLL(), batch).compute(), want, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_gaussian(way, batch, place):
    batch["scales"] = 0.5 + np.abs(batch["targets"])
    batch = moved(batch, *place)
    if place[1]:
        batch["scales"] = batch["scales"] - np.float32(place[1]) + 0.5
    p, t, s, w = real_rows(batch, "predictions", "targets", "scales")
    want = np.average(-norm.logpdf(t, p, s), weights=w) if w.size else np.nan
    agree(way(eqm.GaussianNLL(), batch).compute(), want, rtol=1e-5, atol=1e-5)


def test_by_hand():
    p, t = jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])
    agree(eqm.PoissonNLL()(predictions=p, targets=t), 1.5)
    assert jnp.isinf(eqm.PoissonNLL()(predictions=jnp.zeros(1), targets=jnp.ones(1)))
    agree(eqm.PoissonNLL()(predictions=jnp.zeros(1), targets=jnp.zeros(1)), 0.0, atol=1e-6)
    raw = eqm.GaussianNLL(outputs=2, multioutput="raw_values")
    got = raw(predictions=p[None], targets=t[None], scales=jnp.array([[1.0, 2.0]]))
    agree(got, [np.log(2 * np.pi) / 2, np.log(2) + 0.5 + np.log(2 * np.pi) / 2])


def test_undefined_and_invalid():
    one = jnp.ones(2)
    for cls in (eqm.PoissonNLL, eqm.GaussianNLL):
        assert jnp.isnan(cls().compute()) and cls(undefined=0.0).compute() == 0.0
    with pytest.raises(eqm.InvalidDataError, match="2 invalid row.*predictions >= 0"):
        p, t = jnp.array([-1.0, 1.0]), jnp.array([1.0, -1.0])
        eqm.PoissonNLL().update(predictions=p, targets=t).check()
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*scales > 0"):
        eqm.GaussianNLL().update(predictions=one, targets=one, scales=jnp.array([0.0, 1])).check()
    with pytest.raises(TypeError, match=r"`predictions` is .*\[2\] and `scales` is .*\[1\]"):
        eqm.GaussianNLL().update(predictions=one, targets=one, scales=jnp.ones(1))
