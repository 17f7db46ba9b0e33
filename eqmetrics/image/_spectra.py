"""Scores of the spectra of pixels, one number for each channel, as in remote sensing."""

from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._reduction.pair import minus
from .._rows.pooled import AbstractPooled, Per
from .._rows.quotient import over, root
from .._rows.row_mean import AbstractRowMean
from ._image import Image, Planes, planes


def of_channels(image: Image, metric: str) -> Image:
    if image.channel_axis is None:
        raise ValueError(
            f"channel_axis=None: `{metric}` is of spectra, which lie on an axis of channels: "
            "-1 or -3."
        )
    return image


def _length(x: Array) -> Float32[Array, "rows 1 height width 1"]:
    return root(jnp.sum(x * x, axis=(1, 4), keepdims=True))


@final
class SpectralAngle(AbstractPooled):
    r"""The spectral angle mapper (SAM): the mean angle between the spectra of predictions and
    targets, in radians: $\arccos \frac{\langle p, t \rangle}{\lVert p \rVert \lVert t \rVert}$. The
    mean is over the pixels of each image and then over the images (`per="row"`), or over all pixels
    together (`per="pooled"`).

    A pixel with a spectrum of zeros has no angle, and is left out, as in sewar.

    **Arguments:**

    - `image`: an [`eqmetrics.image.Image`][] that says which axis contains the channels.
    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    An angle is computed as $2 \arctan$ of a quotient of two lengths, since arc cosines in float32
    can't give angles below 3e-4.
    The gradient is that of the value; 0 where an angle is 0.
    State: 6 floats. Undefined when: no pixel has an angle.
    Source: Yuhas, Goetz and Boardman, "Discrimination among semi-arid landscape endmembers using
    the spectral angle mapper algorithm", 1992.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        angle = eqm.image.SpectralAngle()
        p, t = jnp.array([[[[1.0, 0.0], [2.0, 2.0]]]]), jnp.array([[[[0.0, 3.0], [1.0, 1.0]]]])
        assert abs(angle(predictions=p, targets=t) - jnp.pi / 4) < 1e-6
        ```
    """

    image: Image = eqx.field(static=True)

    def __init__(
        self, image: Image = Image(), *, per: Per = "row", undefined: float | None = None  # noqa: B008
    ):
        self.image = of_channels(image, "SpectralAngle")
        AbstractPooled.__init__(self, "weights >= 0 and finite", per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`PSNR`][eqmetrics.image.PSNR]."""
        view = planes(self.image, mask, weights, predictions=predictions, targets=targets)
        sizes = [_length(x) for x in view.arrays]
        none = (sizes[0] == 0) | (sizes[1] == 0)
        p, t = (x / jnp.where(none, 1, n) for x, n in zip(view.arrays, sizes, strict=True))
        apart, along = _length(p - t), jnp.where(none, 1, _length(p + t))
        keep = ~none if view.keep is None else view.keep & ~none
        return self.plus(view.batch, 2 * jnp.atan2(apart, along), keep)


def _by_channel(view: Planes, x: Array) -> Float32[Array, "rows channels"]:
    """The mean over the pixels that count; 0 if there are none."""
    rows, outer, height, width, inner = x.shape
    if view.keep is None:
        count = jnp.float32(max(height * width, 1))
    else:
        x = jnp.where(view.keep, x, 0)
        kept = jnp.sum(view.keep.astype(jnp.float32), axis=(2, 3))
        count = jnp.maximum(kept, 1).reshape(rows, 1)
    return jnp.sum(x, axis=(2, 3)).reshape(rows, outer * inner) / count


def _errors(
    image: Image, predictions: Values, targets: Values, mask: Mask, weights: Weights
) -> tuple[Planes, Float32[Array, "rows channels"], Float32[Array, "rows channels"]]:
    """The images, and for each channel the mean squared error and the mean of the targets."""
    view = planes(image, mask, weights, predictions=predictions, targets=targets)
    errors = view.plane(minus(predictions, targets))
    return view, _by_channel(view, errors * errors), _by_channel(view, view.arrays[1])


@final
class ERGAS(AbstractRowMean):
    r"""The relative dimensionless global error in synthesis (ERGAS), averaged over the images:
    $\frac{100}{r} \sqrt{\frac{1}{C} \sum_c \text{MSE}_c / \mu_c^2}$, with $\mu_c$ the mean of the
    targets in each of the $C$ channels, and $r$ the `ratio`.

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][].
    - `ratio`: the side of a pixel of the coarse image that predictions were made from, divided by
        the side of a pixel of the predictions. torchmetrics takes the same ratio, sewar its
        inverse.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; 0 where there is no error.
    State: 6 floats. Undefined when: no image has a value. An image has no value, and is left out,
    if the mean target of a channel is 0.
    Source: Wald, "Quality of high resolution synthesised images: is there a simple criterion?",
    2000.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        t = jnp.full((1, 8, 8, 3), 0.5)
        value = eqm.image.ERGAS(ratio=4)(predictions=t + 0.05, targets=t)
        assert abs(value - 100 / 4 * 0.1) < 1e-5
        ```
    """

    image: Image = eqx.field(static=True)
    ratio: float = eqx.field(static=True)

    def __init__(
        self,
        image: Image = Image(),  # noqa: B008
        *,
        ratio: float = 4.0,
        undefined: float | None = None,
    ):
        if not ratio > 0:
            raise ValueError(f"ratio={ratio}: expected a number above 0.")
        self.image = image
        self.ratio = ratio
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`PSNR`][eqmetrics.image.PSNR]."""
        view, squares, mean = _errors(self.image, predictions, targets, mask, weights)
        some = jnp.all(mean != 0, axis=1)
        each = over(squares, jnp.where(some[:, None], mean * mean, 1))
        return self.plus(view.batch, 100 / self.ratio * root(jnp.mean(each, axis=1)), some)


@final
class RASE(AbstractRowMean):
    r"""The relative average spectral error (RASE) in percent, averaged over the images:
    $\frac{100}{\mu} \sqrt{\frac{1}{C} \sum_c \text{MSE}_c}$, with $\mu$ the mean of the targets in
    all $C$ channels.

    It is computed from whole images, as González-Audicana et al. define it. sewar takes the mean
    over windows of 8 pixels, and torchmetrics averages the windows of all images first.

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; 0 where there is no error.
    State: 6 floats. Undefined when: no image has a value. An image has no value, and is left out,
    if its mean target is 0.
    Source: González-Audicana et al., "Fusion of multispectral and panchromatic images using
    improved IHS and PCA mergers based on wavelet decomposition", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        t = jnp.full((1, 8, 8, 3), 0.5)
        assert abs(eqm.image.RASE()(predictions=t + 0.05, targets=t) - 10) < 1e-4
        ```
    """

    image: Image = eqx.field(static=True)

    def __init__(self, image: Image = Image(), *, undefined: float | None = None):  # noqa: B008
        self.image = image
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`PSNR`][eqmetrics.image.PSNR]."""
        view, squares, means = _errors(self.image, predictions, targets, mask, weights)
        mean = jnp.mean(means, axis=1)
        some = mean != 0
        each = 100 * root(jnp.mean(squares, axis=1)) / jnp.where(some, jnp.abs(mean), 1)
        return self.plus(view.batch, each, some)
