from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._reduction.pair import minus
from .._rows.pooled import AbstractPooled, Per
from .._rows.squares import nan_if_lost, square
from ._image import Image, planes


@final
class PSNR(AbstractPooled):
    r"""The peak signal-to-noise ratio in decibels, $10 \log_{10}(L^2 / \text{MSE})$ with the
    `data_range` $L$: of each image, averaged over the images (`per="row"`), or from the mean
    squared error of all pixels together (`per="pooled"`).

    The two differ. For two images with squared errors 0.01 and 0.0001 the value by row is 30 dB, as
    in papers, metrax, dm-pix and TensorFlow. Pooled it is 22.97 dB, as in torchmetrics and
    torcheval.

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][], with a `data_range`.
    - `per`: `"row"` or `"pooled"`.
    - `floor`: a smaller mean squared error, of images of range 1, counts as this one:
        `floor=1e-10` limits the value to 100 dB. Without it, the value of an image that equals its
        target is infinite, and so is the mean.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; that of equal images is 0.
    State: 6 floats. Undefined when: no pixel was seen. Above 300 dB the value is NaN, since the
    squares are too small for float32. NaN in a pixel propagates.
    Source: ITU-T J.340, 2010; Huynh-Thu and Ghanbari, "Scope of validity of PSNR in image/video
    quality assessment", 2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        psnr = eqm.image.PSNR(eqm.image.Image(data_range=1.0))
        value = psnr(predictions=jnp.full((2, 8, 8, 3), 0.1), targets=jnp.zeros((2, 8, 8, 3)))
        assert abs(value - 20) < 1e-5
        ```
    """

    image: Image = eqx.field(static=True)
    floor: float | None = eqx.field(static=True)

    def __init__(
        self,
        image: Image,
        *,
        per: Per = "row",
        floor: float | None = None,
        undefined: float | None = None,
    ):
        image.range_for("PSNR")
        if floor is not None and not floor >= 0:
            raise ValueError(f"floor={floor}: expected a squared error, at least 0.")
        self.image = image
        self.floor = floor
        AbstractPooled.__init__(self, "weights >= 0 and finite", per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        mean = nan_if_lost(mean)
        if self.floor:
            mean = jnp.maximum(mean, self.floor)
        equal = mean == 0
        return jnp.where(equal, jnp.inf, -10 * jnp.log10(jnp.where(equal, 1, mean)))

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are images, with the axes of `image`. A `mask` with the shape
        of the rows removes rows; one of shape `(*rows, height, width)` removes pixels. `weights`
        has the shape of the rows."""
        view = planes(self.image, mask, weights, predictions=predictions, targets=targets)
        errors = view.plane(minus(predictions, targets)) / self.image.range_for("PSNR")
        return self.plus(view.batch, square(errors), view.keep)
