from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient_or
from .._rows.pooled import check_per, Per
from .._rows.quotient import over
from ._image import Image, planes
from ._spreads import spreads
from ._windows import centred, check_fits, gaussian, means, whole


_SIDES = 17, 9, 5, 3  # of the windows, from the finest scale to the coarsest
_SMALLEST = 41  # the smallest side of an image that has a window at the coarsest scale
_FLAT = 1e-10  # a variance below this, of images of range 255, counts as 0


def _half(x: Array, like: Array) -> Array:
    """Every other window of `(rows, outer, down, across * inner)`, with an axis for `inner`."""
    x = x.reshape(*x.shape[:3], x.shape[3] // like.shape[4], like.shape[4])
    return x[:, :, ::2, ::2]


def _total(x: Array, keep: Bool[Array, "..."] | None, inner: int) -> Array:
    """The sum over the windows of each row and channel."""
    x = x if keep is None else jnp.where(keep, x, 0)
    return jnp.sum(x.reshape(*x.shape[:3], x.shape[3] // inner, inner), axis=(2, 3))


@final
class VisualInformationFidelity(Metric):
    r"""Visual information fidelity (VIF) of pixels at four scales: of each image, averaged over the
    images (`per="row"`), or of all images together (`per="pooled"`). It is the information about
    the targets that an eye with noise gets from the predictions, divided by the information that it
    gets from the targets themselves. In each window let $g = \sigma_{pt} / \sigma_t^2$, or 0 if
    that is negative, and $\sigma_v^2 = \sigma_p^2 - g \sigma_{pt}$. The value is
    $\frac{\sum \log(1 + g^2 \sigma_t^2 / (\sigma_v^2 + \sigma_n^2))}
    {\sum \log(1 + \sigma_t^2 / \sigma_n^2)}$.

    This is the form of the authors' `vifp_mscale`, sewar and torchmetrics. The value of an image is
    the mean over its channels. A prediction with more contrast than its target scores more than 1.

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][], with a `data_range`: images are scaled to a range of
        255, since the noise is for that range.
    - `per`: `"row"` or `"pooled"`.
    - `noise`: the variance $\sigma_n^2$ for images of range 255.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A masked pixel removes all windows that contain it, at each scale. An image with a side of fewer
    than 41 pixels is an error.
    The gradient is that of the value.
    State: 6 floats. Undefined when: no window of the targets has contrast; an image without
    contrast is left out.
    Source: Sheikh and Bovik, "Image information and visual quality", 2006.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        image = eqm.image.Image(data_range=1.0, channel_axis=None)
        fidelity = eqm.image.VisualInformationFidelity(image)
        x = jnp.sin(jnp.arange(48 * 48.0)).reshape(1, 48, 48)
        assert abs(fidelity(predictions=x, targets=x) - 1) < 1e-6
        assert fidelity(predictions=0.2 * x, targets=x) < 1
        ```
    """

    image: Image = eqx.field(static=True)
    per: Per = eqx.field(static=True)
    noise: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        image: Image,
        *,
        per: Per = "row",
        noise: float = 2.0,
        undefined: float | None = None,
    ):
        image.range_for("VisualInformationFidelity")
        check_per(per)
        if not noise > 0:
            raise ValueError(f"noise={noise}: expected a variance above 0.")
        self.image = image
        self.per = per
        self.noise = noise
        self.undefined = undefined
        self.sums = Sums("weights >= 0 and finite", total=(), weight=())

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`SSIM`][eqmetrics.image.SSIM]."""
        view = planes(self.image, mask, weights, predictions=predictions, targets=targets)
        what = f"the window of {_SIDES[-1]} at the last of {len(_SIDES)} scales"
        check_fits(view, predictions, self.image, _SMALLEST, what)
        (a, b), _ = centred(view)
        to_bits = 255 / self.image.range_for("VisualInformationFidelity")
        a, b, keep, inner = a * to_bits, b * to_bits, view.keep, a.shape[4]
        learned, all_there = jnp.float32(0), jnp.float32(0)
        for side in _SIDES:
            taps = gaussian(side, side / 5)
            if side != _SIDES[0]:
                a, b = (_half(x, a) for x in means([a, b], taps))
                keep = whole(keep, side, 1)
                keep = None if keep is None else keep[..., None][:, :, ::2, ::2]
            # Computed from the error and the targets: otherwise `rest` is a difference of large
            # numbers if both images are nearly equal.
            s = spreads(a - b, b, taps)
            error, true = s.variances
            flat = true < _FLAT
            more = jnp.where(flat, 0, s.covariance) / jnp.where(flat, 1, true)  # g - 1
            rest = jnp.maximum(error - more * s.covariance, 0)
            true = jnp.where(flat, 0, true)
            passed = jnp.maximum(1 + more, 0) ** 2 * true
            kept = whole(keep, side, inner)
            learned += _total(jnp.log1p(passed / (rest + self.noise)), kept, inner)
            all_there += _total(jnp.log1p(true / self.noise), kept, inner)
        if self.per == "pooled":
            of_row = lambda x: jnp.sum(x, axis=(1, 2))
            total, weight = of_row(learned), of_row(all_there)
            return self.replace(sums=self.sums.add(view.batch, total=total, weight=weight))
        some = all_there != 0  # True for NaN
        count = jnp.sum(some.astype(jnp.float32), axis=(1, 2))
        each = jnp.sum(jnp.where(some, over(learned, all_there), 0), axis=(1, 2))
        sums = self.sums.add(view.batch, total=over(each, count), weight=count > 0)
        return self.replace(sums=sums)

    def compute(self) -> Float32[Array, ""]:
        total, weight = self.sums.read("total", "weight")
        return quotient_or(total, weight, self.undefined)
