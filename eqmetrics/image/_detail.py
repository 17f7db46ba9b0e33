"""Scores of differences between neighbouring pixels."""

from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values, Weights
from .._rows.pooled import AbstractPooled, Per
from .._rows.quotient import root
from .._rows.row_mean import AbstractRowMean
from ._image import Image, planes
from ._spreads import spreads
from ._windows import check_fits, check_window, whole


def _detail(x: Array) -> Array:
    """For each pixel the sum of the differences to its eight neighbours. Pixels at the border,
    which have fewer neighbours, are left out."""
    height, width = x.shape[2] - 2, x.shape[3] - 2
    part = lambda i, j: x[:, :, i : i + height, j : j + width]
    others = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    return sum((part(1, 1) - part(i, j) for i, j in others), jnp.zeros((), x.dtype))


@final
class SpatialCorrelation(AbstractPooled):
    r"""The spatial correlation coefficient (SCC): how well the details of two images correlate,
    averaged over the windows of each image and then over the images (`per="row"`), or over the
    windows of all images (`per="pooled"`). Details are the Laplacian of an image, from the eight
    neighbours of each pixel. The value of a window is Pearson's correlation of the details in it,
    channel by channel.

    The windows are those of sewar and torchmetrics, but only within the image: these libraries pad
    its border by reflection or zeros. If one of two windows has no details, the correlation is 0.
    If neither has details, the window is left out (in sewar and torchmetrics it counts as 0).

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][].
    - `per`: `"row"` or `"pooled"`.
    - `window`: the side of a window of details, in pixels.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A masked pixel removes all windows that contain it or a neighbour. An image smaller than the
    window with a border of one pixel is an error.
    The gradient is that of the value.
    State: 6 floats. Undefined when: no window has details.
    Source: Zhou, Civco and Silander, "A wavelet transform method to merge Landsat TM and SPOT
    panchromatic data", 1998.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        correlation = eqm.image.SpatialCorrelation(eqm.image.Image(channel_axis=None))
        x = jnp.sin(jnp.arange(256.0)).reshape(1, 16, 16)
        assert abs(correlation(predictions=3 * x + 1, targets=x) - 1) < 1e-5
        assert abs(correlation(predictions=-x, targets=x) + 1) < 1e-5
        ```
    """

    image: Image = eqx.field(static=True)
    window: int = eqx.field(static=True)

    def __init__(
        self,
        image: Image = Image(),  # noqa: B008
        *,
        per: Per = "row",
        window: int = 8,
        undefined: float | None = None,
    ):
        check_window(window)
        self.image = image
        self.window = window
        AbstractPooled.__init__(self, "weights >= 0 and finite", per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`SSIM`][eqmetrics.image.SSIM]."""
        view = planes(self.image, mask, weights, predictions=predictions, targets=targets)
        size = self.window
        what = f"the window of {size} and the pixels around it"
        check_fits(view, predictions, self.image, size + 2, what)
        a, b = lax.optimization_barrier(tuple(_detail(x) for x in view.arrays))
        s = spreads(a, b, (1 / size,) * size)
        one, other = (root(x) for x in s.variances)
        both = (one != 0) & (other != 0)
        each = s.covariance / jnp.where(both, one, 1) / jnp.where(both, other, 1)
        keep = (one != 0) | (other != 0)
        kept = whole(view.keep, size + 2, b.shape[4])
        if kept is not None:
            keep &= kept
        return self.plus(view.batch, jnp.where(both, each, 0), keep)


def _steps(
    x: Array, keep: Bool[Array, "rows 1 height width 1"] | None, axis: int
) -> Float32[Array, "rows"]:
    part = lambda y, start: lax.slice_in_dim(y, start, y.shape[axis] - 1 + start, axis=axis)
    gaps = part(x, 1) - part(x, 0)
    gaps = gaps * lax.stop_gradient(jnp.sign(gaps))  # jax's `abs` has a gradient of 1 at 0
    if keep is not None:
        gaps = jnp.where(part(keep, 1) & part(keep, 0), gaps, 0)
    return jnp.sum(gaps, axis=(1, 2, 3, 4))


@final
class TotalVariation(AbstractRowMean):
    r"""The total variation of images, averaged over the images: the sum over the channels of
    $\sum_{ij} \lvert x_{i+1,j} - x_{ij} \rvert + \lvert x_{i,j+1} - x_{ij} \rvert$, the anisotropic
    form of torchmetrics and TensorFlow.

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    A difference of two pixels is left out if either is masked.
    The gradient is that of the value; it is 0 for equal neighbours.
    State: 6 floats. Undefined when: no image with a pixel was seen.
    Source: Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms",
    1992.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        variation = eqm.image.TotalVariation(eqm.image.Image(channel_axis=None))
        assert variation(predictions=jnp.array([[[0.0, 1.0], [2.0, 4.0]]])) == 8
        ```
    """

    image: Image = eqx.field(static=True)

    def __init__(self, image: Image = Image(), *, undefined: float | None = None):  # noqa: B008
        self.image = image
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(self, *, predictions: Values, mask: Mask = None, weights: Weights = None) -> Self:
        """`predictions` are images, with the axes of `image`. A `mask` with the shape of the rows
        removes rows; one of shape `(*rows, height, width)` removes pixels. `weights` has the shape
        of the rows."""
        view = planes(self.image, mask, weights, predictions=predictions)
        (x,) = view.arrays
        total = _steps(x, view.keep, 2) + _steps(x, view.keep, 3)
        if view.keep is None:
            some = jnp.full(x.shape[0], x.shape[2] * x.shape[3] > 0)
        else:
            some = jnp.any(view.keep, axis=(1, 2, 3, 4))
        return self.plus(view.batch, total, some)
