"""`SNR`, `SISDR` and `SASDR` beside fast-bss-eval and their definitions in float64, and by hand."""

import fast_bss_eval.numpy as bss
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import batch_of, check, mean_of, WAYS


SNR, SISDR, SASDR = eqm.audio.SNR, eqm.audio.SISDR, eqm.audio.SASDR


def snr(p, t):
    return 10 * np.log10(np.sum(t**2) / np.sum((t - p) ** 2))


def sisdr(p, t):
    """fast-bss-eval's, whose numbers of silence are of its own."""
    if not np.any(t):
        return np.nan
    t, p = t / np.abs(t).max(), p / max(np.abs(p).max(), 1e-300)
    return bss.si_sdr(t[None], p[None])[0] if np.any(p) else -np.inf


def centred(value):
    return lambda p, t: value(p - p.mean(), t - t.mean())


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    check(
        seed,
        snr=(SNR(), snr),
        snr_without_mean=(SNR(zero_mean=True), centred(snr)),
        sisdr=(SISDR(zero_mean=False), sisdr),
        sisdr_without_mean=(SISDR(), centred(sisdr)),
    )


@few
@given(seed=seeds)
def test_sasdr(seed):
    for way, samples in WAYS:
        batch = batch_of(seed, samples, 3, time=20, silence=0.2)
        want = mean_of(batch, snr)
        np.testing.assert_allclose(way(SASDR(), batch).compute(), want, 1e-5, 1e-4)


def test_by_hand():
    t, p = jnp.array([[1.0, 0.0]]), jnp.array([[1.0, 1.0]])
    raw = SISDR(zero_mean=False)
    assert SNR()(predictions=p, targets=t) == 0
    assert raw(predictions=p, targets=t) == 0
    assert raw(predictions=2 * t, targets=t) == jnp.inf
    assert SNR()(predictions=2 * t, targets=t) == 0
    # Of (1, 0), (2, 0) and (0, 0), (1, 0): energies of 5 over 1 + 0, and those apart 0 and inf.
    t = jnp.array([[[1.0, 0.0], [2.0, 0.0]]])
    p = jnp.array([[[0.0, 0.0], [2.0, 0.0]]])
    np.testing.assert_allclose(SASDR()(predictions=p, targets=t), 10 * np.log10(5), rtol=1e-6)
    assert SNR().per_row(predictions=p[0], targets=t[0]).tolist() == [0, jnp.inf]


def test_silence():
    t, none = jnp.array([[1.0, -1.0, 2.0]]), jnp.zeros((1, 3))
    assert SNR()(predictions=t, targets=none) == -jnp.inf
    assert SNR()(predictions=none, targets=t) == 0
    assert jnp.isnan(SNR()(predictions=none, targets=none))
    assert SISDR()(predictions=none, targets=t) == -jnp.inf
    assert jnp.isnan(SISDR()(predictions=t, targets=none))
    assert SISDR(undefined=-1.0)(predictions=none, targets=none) == -1
    # A constant has no more in it than its mean, whatever that rounds to.
    assert jnp.isnan(SISDR()(predictions=t, targets=jnp.full((1, 3), 0.1)))
    assert SISDR(zero_mean=False)(predictions=t, targets=jnp.full((1, 3), 0.1)) < 0
    assert jnp.isnan(SASDR()(predictions=none[None], targets=none[None]))
    # A silent target is left out of SI-SDR, and one with NaN isn't.
    both = jnp.concatenate([t, none])
    np.testing.assert_allclose(
        SISDR()(predictions=both + jnp.array([[0.5, 0, 0]]), targets=both),
        SISDR()(predictions=t + jnp.array([[0.5, 0, 0]]), targets=t),
    )
    for metric in (SNR(), SISDR()):
        assert jnp.isnan(metric(predictions=t.at[0, 0].set(jnp.nan), targets=t))


@pytest.mark.parametrize("scale", [1e-35, 1e-20, 1e20, 1e35])
def test_any_scale(scale):
    t = jnp.array([[3.0, -4.0, 1.0, 0.0]]) * jnp.float32(scale)
    p = t + jnp.array([[0.0, 0.0, 0.0, 1.0]]) * jnp.float32(scale)
    np.testing.assert_allclose(SNR()(predictions=p, targets=t), 10 * np.log10(26), rtol=1e-5)
    np.testing.assert_allclose(
        SISDR(zero_mean=False)(predictions=p, targets=t), 10 * np.log10(26), rtol=1e-5
    )


def test_ten_seconds_with_an_offset_and_integers():
    rng = np.random.default_rng(0)
    t = np.sin(np.arange(160_000) * 0.05)
    p = t + 1e-4 * rng.normal(size=t.size) + 100
    p32, t32 = (x.astype(np.float32)[None] for x in (p, t + 30))
    want = centred(sisdr)(p32[0].astype(float), t32[0].astype(float))
    np.testing.assert_allclose(SISDR()(predictions=p32, targets=t32), want, atol=1e-3)
    # Samples of 32 bits are subtracted before they are rounded.
    whole = np.full((1, 4), 2**30, np.int32)
    np.testing.assert_allclose(
        SNR()(predictions=whole + 1, targets=whole), 600 * np.log10(2), rtol=1e-6
    )


def test_the_gradient():
    rng = np.random.default_rng(1)
    t, p, d = rng.normal(size=(3, 1, 50))
    value = lambda s: centred(sisdr)((p + s * d)[0], t[0])
    given = jnp.float32(p)
    slope = jax.grad(lambda p: SISDR()(predictions=p, targets=jnp.float32(t)))(given)
    np.testing.assert_allclose(np.sum(slope * d), (value(1e-5) - value(-1e-5)) / 2e-5, rtol=1e-4)
    same = jax.grad(lambda p: SNR()(predictions=p, targets=given))(given)
    assert not same.any()


def test_what_they_refuse():
    x = jnp.ones((2, 3))
    with pytest.raises(TypeError, match=r"`predictions` is .*\[2, 3\] and `targets` is .*\[3\]"):
        SNR()(predictions=x, targets=x[0])
    with pytest.raises(TypeError, match=r"expected \(\*rows, time\)"):
        SNR()(predictions=x[0, 0], targets=x[0, 0])
    with pytest.raises(TypeError, match=r"expected \(\*rows, sources, time\)"):
        SASDR()(predictions=x[0], targets=x[0])
    with pytest.raises(TypeError, match=r"`mask` is bool\[3\]"):
        SISDR()(predictions=x, targets=x, mask=jnp.ones(3, bool))
