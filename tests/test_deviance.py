"""`Tweedie` beside scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import mean_tweedie_deviance

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


POWERS = [-1.5, 0, 1, 1.5, 2, 3]


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("power", POWERS)
@many
@given(data=st.data(), scale=st.sampled_from([1.0, 1e-6, 1e6]))
def test_scikit_learns(way, power, data, scale):
    batch = moved(data.draw(pairs(1 / 1024)), scale)
    p, t, w = real_rows(batch, "predictions", "targets")
    want = mean_tweedie_deviance(t, p, sample_weight=w, power=power) if w.size else np.nan
    # scikit-learn's own differences cancel
    loss = 1e-13 * np.max(p ** (2 - power) + t ** (2 - power), initial=0)
    agree(way(eqm.Tweedie(power), batch).compute(), want, rtol=1e-5, atol=loss)


@pytest.mark.parametrize("power", POWERS)
def test_close_numbers_do_not_cancel(power):
    p, t = np.float32(1000.0), np.float32(1000.5)
    d = (np.float64(t) - p) / p
    series = d**2 / 2 - power * d**3 / 6 + power * (power + 1) * d**4 / 24
    got = eqm.Tweedie(power)(predictions=p, targets=t)
    agree(got, 2 * np.float64(p) ** (2 - power) * series, rtol=1e-6)


def test_by_hand():
    p, t = jnp.array([1.0, 2.0]), jnp.array([0.0, 2.0])
    assert eqm.Tweedie()(predictions=p, targets=t) == 0.5
    assert eqm.Tweedie(1)(predictions=p, targets=t) == 1.0
    agree(eqm.Tweedie(2)(predictions=p[:1], targets=t[1:]), 2 * (1 - np.log(2)))
    agree(eqm.Tweedie(-1)(predictions=p[:1], targets=jnp.array([-3.0])), 2 * (1.5 + 1 / 3))


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Tweedie(1).compute()) and eqm.Tweedie(1, undefined=0.0).compute() == 0.0
    p, t = jnp.array([1.0, 0.0, 1.0, 1.0]), jnp.array([1.0, 1.0, -1.0, 0.0])
    for power, count, valid in (
        (-1, 1, "predictions > 0, weights >= 0"),
        (1, 2, "predictions > 0, targets >= 0, weights"),
        (2, 3, "predictions > 0, targets > 0, weights"),
    ):
        seen = eqm.Tweedie(power).update(predictions=p, targets=t)
        assert jnp.isnan(seen.compute())
        with pytest.raises(eqm.InvalidDataError, match=f"{count} invalid row.*{valid}"):
            seen.check()
    eqm.Tweedie().update(predictions=p, targets=t).check()
    for power in (0.5, np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="power="):
            eqm.Tweedie(power)
