"""`eqm.image.SSIM` and `eqm.image.MultiScaleSSIM` beside scikit-image."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from numpy.lib.stride_tricks import sliding_window_view
from skimage.metrics import structural_similarity

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import batch_of, check, images, noisy, PICTURE


UNIT = eqm.image.Image(data_range=1.0)


def windows_of(p, t, mask, size=1.0, **options):
    """scikit-image's value of each window that has all its pixels, channel by channel."""
    mask = np.broadcast_to(mask, p.shape[:2])
    p, t = (np.where(mask[..., None], x, 0) for x in (p, t))
    whole: Any = structural_similarity(
        p, t, data_range=size, channel_axis=-1, gaussian_weights=True, full=True,
        use_sample_covariance=False, **options,
    )  # fmt: skip
    keep = sliding_window_view(mask, (11, 11)).all(axis=(2, 3))
    return whole[1][5:-5, 5:-5][keep]


@pytest.mark.parametrize("size", [1.0, 255.0])
@few
@given(seed=seeds)
def test_scikit_image_agrees(size, seed):
    def draw(rng):
        return {k: x * np.float32(size) for k, x in noisy(rng, PICTURE).items()}

    def entries(arrays, mask):
        return windows_of(arrays["predictions"], arrays["targets"], mask, size)

    make = lambda per: eqm.image.SSIM(eqm.image.Image(size), per=per)
    check(seed, make, entries, draw=draw, rtol=0, atol=1e-6)


def scales_of(p, t, mask, weights):
    """The mean at each scale: of contrast, for which a huge `K1` makes luminance 1, and of
    the whole at the last."""
    mask = np.broadcast_to(mask, p.shape[:2])
    p, t = (np.where(mask[..., None], x, 0) for x in (p, t))
    found = []
    for i in range(len(weights)):
        last = i == len(weights) - 1
        found.append(windows_of(p, t, mask, **({} if last else {"K1": 1e7})))
        half = lambda x: x[: len(x) // 2 * 2, : x.shape[1] // 2 * 2].reshape(
            len(x) // 2, 2, x.shape[1] // 2, 2, *x.shape[2:]
        )
        p, t, mask = half(p).mean((1, 3)), half(t).mean((1, 3)), half(mask).all((1, 3))
    return found


@pytest.mark.parametrize("per", ["row", "pooled"])
def test_scales_of_scikit_image_agree(per):
    weights = (0.3, 0.7)
    metric = eqm.image.MultiScaleSSIM(UNIT, per=per, weights=weights)
    read = jax.jit(lambda batch: metric.update(**batch).compute())

    @few
    @given(seed=seeds)
    def compare(seed):
        batch = batch_of(seed, lambda rng: noisy(rng, (23, 24, 2)), (23, 24))
        # at most a few pixels, or no window is whole
        batch["mask"] = batch["mask"] | (np.random.default_rng(seed).random((23, 24)) < 0.97)
        for name in ("predictions", "targets"):
            batch[name] = np.nan_to_num(batch[name], nan=0.5)
        found = [
            (scales_of(x["predictions"], x["targets"], mask, weights), w)
            for x, mask, w in images(batch)
        ]
        power = lambda means: np.prod(np.maximum(means, 0) ** np.array(weights))
        if per == "row":
            some = [(each, w) for each, w in found if all(map(len, each))]
            rows = [(power([x.mean() for x in each]), w) for each, w in some]
            want = sum(x * w for x, w in rows) / sum(w for _, w in rows) if rows else np.nan
        else:
            sums = [sum(w * each[i].sum() for each, w in found) for i in range(2)]
            counts = [sum(w * each[i].size for each, w in found) for i in range(2)]
            want = power(np.array(sums) / counts) if all(counts) else np.nan
        np.testing.assert_allclose(read(batch), want, rtol=0, atol=1e-6)

    compare()


def test_the_scales_of_the_paper():
    rng = np.random.default_rng(0)
    t = rng.random((1, 177, 180, 1)).astype(np.float32)
    p = np.clip(t + 0.2 * rng.normal(size=t.shape), 0, 1).astype(np.float32)
    powers = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
    each = scales_of(p[0].astype(float), t[0].astype(float), True, powers)
    want = np.prod([x.mean() for x in each] ** powers)
    got = eqm.image.MultiScaleSSIM(UNIT)(predictions=p, targets=t)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)


