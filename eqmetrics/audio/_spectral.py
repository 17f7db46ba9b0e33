from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp

from .._custom_types import Mask, Values, Weights
from .._reduction.pair import minus
from .._rows.quotient import root
from .._rows.row_mean import AbstractRowMean
from .._rows.rows import rows
from ._frames import magnitude, mean_of_frames, mel_filters, Resolution, size_of, spectra
from ._signals import signals


def _check_floor(floor: float) -> None:
    if not floor > 0:
        raise ValueError(f"floor={floor}: expected a number above 0, whose logarithm is taken.")


@final
class MultiResolutionSTFT(AbstractRowMean):
    r"""The distance of short-time spectra at several resolutions, averaged over the signals and the
    resolutions. At each resolution it is the spectral convergence
    $\lVert |T| - |P| \rVert / \lVert |T| \rVert$ plus the mean absolute difference of $\ln |T|$ and
    $\ln |P|$, for the spectra $T$ of the targets and $P$ of the predictions.

    **Arguments:**

    - `resolutions`: for each, the number of samples of the transform, of the hop from one window to
        the next, and of the window; those of Parallel WaveGAN if not given.
    - `floor`: a smaller power at a frequency counts as this one, so that a silent signal has a
        value, as in auraloss.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Windows are Hann's, around the samples 0, hop, 2 hop and so on of the signal. The signal is
    reflected at both ends, as in torch and librosa. Samples that a mask leaves out are removed, and
    the remaining samples are joined. NaN in a sample propagates.

    The gradient is that of the value.
    State: 6 floats. Undefined when: no signal has a sample.
    Source: Yamamoto, Song and Kim, "Parallel WaveGAN", 2020; Steinmetz and Reiss, "auraloss", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        distance = eqm.audio.MultiResolutionSTFT([(16, 4, 16), (8, 2, 8)], floor=1e-30)
        t = jnp.sin(jnp.arange(100.0) ** 2)[None]
        value = distance(predictions=jnp.e * t, targets=t)
        assert abs(value - (jnp.e - 1) - 1) < 1e-4
        ```
    """

    resolutions: tuple[Resolution, ...] = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(
        self,
        resolutions: Sequence[Sequence[int]] = (
            (1024, 120, 600),
            (2048, 240, 1200),
            (512, 50, 240),
        ),
        *,
        floor: float = 1e-8,
        undefined: float | None = None,
    ):
        if len(resolutions) == 0:
            raise ValueError("`resolutions` is empty, expected one such as (1024, 120, 600).")
        self.resolutions = tuple(Resolution(*x) for x in resolutions)
        for at in self.resolutions:
            at.check()
        _check_floor(floor)
        self.floor = floor
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` have shape `(*rows, time)`. A `mask` with the shape of the
        rows removes rows; one with the shape of the predictions removes samples. `weights` has the
        shape of the rows."""
        view = signals(predictions, targets, mask, weights)
        p, t = (view.together(view.samples(x)) for x in (predictions, targets))
        norm = lambda x: root(jnp.sum(x * x, axis=(1, 2)))
        parts = []
        for at in self.resolutions:
            (power, keep), (of_target, _) = (spectra(x, view, at) for x in (p, t))
            power, of_target = (jnp.maximum(x, self.floor) for x in (power, of_target))
            size = jnp.where(keep[..., None], magnitude(of_target), 0)
            error = jnp.where(keep[..., None], size - magnitude(power), 0)
            logs = size_of(jnp.log(power) - jnp.log(of_target)) / 2
            total = norm(size)
            parts.append(norm(error) / jnp.where(total == 0, 1, total))
            parts.append(mean_of_frames(logs, keep))
        value = sum(parts) / len(self.resolutions)
        return self.plus(view.batch, jnp.asarray(value), view.length() > 0)


@final
class LogMelDistance(AbstractRowMean):
    r"""The mean absolute difference of log mel spectra, $\lvert \ln m(p) - \ln m(t) \rvert$, over
    the frames and bands of each signal, averaged over the signals.

    **Arguments:**

    - `sample_rate`: samples per second, in hertz.
    - `mels`: the number of bands; they have equal area on Slaney's scale, as in librosa.
    - `resolution`: the number of samples of the transform, of the hop from one window to the next,
        and of the window.
    - `low`, `high`: the frequencies in hertz where the first band starts and the last ends; `high`
        is half the sample rate if not given.
    - `floor`: a smaller magnitude in a band counts as this one, as in HiFi-GAN.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Windows are those of [`eqmetrics.audio.MultiResolutionSTFT`][]. Samples that a mask leaves out
    are removed, and the remaining ones are joined. NaN in a sample propagates.

    The gradient is that of the value.
    State: 6 floats. Undefined when: no signal has a sample.
    Source: Kong, Kim and Bae, "HiFi-GAN", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        distance = eqm.audio.LogMelDistance(16_000, mels=4, resolution=(64, 16, 64))
        t = jnp.sin(jnp.arange(400.0) ** 2)[None]
        assert abs(distance(predictions=jnp.e * t, targets=t) - 1) < 1e-5
        ```
    """

    sample_rate: float = eqx.field(static=True)
    mels: int = eqx.field(static=True)
    resolution: Resolution = eqx.field(static=True)
    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(
        self,
        sample_rate: float,
        *,
        mels: int = 80,
        resolution: Sequence[int] = (1024, 256, 1024),
        low: float = 0.0,
        high: float | None = None,
        floor: float = 1e-5,
        undefined: float | None = None,
    ):
        if mels < 1:
            raise ValueError(f"mels={mels}: expected at least 1 band.")
        top = sample_rate / 2 if high is None else high
        if not 0 <= low < top <= sample_rate / 2:
            raise ValueError(
                f"low={low:g}, high={high}: expected frequencies in hertz, from 0 to half of "
                f"sample_rate={sample_rate}, the second above the first."
            )
        self.sample_rate = float(sample_rate)
        self.mels = mels
        self.resolution = Resolution(*resolution)
        self.resolution.check()
        self.low = float(low)
        self.high = float(top)
        _check_floor(floor)
        self.floor = floor
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` have shape `(*rows, time)`. A `mask` with the shape of the
        rows removes rows; one with the shape of the predictions removes samples. `weights` has the
        shape of the rows."""
        view = signals(predictions, targets, mask, weights)
        size = self.sample_rate, self.resolution.fft, self.mels, self.low, self.high
        filters = jnp.asarray(mel_filters(*size))
        logs, keep = [], jnp.ones((1, 1), bool)
        for x in (predictions, targets):
            power, keep = spectra(view.together(view.samples(x)), view, self.resolution)
            bands = jnp.matmul(magnitude(power), filters, precision="highest")
            logs.append(jnp.log(jnp.maximum(bands, self.floor)))
        value = mean_of_frames(size_of(logs[0] - logs[1]), keep)
        return self.plus(view.batch, value, view.length() > 0)


