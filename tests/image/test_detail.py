"""`eqm.image.SpatialCorrelation` and `eqm.image.TotalVariation` beside their definitions in
float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import convolve

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, check_images, noisy, PICTURE


GREY = eqm.image.Image(channel_axis=None)
LAPLACE = np.array([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]])


@few
@given(seed=seeds)
def test_spatial_correlation(seed):
    def entries(arrays, mask):
        mask = np.broadcast_to(mask, arrays["predictions"].shape[:2])
        found = []
        for c in range(2):
            both = [np.where(mask, x[..., c], 0) for x in arrays.values()]
            windows = [
                sliding_window_view(convolve(x, LAPLACE)[1:-1, 1:-1], (5, 5)).reshape(-1, 25)
                for x in both
            ]
            keep = sliding_window_view(mask, (7, 7)).all(axis=(2, 3)).ravel()
            pairs = zip(*(x[keep] for x in windows), strict=True)
            found += [np.corrcoef(a, b)[0, 1] for a, b in pairs]
        return np.array(found)

    make = lambda per: eqm.image.SpatialCorrelation(per=per, window=5)
    check(seed, make, entries, rtol=0, atol=2e-6)


@few
@given(seed=seeds)
def test_total_variation(seed):
    def value(arrays, mask):
        x = arrays["predictions"]
        mask = np.broadcast_to(mask, x.shape[:2])
        gaps = [np.abs(np.diff(np.where(mask[..., None], x, np.nan), axis=i)) for i in (0, 1)]
        return sum(np.nansum(g) for g in gaps) if mask.any() else np.nan

    draw = lambda rng: {"predictions": noisy(rng, PICTURE)["predictions"]}
    check_images(seed, eqm.image.TotalVariation(), value, draw=draw)


def test_by_hand():
    variation = eqm.image.TotalVariation(GREY)
    x = jnp.array([[[0.0, 1.0], [2.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert variation(predictions=x[:1]) == 8
    mask = jnp.array([[[True, True], [True, False]]])
    assert variation(predictions=x[:1], mask=mask) == 3
    assert variation(predictions=x) == 4
    slope = jax.grad(lambda x: variation(predictions=x))(x[:1])
    assert slope[0].tolist() == [[-2.0, 0.0], [0.0, 2.0]]
    assert not jax.grad(lambda x: variation(predictions=x))(x[1:]).any()


def test_correlations_by_hand():
    metric = eqm.image.SpatialCorrelation(GREY, window=3)
    read = jax.jit(jax.value_and_grad(lambda p, t: metric(predictions=p, targets=t)))
    correlation = lambda p, t: read(p, t)[0]
    x = jnp.asarray(np.random.default_rng(0).random((1, 16, 32)), jnp.float32)
    flat = jnp.full((1, 16, 32), 0.3)
    half = jnp.concatenate([x[..., :16], flat[..., 16:]], axis=2)
    assert abs(correlation(x, x) - 1) < 1e-6
    assert abs(correlation(5 - 3 * x, x) + 1) < 1e-5
    assert correlation(flat, x) == 0  # nothing of it was found
    assert jnp.isnan(correlation(flat, flat + 0.1))
    assert abs(correlation(half, half) - 1) < 1e-6
    value, slope = read(half, x)
    assert 0.4 < value < 0.6 and jnp.isfinite(slope).all()


def test_undefined_and_refused():
    x = jnp.ones((2, 9, 9))
    for metric in (eqm.image.TotalVariation(GREY), eqm.image.SpatialCorrelation(GREY)):
        assert jnp.isnan(metric.compute())
    assert jnp.isnan(eqm.image.TotalVariation(GREY)(predictions=x, mask=x < 0))
    assert eqm.image.TotalVariation(GREY, undefined=0.0).compute() == 0
    with pytest.raises(TypeError, match="expected at least 10 of both, for the window of 8 and"):
        eqm.image.SpatialCorrelation(GREY).update(predictions=x, targets=x)
    with pytest.raises(ValueError, match="window=1"):
        eqm.image.SpatialCorrelation(window=1)
