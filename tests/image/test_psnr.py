"""`eqm.image.PSNR` beside its definition in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from skimage.metrics import peak_signal_noise_ratio

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check, noisy, PICTURE, pixels


UNIT = eqm.image.Image(data_range=1.0)


def squares(arrays, mask):
    p, t = pixels(arrays, mask)
    return (p - t) ** 2


@pytest.mark.parametrize("size", [1.0, 255.0])
@few
@given(seed=seeds)
def test_float64_agrees(size, seed):
    image = eqm.image.Image(size)
    check(
        seed,
        lambda per: eqm.image.PSNR(image, per=per),
        squares,
        lambda mean: -10 * np.log10(mean / size**2),
    )


@few
@given(seed=seeds)
def test_floor(seed):
    decibels = lambda mean: -10 * np.log10(max(mean, 1e-3))
    check(seed, lambda per: eqm.image.PSNR(UNIT, per=per, floor=1e-3), squares, decibels)


@few
@given(seed=seeds)
def test_scikit_image_agrees(seed):
    batch = noisy(np.random.default_rng(seed), PICTURE)
    p, t = ((255 * np.clip(x[0], 0, 1)).astype(np.uint8) for x in batch.values())
    each = [peak_signal_noise_ratio(y, x, data_range=255) for x, y in zip(p, t, strict=True)]
    got = eqm.image.PSNR(eqm.image.Image(255))(predictions=p, targets=t)
    np.testing.assert_allclose(got, np.mean(each), rtol=1e-6)


def test_by_hand():
    t = np.zeros((2, 4, 4, 1), np.float32)
    p = t + np.array([0.1, 0.01], np.float32).reshape(2, 1, 1, 1)
    assert abs(eqm.image.PSNR(UNIT)(predictions=p[:1], targets=t[:1]) - 20) < 1e-5
    assert abs(eqm.image.PSNR(UNIT)(predictions=p, targets=t) - 30) < 1e-5
    pooled = eqm.image.PSNR(UNIT, per="pooled")(predictions=p, targets=t)
    assert abs(pooled - -10 * np.log10(0.00505)) < 1e-5


def test_equal_images_are_infinite_unless_there_is_a_floor():
    x = jnp.ones((2, 4, 4, 1))
    y = x.at[0].add(0.1)
    for per in ("row", "pooled"):
        assert eqm.image.PSNR(UNIT, per=per)(predictions=x, targets=x) == jnp.inf
        capped = eqm.image.PSNR(UNIT, per=per, floor=1e-10)
        assert abs(capped(predictions=x, targets=x) - 100) < 1e-4
    assert eqm.image.PSNR(UNIT)(predictions=y, targets=x) == jnp.inf
    assert abs(eqm.image.PSNR(UNIT, floor=1e-10)(predictions=y, targets=x) - 60) < 1e-4
    slope = jax.grad(lambda p: eqm.image.PSNR(UNIT)(predictions=p, targets=x))(x)
    assert not slope.any()


def test_a_masked_pixel_has_no_gradient():
    x = jnp.ones((1, 4, 4, 1)).at[0, 0, 0].set(jnp.nan)
    mask = ~jnp.isnan(x[..., 0])
    psnr = eqm.image.PSNR(UNIT, per="pooled")
    slope = jax.grad(lambda p: psnr(predictions=p, targets=x * 0.5, mask=mask))(x)
    assert jnp.isfinite(slope).all() and slope[0, 0, 0, 0] == 0 != slope[0, 1, 1, 0]


def test_undefined_and_nan():
    x = jnp.ones((2, 4, 4, 1))
    psnr = eqm.image.PSNR(UNIT)
    assert jnp.isnan(psnr.compute())
    assert eqm.image.PSNR(UNIT, undefined=0.0).compute() == 0
    assert jnp.isnan(psnr(predictions=x, targets=x, mask=jnp.zeros((2, 4, 4), bool)))
    assert jnp.isnan(psnr(predictions=x.at[0, 0].set(jnp.nan), targets=x))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: eqm.image.PSNR(eqm.image.Image()), r"`data_range`.*Image\(data_range=1.0\)"),
        (lambda: eqm.image.PSNR(UNIT, per="image"), "`per` is 'image', expected 'row'"),  # pyright: ignore[reportArgumentType]
        (lambda: eqm.image.PSNR(UNIT, floor=-1.0), "floor=-1.0"),
    ],
)
def test_what_it_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()
