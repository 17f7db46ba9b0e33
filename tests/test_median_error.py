"""`MedianAbsoluteError` beside scikit-learn: the bounds hold its value."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import median_absolute_error

import eqmetrics as eqm

from .oracle import fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(
    batch=pairs(weighted=False),
    place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]),
)
def test_the_bounds_hold_scikit_learns(way, batch, place):
    batch = moved(batch, *place)
    p, t, _ = real_rows(batch, "predictions", "targets")
    metric = way(eqm.MedianAbsoluteError(), batch)
    low, high = (float(x) for x in metric.bounds())
    if p.size == 0:
        assert np.isnan(low) and np.isnan(high)
        return
    want = median_absolute_error(t, p)
    assert low * (1 - 2e-7) <= want <= high * (1 + 2e-7)
    assert abs(float(metric.compute()) - want) <= 1e-4 * np.ptp(np.abs(p - t)) + 2e-7 * want


def test_by_hand():
    p, t = jnp.array([[1.0, 5.0], [2.0, 100.0]]), jnp.zeros((2, 2))
    row = jnp.array([True, False])
    assert abs(eqm.MedianAbsoluteError()(predictions=p, targets=t) - 3.5) < 0.01
    assert abs(eqm.MedianAbsoluteError()(predictions=p, targets=t, mask=row) - 3.0) < 0.01


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.MedianAbsoluteError().compute())
    assert eqm.MedianAbsoluteError(undefined=0.0).compute() == 0.0
    one = jnp.ones(2)
    with pytest.raises(eqm.InvalidDataError, match="MedianAbsoluteError.*1 invalid row"):
        nan = jnp.array([jnp.nan, 1.0])
        eqm.MedianAbsoluteError().update(predictions=one, targets=nan).check()
    with pytest.raises(TypeError, match=r"`predictions` is .*\[2\] and `targets` is .*\[2, 1\]"):
        eqm.MedianAbsoluteError().update(predictions=one, targets=one[:, None])
