"""Scores of depth maps, of shape `(*rows, height, width)`."""

import abc
from typing import ClassVar, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._rows.pooled import AbstractPooled, Per, sums_of
from .._rows.quotient import over, root
from .._rows.row_mean import AbstractRowMean
from .._rows.squares import nan_if_lost, square
from ._image import Image, Planes, planes


_MAP = Image(channel_axis=None)
_TARGETS = "targets above 0 where the mask is (`mask=targets > 0`), weights >= 0 and finite"
_BOTH = f"predictions above 0, {_TARGETS}"


def _maps(predictions: Values, targets: Values, mask: Mask, weights: Weights) -> Planes:
    return planes(_MAP, mask, weights, predictions=predictions, targets=targets)


def _positive(x: Array) -> Array:
    """Replaces numbers that aren't positive by 1, so that no logarithm is NaN. Their rows are
    invalid."""
    return jnp.where(x <= 0, 1, x)


def _log_ratio(p: Array, t: Array) -> Array:
    # Computed from the quotient: the difference of logarithms of close numbers loses digits.
    part = (p - t) / t
    near = jnp.abs(part) < 0.5
    return jnp.where(near, jnp.log1p(jnp.where(near, part, 0)), jnp.log(p) - jnp.log(t))


class _AbstractDepth(AbstractPooled):
    valid: ClassVar[str] = _BOTH

    def __init__(self, *, per: Per = "row", undefined: float | None = None):
        AbstractPooled.__init__(self, self.valid, per, undefined)

    @abc.abstractmethod
    def of_pixels(self, predictions: Array, targets: Array) -> Float32[Array, "..."]:
        """The error of each pixel."""

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are depths, of shape `(*rows, height, width)`. A `mask` with
        the shape of the rows removes rows; one with the shape of the depths removes pixels.
        `weights` has the shape of the rows."""
        view = _maps(predictions, targets, mask, weights)
        p, t = view.arrays
        bad = (t <= 0) | (p <= 0) if self.valid == _BOTH else t <= 0
        if self.valid == _BOTH:
            p = _positive(p)
        return self.plus(view.without(bad).batch, self.of_pixels(p, _positive(t)), view.keep)


@final
class AbsoluteRelative(_AbstractDepth, init=False):
    r"""The mean of $\lvert p - t \rvert / t$ over the pixels of each depth map, averaged over the
    maps (`per="row"`, as in KITTI), or over all pixels together (`per="pooled"`).

    **Arguments:**

    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Sensors give no depth for some pixels: pass `mask=targets > 0`. A map with an unmasked target of
    0 or less is invalid. Predictions are compared as they are: if a model predicts depths only up
    to a factor, rescale them first.
    The gradient is that of the value.
    State: 6 floats. Undefined when: no pixel has a depth.
    Source: Eigen, Puhrsch and Fergus, "Depth map prediction from a single image using a
    multi-scale deep network", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.image.AbsoluteRelative()
        p, t = jnp.array([[[3.0, 5.0]]]), jnp.array([[[2.0, 0.0]]])
        assert error(predictions=p, targets=t, mask=t > 0) == 0.5
        ```
    """

    valid: ClassVar[str] = _TARGETS

    def of_pixels(self, predictions: Array, targets: Array) -> Array:
        return jnp.abs(predictions - targets) / targets


@final
class SquaredRelative(_AbstractDepth, init=False):
    r"""The mean of $(p - t)^2 / t$, in the units of the depths, over the pixels of each depth map,
    averaged over the maps (`per="row"`), or over all pixels together (`per="pooled"`).

    This is the definition of Eigen et al. and of the papers on KITTI; KITTI's own development kit
    divides by $t^2$.

    **Arguments:**

    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Masks and invalid maps are those of [`AbsoluteRelative`][eqmetrics.image.AbsoluteRelative].
    The gradient is that of the value.
    State: 6 floats. Undefined when: no pixel has a depth.
    Source: Eigen, Puhrsch and Fergus, "Depth map prediction from a single image using a
    multi-scale deep network", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.image.SquaredRelative()
        assert error(predictions=jnp.array([[4.0]]), targets=jnp.array([[2.0]])) == 2
        ```
    """

    valid: ClassVar[str] = _TARGETS

    def of_pixels(self, predictions: Array, targets: Array) -> Array:
        errors = predictions - targets
        return errors * (errors / targets)


@final
class RMSELog(_AbstractDepth, init=False):
    r"""The root of the mean of $(\ln p - \ln t)^2$ over the pixels of each depth map, averaged over
    the maps (`per="row"`), or over all pixels together (`per="pooled"`).

    **Arguments:**

    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Masks are those of [`AbsoluteRelative`][eqmetrics.image.AbsoluteRelative]. A map with an
    unmasked prediction or target of 0 or less is invalid; it is usual to pass
    `jnp.maximum(predictions, 1e-3)`.
    The gradient is that of the value; 0 where the value is 0.
    State: 6 floats. Undefined when: no pixel has a depth.
    Source: Eigen, Puhrsch and Fergus, "Depth map prediction from a single image using a
    multi-scale deep network", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.image.RMSELog()
        p, t = jnp.exp(jnp.array([[1.0, -1.0]])), jnp.ones((1, 2))
        assert abs(error(predictions=p, targets=t) - 1) < 1e-6
        ```
    """

    def of_pixels(self, predictions: Array, targets: Array) -> Array:
        return square(_log_ratio(predictions, targets))

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return root(nan_if_lost(mean))


@final
class DeltaAccuracy(_AbstractDepth):
    r"""The share of pixels with $\max(p / t, t / p)$ below a threshold. It is the share of each
    depth map, averaged over the maps (`per="row"`, as in KITTI), or that of all pixels together
    (`per="pooled"`).

    **Arguments:**

    - `threshold`: usually 1.25, its square or its cube.
    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Masks are those of [`AbsoluteRelative`][eqmetrics.image.AbsoluteRelative]. A map with an
    unmasked target of 0 or less is invalid. A prediction of 0 or less is a miss, and so is a ratio
    that equals the threshold.
    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no pixel has a depth.
    Source: Ladicky, Shi and Pollefeys, "Pulling things out of perspective", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        accuracy = eqm.image.DeltaAccuracy(1.25)
        p, t = jnp.array([[1.2, 1.3, 0.9, 0.7]]), jnp.ones((1, 4))
        assert accuracy(predictions=p, targets=t) == 0.5
        ```
    """

    valid: ClassVar[str] = _TARGETS
    threshold: float = eqx.field(static=True)

    def __init__(
        self, threshold: float = 1.25, *, per: Per = "row", undefined: float | None = None
    ):
        if not threshold > 1:
            raise ValueError(f"threshold={threshold}: expected a ratio above 1.")
        self.threshold = threshold
        AbstractPooled.__init__(self, self.valid, per, undefined)

    def of_pixels(self, predictions: Array, targets: Array) -> Array:
        most = jnp.float32(self.threshold)
        near = (predictions < most * targets) & (targets < most * predictions)
        # NaN propagates: it isn't a miss.
        nan = jnp.isnan(predictions) | jnp.isnan(targets)
        return jnp.where(nan, jnp.nan, near.astype(jnp.float32))


@final
class ScaleInvariantLog(AbstractRowMean):
    r"""The standard deviation of the logarithmic errors within each depth map, averaged over the
    maps: $\sqrt{\overline{d^2} - \overline{d}^2}$ with $d = \ln p - \ln t$. A prediction that is
    off by a constant factor scores 0.

    It is KITTI's SILog without its factor of 100; Eigen et al. define its square. Each map has its
    own scale, so there is no pooled form.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    Masks and invalid maps are those of [`RMSELog`][eqmetrics.image.RMSELog].
    The gradient is that of the value; 0 where the value is 0.
    State: 6 floats. Undefined when: no pixel has a depth.
    Source: Eigen, Puhrsch and Fergus, "Depth map prediction from a single image using a
    multi-scale deep network", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.image.ScaleInvariantLog()
        p, t = jnp.array([[[2.0, 4.0]], [[1.0, jnp.exp(2.0)]]]), jnp.ones((2, 1, 2))
        each = error.per_row(predictions=p, targets=t)
        assert abs(each[0] - jnp.log(2.0) / 2) < 1e-6 and abs(each[1] - 1) < 1e-6
        ```
    """

    def __init__(self, *, undefined: float | None = None):
        AbstractRowMean.__init__(self, _BOTH, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`RMSELog`][eqmetrics.image.RMSELog]."""
        view = _maps(predictions, targets, mask, weights)
        p, t = view.arrays
        logs = _log_ratio(_positive(p), _positive(t))
        total, count = sums_of(logs, view.keep)
        mean = over(total, count)[:, None, None, None, None]
        squares, _ = sums_of(square(logs - mean), view.keep)
        spread = root(nan_if_lost(over(squares, count)))
        return self.plus(view.without((p <= 0) | (t <= 0)).batch, spread, count > 0)
