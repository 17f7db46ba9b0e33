"""Distances of spectra beside scipy's short-time transform in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy import signal

import eqmetrics as eqm
from eqmetrics.audio._frames import mel_filters

from ..fields.oracle import check as check_rows, mean_of_rows
from ..oracle import few, seeds
from .oracle import check


STFT, LogMel, MCD = (
    eqm.audio.MultiResolutionSTFT,
    eqm.audio.LogMelDistance,
    eqm.audio.MelCepstralDistortion,
)
RESOLUTIONS = (16, 4, 16), (8, 3, 5)


def magnitudes(x, fft, hop, window):
    """Of scipy's transform, of a signal that is reflected."""
    hann = signal.get_window("hann", window)
    left = (fft - window) // 2
    padded = np.pad(x, fft // 2, mode="reflect")
    taken = np.pad(hann, (left, fft - window - left))
    transform = signal.ShortTimeFFT(taken, hop, 1.0, phase_shift=None)
    count = 1 + len(x) // hop
    windows = [padded[i * hop : i * hop + fft] for i in range(count)]
    want = np.abs(np.fft.rfft(np.stack(windows) * taken))
    # scipy's own frames, which are centred on their samples
    middle = transform.stft(padded, p0=0, p1=count + 1, k_offset=fft // 2)
    np.testing.assert_allclose(np.abs(middle).T[:count], want, atol=1e-9 * (want.max() + 1))
    return want


def stft_distance(p, t, floor):
    value = 0
    for at in RESOLUTIONS:
        x, y = (np.sqrt(np.maximum(magnitudes(x, *at) ** 2, floor)) for x in (p, t))
        value += np.linalg.norm(y - x) / np.linalg.norm(y) + np.abs(np.log(y / x)).mean()
    return value / len(RESOLUTIONS)


def mel_distance(p, t):
    filters = mel_filters(8000.0, 16, 3, 100.0, 4000.0).astype(float)
    x, y = (np.maximum(magnitudes(x, *RESOLUTIONS[0]) @ filters, 1e-3) for x in (p, t))
    return np.abs(np.log(x / y)).mean()


@few
@given(seed=seeds)
def test_scipy_agrees(seed):
    stft = STFT(RESOLUTIONS, floor=1e-4)
    mel = LogMel(8000, mels=3, resolution=(16, 4, 16), low=100, floor=1e-3)
    of_stft = lambda p, t: stft_distance(p, t, 1e-4)
    check(seed, 1e-4, 1e-5, stft=(stft, of_stft), mel=(mel, mel_distance))


@few
@given(seed=seeds)
def test_cepstra(seed):
    def value(predictions, targets, mask):
        return 10 / np.log(10) * np.sqrt(2 * np.sum((predictions - targets)[2:] ** 2))

    def truth(batch):
        return mean_of_rows(batch, value)

    check_rows(seed, MCD(start=2), {"predictions": (6,), "targets": (6,)}, truth, None)


def test_mel_bands_by_hand():
    # Linear to 1 kHz, where 1 mel of Slaney is 200/3 Hz, and log(6.4) / 27 above it a mel.
    filters = mel_filters(8000.0, 8000, 1, 0.0, 1000.0)
    top = int(np.argmax(filters[:, 0]))
    assert top == 500 and abs(filters[top, 0] - 2 / 1000) < 1e-8
    assert abs(filters.sum() - 1) < 1e-5  # an area of 1, at steps of 1 Hz
    high = mel_filters(16_000.0, 16_000, 1, 1000.0, 6400.0)
    assert int(np.argmax(high[:, 0])) == round(np.sqrt(6400 * 1000))
    # From mel 0 to 42, in three steps: 0, 933.3, 1000 * 6.4^(13 / 27) and 6400 Hz.
    both = mel_filters(16_000.0, 16_000, 2, 0.0, 6400.0)
    np.testing.assert_allclose(both.argmax(axis=0), [933, 1000 * 6.4 ** (13 / 27)], atol=1)


def test_by_hand():
    # Twice the signal: a convergence of 1, and logs that differ by log(2).
    t = jnp.asarray(np.random.default_rng(0).normal(size=(2, 100)), jnp.float32)
    metrics = eqm.MetricDict(
        stft=STFT(RESOLUTIONS, floor=1e-12),
        mel=LogMel(8000, mels=5, resolution=(64, 16, 64), floor=1e-9),
    )
    all_of = jnp.ones((2, 100), bool)
    values = jax.jit(lambda p, t, mask: metrics(predictions=p, targets=t, mask=mask))
    of = lambda p, t, mask=all_of: np.array([values(p, t, mask)[x] for x in ("stft", "mel")])
    np.testing.assert_allclose(of(2 * t, t), [1 + np.log(2), np.log(2)], rtol=1e-5)
    assert not of(t, t).any() and not of(0 * t, 0 * t).any()
    assert np.isfinite(of(t, 0 * t)).all()
    assert np.isnan(of(t.at[0, 5].set(jnp.nan), t)).all()
    assert np.isnan(of(t, t, ~all_of)).all()
    p, t = jnp.array([[7.0, 3.0, 4.0], [1.0, 0.0, 0.0]]), jnp.zeros((2, 3))
    each = 10 / np.log(10) * np.sqrt([50.0, 0.0])
    np.testing.assert_allclose(MCD().per_row(predictions=p, targets=t), each, rtol=1e-6)
    assert not jax.grad(lambda p: MCD()(predictions=p, targets=t))(p)[1].any()


def test_what_they_refuse():
    for bad in ([(4, 0, 4)], [(4, 2, 5)], [(4, 2, 0)]):
        with pytest.raises(ValueError, match="expected the samples of the transform"):
            STFT(bad)
    with pytest.raises(ValueError, match="`resolutions` is empty"):
        STFT([])
    with pytest.raises(ValueError, match="floor=0"):
        STFT(floor=0)
    with pytest.raises(ValueError, match="low=5000, high=None"):
        LogMel(8000, low=5000)
    with pytest.raises(ValueError, match="mels=0"):
        LogMel(8000, mels=0)
    with pytest.raises(ValueError, match="start=-1"):
        MCD(start=-1)
