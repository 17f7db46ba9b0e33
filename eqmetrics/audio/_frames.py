"""Short-time spectra: the power of windows of a signal, by frequency."""

import functools as ft
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._rows.quotient import root
from ._signals import Samples, Signals


class Resolution(NamedTuple):
    """How a spectrum is computed: the number of samples of the transform, of the hop from one
    window to the next, and of the window."""

    fft: int
    hop: int
    window: int

    def check(self) -> None:
        if not (1 <= self.hop and 1 <= self.window <= self.fft):
            raise ValueError(
                f"{tuple(self)}: expected the samples of the transform, of a step and of the "
                "window, which is no longer than the transform: (1024, 256, 1024)."
            )


class Spectra(NamedTuple):
    power: Float32[Array, "rows frames frequencies"]
    keep: Bool[Array, "#rows frames"]  # which frames lie in the signal


@ft.cache
def _window(at: Resolution) -> np.ndarray:
    """Hann's window, in the middle of the transform."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(at.window) / at.window)
    left = (at.fft - at.window) // 2
    return np.pad(hann, (left, at.fft - at.window - left)).astype(np.float32)


def spectra(x: Samples, view: Signals, at: Resolution) -> Spectra:
    """The power spectra of windows around each `hop`-th sample of the signals. Signals are
    reflected at both ends. Samples that a mask leaves out are at the end of the signals."""
    frames = 1 + x.shape[-1] // at.hop
    middle = np.arange(frames, dtype=np.int32)[:, None] * np.int32(at.hop)
    place = middle + np.arange(at.fft, dtype=np.int32)[None, :] - np.int32(at.fft // 2)
    if view.keep is None:
        windows = x[:, _reflected(np, place, x.shape[-1])]
        keep = jnp.ones((1, frames), bool)
    else:
        length = view.length().astype(jnp.int32)
        there = _reflected(jnp, jnp.asarray(place)[None], length[:, None, None])
        flat = jnp.take_along_axis(x, there.reshape(x.shape[0], -1), axis=1)
        windows = flat.reshape(there.shape)
        keep = jnp.asarray(middle[:, 0])[None] <= length[:, None]
    found = jnp.fft.rfft(windows * _window(at)[None, None])
    # XLA would compute the sum of squares again wherever it is read, in one place with a fused
    # multiplication and in another without: equal signals would differ by 1e-8.
    return Spectra(lax.optimization_barrier(found.real**2 + found.imag**2), keep)


def _reflected(numpy: Any, place: Any, length: Any) -> Any:
    """The index of the sample at a place, if the signal is reflected at its first and last
    samples."""
    period = numpy.maximum(2 * (length - 1), 1)
    there = place % period
    return numpy.minimum(there, period - there)


def magnitude(power: Array) -> Array:
    """The root of a power, whose gradient is 0 at 0."""
    return root(power)


def size_of(x: Array) -> Array:
    """The absolute value, whose gradient at 0 is 0."""
    return x * jnp.sign(x)


@ft.cache
def mel_filters(sample_rate: float, fft: int, mels: int, low: float, high: float) -> np.ndarray:
    """Triangular filters of equal area over the frequencies, of shape `(fft // 2 + 1, mels)`. Their
    ends are equally far apart on Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    step, knee, ratio = 200 / 3, 1000.0, np.log(6.4) / 27

    def mel(hertz: float) -> float:
        return hertz / step if hertz < knee else knee / step + np.log(hertz / knee) / ratio

    ends = np.linspace(mel(low), mel(high), mels + 2)
    above = knee * np.exp(ratio * (ends - knee / step))
    ends = np.where(ends < knee / step, ends * step, above)
    at = np.arange(fft // 2 + 1)[:, None] * sample_rate / fft
    rise = (at - ends[None, :-2]) / np.diff(ends)[None, :-1]
    fall = (ends[None, 2:] - at) / np.diff(ends)[None, 1:]
    area = 2 / (ends[2:] - ends[:-2])
    return (np.maximum(0, np.minimum(rise, fall)) * area[None]).astype(np.float32)


def mean_of_frames(
    x: Float32[Array, "rows frames bins"], keep: Bool[Array, "#rows frames"]
) -> Float32[Array, "rows"]:
    keep = jnp.broadcast_to(keep, x.shape[:2])
    count = jnp.sum(keep.astype(jnp.float32), axis=1) * x.shape[-1]
    total = jnp.sum(jnp.where(keep[..., None], x, 0), axis=(1, 2))
    return total / jnp.maximum(count, 1)