@final
class MelCepstralDistortion(AbstractRowMean):
    r"""The mel-cepstral distortion in decibels, averaged over the frames:
    $\frac{10}{\ln 10} \sqrt{2 \sum_d (p_d - t_d)^2}$.

    A row is a frame of mel-cepstral coefficients. Predictions and targets must be aligned: do
    dynamic time warping on the host first.

    **Arguments:**

    - `start`: the first coefficient that counts: 1 leaves out coefficient 0, the energy.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; 0 where an error is 0. NaN in a coefficient propagates.
    State: 6 floats. Undefined when: no frame was seen.
    Source: Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", 1993.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        p, t = jnp.array([[9.0, 3.0, 4.0]]), jnp.zeros((1, 3))
        value = eqm.audio.MelCepstralDistortion()(predictions=p, targets=t)
        assert abs(value - 10 / jnp.log(10.0) * jnp.sqrt(50.0)) < 1e-4
        ```
    """

    start: int = eqx.field(static=True)

    def __init__(self, *, start: int = 1, undefined: float | None = None):
        if start < 0:
            raise ValueError(f"start={start}: expected the first coefficient that counts, from 0.")
        self.start = start
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are of shape `(*rows, coefficients)`; `mask` and `weights`
        have the shape of the rows."""
        view = signals(predictions, targets, None, None, ("coefficients",))
        batch = rows(predictions, mask, weights, view.shape, "predictions")
        e = minus(jnp.asarray(predictions), jnp.asarray(targets)).reshape(-1, *view.shape)
        e = e if batch.mask is None else jnp.where(batch.mask[:, None], e, 0)
        e = e[:, self.start :]
        scale = jnp.float32(10 * 2**0.5 / 2.302585092994046)
        return self.plus(batch, scale * root(jnp.sum(e * e, axis=1)))
