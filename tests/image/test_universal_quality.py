"""`eqm.image.UniversalQuality` beside scikit-image's SSIM without constants, and by hand."""

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
from .oracle import check


GREY = eqm.image.Image(channel_axis=None)
KINDS = {7: ({"win_size": 7}, {"window": 7}),
         11: ({"gaussian_weights": True}, {"window": 11, "sigma": 1.5})}  # fmt: skip


def windows_of(p, t, mask, side, **options):
    mask = np.broadcast_to(mask, p.shape[:2])
    p, t = (np.where(mask[..., None], x, 0) for x in (p, t))
    with np.errstate(invalid="ignore", divide="ignore"):  # of windows that are left out
        whole: Any = structural_similarity(
            p, t, data_range=1.0, channel_axis=-1, full=True, K1=0, K2=0,
            use_sample_covariance=False, **options,
        )  # fmt: skip
    keep = sliding_window_view(mask, (side, side)).all(axis=(2, 3))
    return whole[1][side // 2 : -(side // 2), side // 2 : -(side // 2)][keep]


@pytest.mark.parametrize("side", KINDS)
@few
@given(seed=seeds)
def test_scikit_image_agrees(side, seed):
    theirs, ours = KINDS[side]

    def entries(arrays, mask):
        return windows_of(arrays["predictions"], arrays["targets"], mask, side, **theirs)

    make = lambda per: eqm.image.UniversalQuality(per=per, **ours)
    check(seed, make, entries, rtol=0, atol=2e-6)


def test_by_hand():
    quality = eqm.image.UniversalQuality(GREY)
    x = jnp.asarray(np.random.default_rng(0).random((1, 8, 8)), jnp.float32)
    assert quality(predictions=x, targets=x) == 1
    assert abs(quality(predictions=2 * x, targets=x) - 0.8**2) < 1e-6
    turned = quality(predictions=2 * jnp.mean(x) - x, targets=x)
    assert abs(turned + 1) < 1e-5  # the mean is that of x, the details are turned round


def test_flat_windows():
    metric = eqm.image.UniversalQuality(GREY, window=2)
    quality = jax.jit(jax.value_and_grad(lambda p, t: metric(predictions=p, targets=t)))
    flat = jnp.full((1, 4, 4), 0.3)
    noisy = flat + jnp.asarray(np.random.default_rng(0).random((1, 4, 4)), jnp.float32)
    for p, t, want in (
        (flat, flat, 1), (2 * flat, flat, 0.8), (flat, 0 * flat, 0), (0 * flat, 0 * flat, 1),
        (flat, noisy, 0),
    ):  # fmt: skip
        value, slope = quality(p, t)
        assert abs(value - want) < 1e-6 and jnp.isfinite(slope).all()


def test_noise_at_a_bright_place_keeps_its_digits():
    rng = np.random.default_rng(0)
    bright = np.where(np.arange(32)[:, None] < 16, 250, 1)
    t = (bright + 0.05 * rng.normal(size=(32, 32))).astype(np.float32)
    p = (t + 0.05 * rng.normal(size=t.shape)).astype(np.float32)
    a, b = (sliding_window_view(x.astype(float), (8, 8)).reshape(-1, 64) for x in (p, t))
    cov = np.mean((a - a.mean(1, keepdims=True)) * (b - b.mean(1, keepdims=True)), axis=1)
    light = 2 * a.mean(1) * b.mean(1) / (a.mean(1) ** 2 + b.mean(1) ** 2)
    want = np.mean(light * 2 * cov / (a.var(1) + b.var(1)))
    got = eqm.image.UniversalQuality(GREY)(predictions=p[None], targets=t[None])
    assert 0.6 < want < 0.9 and abs(got - want) < 1e-5


def test_undefined_and_refused():
    quality = eqm.image.UniversalQuality(GREY)
    x = jnp.ones((1, 8, 8))
    assert jnp.isnan(quality.compute())
    mask = jnp.ones((1, 8, 8), bool).at[0, 3, 3].set(False)
    assert jnp.isnan(quality(predictions=x, targets=x, mask=mask))
    assert eqm.image.UniversalQuality(GREY, undefined=0.0).compute() == 0
    assert jnp.isnan(quality(predictions=x.at[0, 0, 0].set(jnp.nan), targets=x))
    with pytest.raises(TypeError, match="height 7 and width 8, expected at least 8 of both"):
        quality.update(predictions=x[:, :7], targets=x[:, :7])
    with pytest.raises(ValueError, match="window=1"):
        eqm.image.UniversalQuality(window=1)
    with pytest.raises(ValueError, match="sigma=-1.0"):
        eqm.image.UniversalQuality(sigma=-1.0)
