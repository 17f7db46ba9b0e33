"""`eqm.audio.SDR` beside fast-bss-eval and mir_eval in float64, and by hand."""

import functools as ft
from typing import Any

import fast_bss_eval.numpy as bss
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from mir_eval.separation import bss_eval_sources
from scipy.signal import lfilter

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import check


def sdr(p, t, taps):
    if not np.any(t):
        return np.nan
    if not np.any(p):
        return -np.inf
    t, p = t / np.abs(t).max(), p / np.abs(p).max()
    return bss.sdr(t[None], p[None], filter_length=taps, load_diag=None)[0]


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    # Of 60 samples some are masked: 3 taps leave as many to spare.
    check(seed, 1e-4, 1e-3, sdr=(eqm.audio.SDR(3), ft.partial(sdr, taps=3)))


def speech(rng, count, size):
    """Noise of low frequencies, that comes and goes."""
    t: Any = lfilter([1], [1, -0.97], rng.normal(size=(count, size)), axis=-1)
    t[:, -600:] = 0  # so that a filter of 200 taps ends in time
    return t * (1 + np.sin(np.arange(size) / 1000))


def test_512_taps():
    """Signals at 0 to 60 dB, in one shape."""
    rng = np.random.default_rng(0)
    per_row = eqm.audio.SDR().per_row
    p: Any = np.zeros(0)
    t, want, got = p, p, p
    for _ in range(2):
        t = speech(rng, 20, 2000)
        room = np.exp(-np.arange(200) / 20) * rng.normal(size=200)
        p = lfilter(room, [1], t, axis=-1)
        level = 10.0 ** (-np.linspace(0, 60, 20) / 20)[:, None]
        p = p + level * p.std(axis=1, keepdims=True) * rng.normal(size=p.shape)
        p, t = p.astype(np.float32), t.astype(np.float32)
        want = [sdr(x, y, 512) for x, y in zip(p.astype(float), t.astype(float), strict=True)]
        got = per_row(predictions=p, targets=t)
        np.testing.assert_allclose(got, want, atol=1e-3)
    assert want[-1] > 55
    with pytest.warns(FutureWarning, match="[Dd]eprecated"):
        peer, *_ = bss_eval_sources(t[-1:].astype(float), p[-1:].astype(float), False)
    np.testing.assert_allclose(got[-1:], peer, atol=1e-3)


@pytest.mark.parametrize("poles", [(0.999, 0.95), (0.99, 0.9)])
def test_signals_whose_system_is_nearly_singular(poles):
    """A condition of 1e9: float32 alone has no digits of the filter."""
    rng = np.random.default_rng(1)
    t: Any = lfilter([1], np.poly(poles), rng.normal(size=(20, 2000)), axis=-1)
    t = t / np.abs(t).max()
    level = 10.0 ** (-np.linspace(0, 60, 20) / 20)[:, None]
    p = t + level * t.std(axis=1, keepdims=True) * rng.normal(size=t.shape)
    p, t = p.astype(np.float32), t.astype(np.float32)
    want = [sdr(x, y, 512) for x, y in zip(p.astype(float), t.astype(float), strict=True)]
    got = eqm.audio.SDR().per_row(predictions=p, targets=t)
    np.testing.assert_allclose(got, want, atol=1e-3)


def test_by_hand():
    # The filter (1, 1) of an impulse is what was said; of what is left nothing is in reach.
    t = jnp.zeros((1, 8)).at[0, 0].set(1.0)
    p = jnp.zeros((1, 8)).at[0, 0].set(2.0).at[0, 1].set(2.0).at[0, 5].set(1.0)
    value = eqm.audio.SDR(2)(predictions=p, targets=t)
    np.testing.assert_allclose(value, 10 * np.log10(8), rtol=1e-5)
    assert eqm.audio.SDR(6)(predictions=p, targets=t) > 100
    one = eqm.audio.SDR(1)(predictions=p, targets=t)  # SI-SDR
    np.testing.assert_allclose(one, 10 * np.log10(4 / 5), rtol=1e-4)
    scale = eqm.audio.SDR(2)(predictions=p * 1e-30, targets=t * 1e30)
    np.testing.assert_allclose(scale, value, rtol=1e-6)


def test_silence():
    t, none = jnp.array([[1.0, -1.0, 2.0]]), jnp.zeros((1, 3))
    metric = eqm.audio.SDR(2)
    assert metric(predictions=none, targets=t) == -jnp.inf
    assert jnp.isnan(metric(predictions=t, targets=none))
    assert jnp.isnan(metric(predictions=none, targets=none))
    assert jnp.isnan(metric(predictions=t.at[0, 0].set(jnp.nan), targets=t))
    assert jnp.isnan(metric(predictions=t, targets=t.at[0, 0].set(jnp.nan)))


def test_padding_is_no_sample():
    rng = np.random.default_rng(2)
    t, e = rng.normal(size=(2, 1, 30)).astype(np.float32)
    padded = lambda x: np.pad(x, ((0, 0), (0, 10)), constant_values=np.nan)
    mask = np.arange(40)[None] < 30
    got = eqm.audio.SDR(4)(predictions=padded(t + e), targets=padded(t), mask=mask)
    np.testing.assert_allclose(got, sdr((t + e)[0].astype(float), t[0].astype(float), 4), 1e-5)


def test_the_gradient():
    rng = np.random.default_rng(3)
    t, e, d = rng.normal(size=(3, 1, 60))
    p = t + 0.5 * e
    slopes = jax.grad(lambda p, t: eqm.audio.SDR(5)(predictions=p, targets=t), (0, 1))(
        jnp.float32(p), jnp.float32(t)
    )
    of = (lambda s: sdr((p + s * d)[0], t[0], 5)), (lambda s: sdr(p[0], (t + s * d)[0], 5))
    for slope, value in zip(slopes, of, strict=True):
        want = (value(1e-5) - value(-1e-5)) / 2e-5
        np.testing.assert_allclose(np.sum(slope * d), want, rtol=1e-3)


def test_what_it_refuses():
    with pytest.raises(ValueError, match="filter_length=0"):
        eqm.audio.SDR(0)
