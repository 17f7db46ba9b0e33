"""Scores of optical flow: images of two numbers a pixel."""

import dataclasses
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._rows.pooled import AbstractPooled, Per
from .._rows.quotient import root
from ._image import Image, Planes, planes


_VALID = "weights >= 0 and finite"


def _of_two(image: Image) -> Image:
    if image.channel_axis is None:
        raise ValueError(
            "channel_axis=None: a flow has an axis of two channels, across and down: -1 or -3."
        )
    return dataclasses.replace(image, channels=2)


def _length(x: Array) -> Float32[Array, "rows 1 height width 1"]:
    return root(jnp.sum(x * x, axis=(1, 4), keepdims=True))


def _flows(
    image: Image, predictions: Values, targets: Values, mask: Mask, weights: Weights
) -> tuple[Planes, Array, Array]:
    """The flows, and the lengths of the error and of the target."""
    view = planes(image, mask, weights, predictions=predictions, targets=targets)
    p, t = view.arrays
    return view, _length(p - t), _length(t)


@final
class EndPointError(AbstractPooled):
    r"""The mean length of the error of an optical flow, $\lVert p - t \rVert$ in pixels. The mean
    is over the pixels of each image and then over the images (`per="row"`), or over all pixels
    together (`per="pooled"`, as in Sintel and KITTI).

    **Arguments:**

    - `image`: an [`eqmetrics.image.Image`][] that says which axis contains the two numbers of a
        pixel.
    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Use a `mask` of shape `(*rows, height, width)` to leave out pixels without a known flow.
    The gradient is that of the value; 0 where an error is 0.
    State: 6 floats. Undefined when: no pixel was seen.
    Source: Otte and Nagel, "Optical flow estimation: advances and comparisons", 1994; Baker et
    al., "A database and evaluation methodology for optical flow", 2011.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.image.EndPointError()
        p, t = jnp.zeros((1, 4, 4, 2)), jnp.zeros((1, 4, 4, 2)).at[..., 0].set(3.0)
        assert error(predictions=p, targets=t) == 3
        ```
    """

    image: Image = eqx.field(static=True)

    def __init__(
        self, image: Image = Image(), *, per: Per = "row", undefined: float | None = None  # noqa: B008
    ):
        self.image = _of_two(image)
        AbstractPooled.__init__(self, _VALID, per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are flows, of shape `(*rows, height, width, 2)` or with the
        axes of `image`. A `mask` with the shape of the rows removes rows; one of shape
        `(*rows, height, width)` removes pixels. `weights` has the shape of the rows."""
        view, errors, _ = _flows(self.image, predictions, targets, mask, weights)
        return self.plus(view.batch, errors, view.keep)


@final
class FlowOutliers(AbstractPooled):
    r"""The share of pixels whose optical flow is wrong: with an error of more than 3 pixels and
    more than 5 % of the length of the target. The share is that of each image, averaged over the
    images (`per="row"`), or that of all pixels together (`per="pooled"`, KITTI's Fl-all).

    **Arguments:**

    - `image`: an [`eqmetrics.image.Image`][] that says which axis contains the two numbers of a
        pixel.
    - `pixels`: errors up to this length don't count as wrong.
    - `share`: errors up to this share of the length of the target don't count as wrong either.
    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Use a `mask` of shape `(*rows, height, width)` to leave out pixels without a known flow.
    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no pixel was seen.
    Source: Menze and Geiger, "Object scene flow for autonomous vehicles", 2015.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        outliers = eqm.image.FlowOutliers()
        t = jnp.array([[[[10.0, 0.0], [100.0, 0.0], [10.0, 0.0]]]])
        p = t + jnp.array([[[[4.0, 0.0], [4.0, 0.0], [2.0, 0.0]]]])
        assert abs(outliers(predictions=p, targets=t) - 1 / 3) < 1e-6
        ```
    """

    image: Image = eqx.field(static=True)
    pixels: float = eqx.field(static=True)
    share: float = eqx.field(static=True)

    def __init__(
        self,
        image: Image = Image(),  # noqa: B008
        *,
        pixels: float = 3.0,
        share: float = 0.05,
        per: Per = "row",
        undefined: float | None = None,
    ):
        if not (pixels >= 0 and share >= 0):
            raise ValueError(f"pixels={pixels}, share={share}: expected numbers of at least 0.")
        self.image = _of_two(image)
        self.pixels = pixels
        self.share = share
        AbstractPooled.__init__(self, _VALID, per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`EndPointError`][eqmetrics.image.EndPointError]."""
        view, errors, size = _flows(self.image, predictions, targets, mask, weights)
        wrong = (errors > self.pixels) & (errors > self.share * size)
        nan = jnp.isnan(errors)  # propagates: it isn't a hit
        each = jnp.where(nan, jnp.nan, wrong.astype(jnp.float32))
        return self.plus(view.batch, each, view.keep)
