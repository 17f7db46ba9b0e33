from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax

from .._custom_types import Mask, Values, Weights
from .._rows.row_mean import AbstractRowMean
from ._projection import projected
from ._signals import decibels, scaled, signals, total


@final
class SDR(AbstractRowMean):
    r"""The signal-to-distortion ratio of BSS Eval in decibels, averaged over the signals. The
    target is filtered so that it is nearest to the prediction; the ratio is its energy divided by
    the energy of the rest of the prediction.

    Any filter of `filter_length` samples, such as a delay or an echo, doesn't lower the value. For
    [`eqmetrics.audio.SISDR`][] only a scale doesn't; [`eqmetrics.audio.SNR`][] allows nothing.

    **Arguments:**

    - `filter_length`: the number of samples of the filter; 512 in BSS Eval 3, mir_eval and
        fast-bss-eval.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Up to 60 dB the value in float32 is within 1e-3 dB of a float64 solution; above some 120 dB only
    rounding is left, and no value is infinite. Samples that a mask leaves out are removed, and the
    remaining samples are joined. If only the prediction is silent, the value is minus infinity; a
    signal with a silent target has no value, and is left out. NaN in a sample propagates. An update
    needs memory for two square matrices of side `filter_length` for each signal: 2 MB at 512.

    The gradient is that of the value; 0 where it is infinite.
    State: 6 floats. Undefined when: every target is silent, or no signal was seen.
    Source: Vincent, Gribonval and Févotte, "Performance measurement in blind audio source
    separation", 2006; Scheibler, "SDR, medium rare with fast computations", 2022.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        targets = jnp.sin(jnp.arange(200.0) ** 2)[None]
        echo = targets + 0.5 * jnp.roll(targets, 3, axis=1)
        assert eqm.audio.SDR(8)(predictions=echo, targets=targets) > 20  # and SISDR is 6
        ```
    """

    filter_length: int = eqx.field(static=True)

    def __init__(self, filter_length: int = 512, *, undefined: float | None = None):
        if filter_length < 1:
            raise ValueError(f"filter_length={filter_length}: expected at least 1 sample.")
        self.filter_length = filter_length
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` have shape `(*rows, time)`. A `mask` with the shape of the
        rows removes rows; one with the shape of the predictions removes samples. `weights` has the
        shape of the rows."""
        view = signals(predictions, targets, mask, weights)
        p, t = (scaled(view.together(view.samples(x)))[0] for x in (predictions, targets))
        near, rest = projected(p, t, self.filter_length)
        whole, noise = total(p * p), total(rest * rest)
        # For the best filter the energies of both parts add up to that of the whole. So the
        # gradient is that of the whole minus the rest, at a fixed filter; that of the first part
        # would be wrong.
        signal, rest_of = lax.stop_gradient(total(near * near)), whole - noise
        change = (rest_of - lax.stop_gradient(rest_of)) / jnp.where(signal == 0, 1, signal)
        value, _ = decibels(signal * (1 + change), noise)
        value = jnp.where(whole == 0, -jnp.inf, value)
        return self.plus(view.batch, value, jnp.any(t != 0, axis=1) | jnp.isnan(value))
