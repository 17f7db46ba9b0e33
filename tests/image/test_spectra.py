"""The scores of spectra beside their definitions in float64, which sewar has too, and by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, check_images, noisy, pixels, ROWS, STEPS


SHAPE = 5, 4, 3


def with_black(rng):
    """Some pixels have no spectrum."""
    batch = noisy(rng, SHAPE)
    for x in batch.values():
        x[rng.random(x.shape[:-1]) < 0.2] = 0
    return batch


@few
@given(seed=seeds)
def test_spectral_angle(seed):
    def entries(arrays, mask):
        p, t = pixels(arrays, mask)
        sizes = np.linalg.norm(p, axis=-1) * np.linalg.norm(t, axis=-1)
        dots = np.sum(p * t, axis=-1)[sizes > 0] / sizes[sizes > 0]
        return np.arccos(np.clip(dots, -1, 1))

    make = lambda per: eqm.image.SpectralAngle(per=per)
    check(seed, make, entries, draw=with_black, mask=SHAPE[:2])


def bright(rng):
    batch = noisy(rng, SHAPE)
    far = np.where(rng.random((STEPS, ROWS, 1, 1, 1)) < 0.5, 100, 0)
    return {k: x + far for k, x in batch.items()}


# Of eqm.image.ERGAS and eqm.image.RASE: the value of an image from the mean squared errors and
# the means of its channels.
CASES = {
    "ERGAS": lambda squares, means: 25 * np.sqrt(np.mean(squares / means**2)),
    "RASE": lambda squares, means: 100 / means.mean() * np.sqrt(np.mean(squares)),
}


@pytest.mark.parametrize("name", CASES)
@few
@given(seed=seeds)
def test_relative_errors(name, seed):
    def value(arrays, mask):
        p, t = pixels(arrays, mask)
        return CASES[name](np.mean((p - t) ** 2, 0), t.mean(0)) if p.size else math.nan

    metric = getattr(eqm.image, name)()
    check_images(seed, metric, value, draw=bright, mask=SHAPE[:2], rtol=2e-5)


def test_by_hand():
    angle = eqm.image.SpectralAngle()
    t = jnp.array([[[[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]], [[[1.0, 0.0]] * 3]])
    p = jnp.array([[[[0.0, 2.0], [3.0, 3.0], [1.0, 0.0]]], [[[-5.0, 0.0]] * 3]])
    assert abs(angle(predictions=p, targets=t) - (np.pi / 4 + np.pi) / 2) < 1e-6
    pooled = eqm.image.SpectralAngle(per="pooled")
    assert abs(pooled(predictions=p, targets=t) - 3.5 * np.pi / 5) < 1e-6
    half = jnp.full((1, 4, 4, 2), 0.5).at[..., 1].set(2.0)
    more = half.at[..., 0].add(0.05).at[..., 1].add(0.4)
    assert abs(eqm.image.ERGAS()(predictions=more, targets=half) - 25 * np.sqrt(0.025)) < 1e-5
    assert abs(eqm.image.ERGAS(ratio=2)(predictions=half * 1.1, targets=half) - 5) < 1e-5
    want = 100 / 1.25 * np.sqrt((0.05**2 + 0.4**2) / 2)
    assert abs(eqm.image.RASE()(predictions=more, targets=half) - want) < 1e-4


def test_small_angles_and_slopes():
    t = jnp.array([[[[1.0, 2.0, 3.0]]]])
    angle = eqm.image.SpectralAngle()
    for size in (1e-3, 1e-5, 1e-6):
        p = t + size * jnp.array([[[[1.0, 1.0, -1.0]]]])  # at a right angle
        want = np.arctan(np.linalg.norm(np.float64(p - t)) / np.sqrt(14))
        assert abs(angle(predictions=p, targets=t) / want - 1) < 0.1
    assert angle(predictions=2 * t, targets=t) == 0
    for p in (t, -t, 0 * t):
        slope = jax.grad(lambda p: angle(predictions=p, targets=t))(p)
        assert jnp.isfinite(slope).all()
    for metric in (eqm.image.ERGAS(), eqm.image.RASE()):
        assert not jax.grad(lambda p: metric(predictions=p, targets=t))(t).any()
    p = t.at[0, 0, 0, 1].set(jnp.nan)
    assert jnp.isnan(angle(predictions=p, targets=t))


def test_undefined_and_refused():
    zero, one = jnp.zeros((2, 4, 4, 2)), jnp.ones((2, 4, 4, 2))
    for metric in (eqm.image.SpectralAngle(), eqm.image.ERGAS(), eqm.image.RASE()):
        assert jnp.isnan(metric.compute())
        assert jnp.isnan(metric(predictions=one, targets=zero))
        some = metric(predictions=one, targets=zero.at[1].set(one[1]))
        assert some == 0  # an image without a value is left out
    for name in ("ERGAS", "RASE", "SpectralAngle"):
        assert getattr(eqm.image, name)(undefined=1.0).compute() == 1
    with pytest.raises(ValueError, match="`SpectralAngle` is of spectra"):
        eqm.image.SpectralAngle(eqm.image.Image(channel_axis=None))
    with pytest.raises(ValueError, match="ratio=0"):
        eqm.image.ERGAS(ratio=0)
