from typing import final, Self

import equinox as eqx
import jax.numpy as jnp

from .._custom_types import Mask, Values, Weights
from .._rows.row_mean import AbstractRowMean
from ._signals import decibels, scaled, signals, total, without_mean


@final
class SNR(AbstractRowMean):
    r"""The signal-to-noise ratio in decibels, averaged over the signals:
    $10 \log_{10}(\lVert t \rVert^2 / \lVert t - p \rVert^2)$.

    **Arguments:**

    - `zero_mean`: whether to subtract the mean of each signal first.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Nothing is added to the energies. A signal that equals its target has the value infinity, and
    one whose target is silent has minus infinity; the mean is then infinite, too. Leave out silent
    targets with a mask: `mask=jnp.any(targets != 0, axis=-1)`. If prediction and target are both
    silent, the signal has no value and is left out. NaN in a sample propagates.

    The gradient is that of the value; 0 where it is infinite.
    State: 6 floats. Undefined when: no signal has a value.
    Source: Vincent, Gribonval and Févotte, "Performance measurement in blind audio source
    separation", 2006.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        snr = eqm.audio.SNR()
        value = snr(predictions=jnp.array([[1.0, 0.1]]), targets=jnp.array([[1.0, 0.0]]))
        assert abs(value - 20) < 1e-5
        ```
    """

    zero_mean: bool = eqx.field(static=True)

    def __init__(self, *, zero_mean: bool = False, undefined: float | None = None):
        self.zero_mean = zero_mean
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` have shape `(*rows, time)`. A `mask` with the shape of the
        rows removes rows; one with the shape of the predictions removes samples. `weights` has the
        shape of the rows."""
        view = signals(predictions, targets, mask, weights)
        t, e = view.samples(targets), view.minus(jnp.asarray(predictions), jnp.asarray(targets))
        if self.zero_mean:
            t, e = without_mean(t, view), without_mean(e, view)
        (t, top), (e, below) = scaled(t), scaled(e)
        value, defined = decibels(total(t * t), total(e * e), (top, below))
        return self.plus(view.batch, value, defined)


@final
class SISDR(AbstractRowMean):
    r"""The scale-invariant signal-to-distortion ratio in decibels, averaged over the signals:
    $10 \log_{10}(\lVert \alpha t \rVert^2 / \lVert \alpha t - p \rVert^2)$ with
    $\alpha = \langle p, t \rangle / \lVert t \rVert^2$. With signals of zero mean it is also known
    as SI-SNR.

    **Arguments:**

    - `zero_mean`: whether to subtract the mean of each signal first. (By default torchmetrics'
        SI-SDR doesn't; its SI-SNR does.)
    - `undefined`: what replaces an undefined value; NaN if not given.

    A prediction that is a multiple of the target has the value infinity, or some 140 dB because of
    rounding. If only the prediction is silent, the value is minus infinity. A signal with a silent
    target has no value, and is left out. NaN in a sample propagates.

    The gradient is that of the value; 0 where it is infinite.
    State: 6 floats. Undefined when: every target is silent, or no signal was seen.
    Source: Le Roux et al., "SDR: half-baked or well done?", 2019.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        sisdr = eqm.audio.SISDR(zero_mean=False)
        value = sisdr(predictions=jnp.array([[3.0, 0.3]]), targets=jnp.array([[1.0, 0.0]]))
        assert abs(value - 20) < 1e-5
        ```
    """

    zero_mean: bool = eqx.field(static=True)

    def __init__(self, *, zero_mean: bool = True, undefined: float | None = None):
        self.zero_mean = zero_mean
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` have shape `(*rows, time)`. A `mask` with the shape of the
        rows removes rows; one with the shape of the predictions removes samples. `weights` has the
        shape of the rows."""
        view = signals(predictions, targets, mask, weights)
        p, t = view.samples(predictions), view.samples(targets)
        if self.zero_mean:
            p, t = without_mean(p, view), without_mean(t, view)
        (p, _), (t, _) = scaled(p), scaled(t)  # scales change nothing
        energy = total(t * t)
        alpha = total(p * t) / jnp.where(energy == 0, 1, energy)
        e = p - alpha[:, None] * t
        value, _ = decibels(alpha * alpha * energy, total(e * e))
        silent = total(p * p) == 0
        return self.plus(view.batch, jnp.where(silent, -jnp.inf, value), energy != 0)


@final
class SASDR(AbstractRowMean):
    r"""The source-aggregated signal-to-distortion ratio in decibels, averaged over the mixtures.
    Energies are first summed over the sources of a mixture:
    $10 \log_{10}(\sum_s \lVert t_s \rVert^2 / \sum_s \lVert t_s - p_s \rVert^2)$.

    So it is finite for a mixture with a silent source; the SNR of that source is minus infinity.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    If all sources of a mixture and all their predictions are silent, the mixture has no value, and
    is left out. NaN in a sample propagates.

    The gradient is that of the value; 0 where it is infinite.
    State: 6 floats. Undefined when: no mixture has a value.
    Source: von Neumann et al., "SA-SDR: a novel loss function for separation of meeting style
    data", 2022.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        targets = jnp.array([[[3.0, 1.0], [0.0, 0.0]]])  # one mixture of two sources
        value = eqm.audio.SASDR()(predictions=targets.at[0, 1, 0].set(1.0), targets=targets)
        assert abs(value - 10) < 1e-5
        ```
    """

    def __init__(self, *, undefined: float | None = None):
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` have shape `(*rows, sources, time)`. A `mask` with the shape
        of the rows removes rows; one with the shape of the predictions removes samples. `weights`
        has the shape of the rows."""
        view = signals(predictions, targets, mask, weights, ("sources", "time"))
        t, e = view.samples(targets), view.minus(jnp.asarray(predictions), jnp.asarray(targets))
        (t, top), (e, below) = scaled(t, 2), scaled(e, 2)
        energy = lambda x: jnp.sum(total(x * x), axis=-1)
        value, defined = decibels(energy(t), energy(e), (top, below))
        return self.plus(view.batch, value, defined)
