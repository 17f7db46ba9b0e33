"""The scores of optical flow beside their definitions in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, pixels, ROWS, STEPS


def draw(rng):
    """Whole numbers, whose lengths aren't beside a threshold by rounding."""
    shape = (STEPS, ROWS, 5, 4, 2)
    targets = rng.integers(-90, 91, shape)
    return {"predictions": targets + rng.integers(-6, 7, shape), "targets": targets}


@few
@given(seed=seeds)
def test_end_point_error(seed):
    def entries(arrays, mask):
        p, t = pixels(arrays, mask)
        return np.sqrt(np.sum((p - t) ** 2, axis=-1))

    check(seed, lambda per: eqm.image.EndPointError(per=per), entries, draw=draw, mask=(5, 4))


@few
@given(seed=seeds)
def test_outliers(seed):
    def entries(arrays, mask):
        p, t = pixels(arrays, mask)
        squares = np.sum((p - t) ** 2, axis=-1)
        return ((squares > 9) & (400 * squares > np.sum(t**2, axis=-1))).astype(float)

    check(seed, lambda per: eqm.image.FlowOutliers(per=per), entries, draw=draw, mask=(5, 4))


def test_by_hand():
    t = jnp.array([[[[0.0, 0.0], [100.0, 0.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    p = t + jnp.array([[[[3.0, 4.0], [3.0, 4.0]]], [[[0.0, 0.0], [9.0, 9.0]]]])
    mask = jnp.array([[[True, True]], [[True, False]]])
    read = lambda metric: metric(predictions=p, targets=t, mask=mask)
    assert read(eqm.image.EndPointError()) == 2.5
    assert abs(read(eqm.image.EndPointError(per="pooled")) - 10 / 3) < 1e-6
    assert read(eqm.image.FlowOutliers()) == 0.25  # 5 of 100 isn't above 5 %
    assert read(eqm.image.FlowOutliers(share=0.04, per="pooled")) == pytest.approx(2 / 3)
    assert read(eqm.image.FlowOutliers(pixels=5.0)) == 0
    first = eqm.image.EndPointError(eqm.image.Image(channel_axis=-3))
    moved = {k: jnp.moveaxis(x, -1, -3) for k, x in {"predictions": p, "targets": t}.items()}
    assert first(**moved, mask=mask) == 2.5


def test_undefined_and_refused():
    x = jnp.ones((2, 4, 4, 3))
    for metric in (eqm.image.EndPointError(), eqm.image.FlowOutliers()):
        assert jnp.isnan(metric.compute())
        nan = x[..., :2].at[0, 0].set(jnp.nan)
        assert jnp.isnan(metric(predictions=nan, targets=x[..., :2]))
        with pytest.raises(TypeError, match="3 channels in the axis -1, expected 2"):
            metric.update(predictions=x, targets=x)
    with pytest.raises(ValueError, match="a flow has an axis of two channels"):
        eqm.image.EndPointError(eqm.image.Image(channel_axis=None))
    with pytest.raises(ValueError, match="pixels=-1.0"):
        eqm.image.FlowOutliers(pixels=-1.0)