def test_a_bright_flat_picture():
    rng = np.random.default_rng(0)
    t = 250 + 0.05 * rng.normal(size=(1, 64, 64, 1))
    p, t = (x.astype(np.float32) for x in (t + 0.05 * rng.normal(size=t.shape), t))
    want = windows_of(p[0].astype(float), t[0].astype(float), True).mean()
    got = eqm.image.SSIM(UNIT)(predictions=p, targets=t)
    assert 0.6 < want < 0.8 and abs(got - want) < 1e-4
    half = eqm.image.MultiScaleSSIM(UNIT, weights=(0.5, 0.5))(predictions=p, targets=t)
    each = scales_of(p[0].astype(float), t[0].astype(float), True, (0.5, 0.5))
    assert abs(half - np.prod([x.mean() ** 0.5 for x in each])) < 1e-4


def test_by_hand():
    black, white = jnp.zeros((1, 11, 11, 1)), jnp.ones((1, 11, 11, 1))
    ssim = eqm.image.SSIM(UNIT)
    assert abs(ssim(predictions=black, targets=white) - 1e-4 / 1.0001) < 1e-7
    assert ssim(predictions=white * 0.3, targets=white * 0.3) == 1
    noise = jnp.asarray(np.random.default_rng(0).random((1, 24, 24, 1)), jnp.float32)
    assert ssim(predictions=noise, targets=noise) == 1
    assert ssim(predictions=1 - noise, targets=noise) < 0
    # a negative mean of contrast counts as 0
    several = eqm.image.MultiScaleSSIM(UNIT, weights=(0.5, 0.5))
    assert several(predictions=1 - noise, targets=noise) == 0
    slope = jax.grad(lambda p: several(predictions=p, targets=noise))(1 - noise)
    assert not slope.any()


@few
@given(seed=seeds)
def test_8_bits(seed):
    rng = np.random.default_rng(seed)
    p, t = rng.integers(0, 256, (2, 2, 13, 12, 2)).astype(np.uint8)
    want = [windows_of(p[i].astype(float), t[i].astype(float), True, 255) for i in range(2)]
    got = eqm.image.SSIM(eqm.image.Image(255))(predictions=p, targets=t)
    assert abs(got - np.mean(want)) < 1e-6


def test_too_small_is_told_when_traced():
    x = jnp.ones((2, 3, 64, 64))
    call = lambda metric, x: jax.eval_shape(lambda x: metric(predictions=x, targets=x), x)
    with pytest.raises(TypeError, match="height 3 and width 64, expected at least 11 .*channel_"):
        call(eqm.image.SSIM(UNIT), x)
    with pytest.raises(TypeError, match="expected at least 176 of both, for the window of 11 at"):
        call(eqm.image.MultiScaleSSIM(UNIT), jnp.ones((1, 175, 180, 3)))
    first = eqm.image.Image(1.0, channel_axis=-3)
    assert call(eqm.image.SSIM(first), x).shape == ()


def test_undefined():
    x, mask = jnp.ones((2, 12, 12, 1)), jnp.ones((2, 12, 12), bool).at[:, 6, 6].set(False)
    ssim = eqm.image.SSIM(UNIT)
    assert jnp.isnan(ssim(predictions=x, targets=x, mask=mask)) and jnp.isnan(ssim.compute())
    assert eqm.image.SSIM(UNIT, undefined=0.0).compute() == 0
    several = eqm.image.MultiScaleSSIM(UNIT, weights=(0.5, 0.5), window=3)
    assert several(predictions=x, targets=x, mask=mask) == 1
    assert jnp.isnan(several.compute())


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: eqm.image.SSIM(eqm.image.Image()), r"`SSIM` needs the `data_range`"),
        (lambda: eqm.image.SSIM(UNIT, window=1), "window=1"),
        (lambda: eqm.image.SSIM(UNIT, sigma=0.0), "sigma=0.0"),
        (lambda: eqm.image.MultiScaleSSIM(UNIT, weights=()), "a power above 0 for each scale"),
    ],
)
def test_what_they_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()
