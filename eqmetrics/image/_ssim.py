from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.pooled import AbstractPooled, check_per, Per, sums_of
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._image import Image, planes
from ._windows import centred, check_fits, check_window, gaussian, Maps, Moments, moments, whole


def _likeness(m: Moments, c1: float, c2: float) -> tuple[Maps, Maps]:
    """The terms of luminance, and of contrast and structure: 1 minus the difference."""
    a, b = m.means
    return (
        1 - m.gap * m.gap / (a * a + b * b + c1),
        1 - m.of_difference / (m.of_both + c2),
    )


@final
class SSIM(AbstractPooled):
    r"""Structural similarity (SSIM), averaged over the windows of each image and then over the
    images (`per="row"`), or over the windows of all images (`per="pooled"`). For two windows with
    means $\mu$, variances $\sigma^2$ and covariance $\sigma_{pt}$ it is
    $\frac{(2 \mu_p \mu_t + c_1)(2 \sigma_{pt} + c_2)}
    {(\mu_p^2 + \mu_t^2 + c_1)(\sigma_p^2 + \sigma_t^2 + c_2)}$, with $c_i = (k_i L)^2$ and the
    `data_range` $L$. Each channel has its own windows.

    It uses Gaussian weights, population variances, and windows within the image, as Wang et al.
    define it. It equals scikit-image's `structural_similarity` with `gaussian_weights=True,
    use_sample_covariance=False`. By default scikit-image uses uniform windows of 7 pixels and
    sample variances. torchmetrics pads images by reflection, and its value differs by 0.003.

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][], with a `data_range`.
    - `per`: `"row"` or `"pooled"`, which differ only with masks of pixels or weights.
    - `window`: the side of a window, in pixels.
    - `sigma`: the standard deviation of the Gaussian weights, in pixels.
    - `k1`, `k2`: the constants $k_i$.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A masked pixel removes all windows that contain it. An image smaller than the window is an
    error. The gradient is that of the value, so 1 minus the value can be a loss.
    State: 6 floats; for each image an update needs memory for eight. Undefined when: no window was
    seen. The mean of an image is subtracted before squaring: at an offset of 250 with noise of 0.05
    and a range of 1, the value is right to 1e-4.
    Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        ssim = eqm.image.SSIM(eqm.image.Image(data_range=1.0))
        black, white = jnp.zeros((2, 16, 16, 3)), jnp.ones((2, 16, 16, 3))
        assert ssim(predictions=black, targets=black) == 1
        assert abs(ssim(predictions=black, targets=white) - 1e-4 / 1.0001) < 1e-6
        ```
    """

    image: Image = eqx.field(static=True)
    window: int = eqx.field(static=True)
    sigma: float = eqx.field(static=True)
    k1: float = eqx.field(static=True)
    k2: float = eqx.field(static=True)

    def __init__(
        self,
        image: Image,
        *,
        per: Per = "row",
        window: int = 11,
        sigma: float = 1.5,
        k1: float = 0.01,
        k2: float = 0.03,
        undefined: float | None = None,
    ):
        image.range_for("SSIM")
        check_window(window, sigma, k1=k1, k2=k2)
        self.image = image
        self.window = window
        self.sigma = sigma
        self.k1 = k1
        self.k2 = k2
        AbstractPooled.__init__(self, "weights >= 0 and finite", per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are images, with the axes of `image`. A `mask` with the shape
        of the rows removes rows; one of shape `(*rows, height, width)` removes pixels. `weights`
        has the shape of the rows."""
        view = planes(self.image, mask, weights, predictions=predictions, targets=targets)
        size, scale = self.window, self.image.range_for("SSIM")
        check_fits(view, predictions, self.image, size, f"the window of {size}")
        (a, b), offset = centred(view)
        found = moments(a, b, offset, gaussian(size, self.sigma))
        luminance, contrast = _likeness(found, (self.k1 * scale) ** 2, (self.k2 * scale) ** 2)
        return self.plus(view.batch, luminance * contrast, whole(view.keep, size, b.shape[4]))


def _halved(x: Array) -> Array:
    """Each square of two by two pixels becomes one pixel, their mean. An odd last row or column is
    left out."""
    n, outer, height, width, inner = x.shape
    x = x[:, :, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(n, outer, height // 2, 2, width // 2, 2, inner).mean(axis=(3, 5))


def _product(means: Float32[Array, "... scales"], powers: Sequence[float]) -> Array:
    # A mean below 0 counts as 0; the gradient at 0, which may be infinite, is 0.
    low = means <= 0
    every = jnp.broadcast_to(jnp.asarray(powers, jnp.float32), means.shape)
    each = jnp.where(low, 1, means) ** every
    return jnp.prod(jnp.where(low, 0, each), axis=-1)


@final
class MultiScaleSSIM(Metric):
    r"""Structural similarity at several scales (MS-SSIM): of each image, averaged over the images
    (`per="row"`), or of the windows of all images at each scale (`per="pooled"`). The value is
    $\prod_s \overline{cs}_s^{\,w_s} \cdot \overline{\text{SSIM}}_S^{\,w_S}$. Here
    $\overline{cs}_s$ is the mean over the windows of contrast and structure, at each scale $s$ but
    the last; at the last scale the mean is that of [`SSIM`][eqmetrics.image.SSIM]. The images of
    each scale have half the side of those of the scale before.

    Means below 0 count as 0, as in torchmetrics with `normalize="relu"`. torchmetrics pads images
    by reflection, and its value differs by 3e-5.

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][], with a `data_range`.
    - `per`: `"row"` or `"pooled"`.
    - `weights`: the power $w_s$ of each scale, from the finest on.
    - `window`, `sigma`, `k1`, `k2`: as for [`SSIM`][eqmetrics.image.SSIM].
    - `undefined`: what replaces an undefined value; NaN if not given.

    A pixel of a coarser scale counts if all four pixels that it is made of count. An image must be
    as large as a window at the last scale, for five scales 176 pixels; otherwise it is an error.
    The gradient is that of the value; 0 where a mean is 0 or less.
    State: 6 floats, or `4 * scales + 2` pooled. Undefined when: no image has a window at each
    scale.
    Source: Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality
    assessment", 2003.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        image = eqm.image.Image(data_range=1.0, channel_axis=None)
        similarity = eqm.image.MultiScaleSSIM(image, weights=(0.5, 0.5))
        x = jnp.linspace(0, 1, 24 * 24).reshape(1, 24, 24)
        assert similarity(predictions=x, targets=x) == 1
        ```
    """

    image: Image = eqx.field(static=True)
    per: Per = eqx.field(static=True)
    powers: tuple[float, ...] = eqx.field(static=True)
    window: int = eqx.field(static=True)
    sigma: float = eqx.field(static=True)
    k1: float = eqx.field(static=True)
    k2: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        image: Image,
        *,
        per: Per = "row",
        weights: Sequence[float] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
        window: int = 11,
        sigma: float = 1.5,
        k1: float = 0.01,
        k2: float = 0.03,
        undefined: float | None = None,
    ):
        image.range_for("MultiScaleSSIM")
        check_window(window, sigma, k1=k1, k2=k2)
        check_per(per)
        if len(weights) == 0 or not all(w > 0 for w in weights):
            raise ValueError(f"weights={weights}: expected a power above 0 for each scale.")
        self.image = image
        self.per = per
        self.powers = tuple(weights)
        self.window = window
        self.sigma = sigma
        self.k1 = k1
        self.k2 = k2
        self.undefined = undefined
        shape = (len(weights),) if per == "pooled" else ()
        self.sums = Sums("weights >= 0 and finite", total=shape, weight=shape)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`SSIM`][eqmetrics.image.SSIM]."""
        view = planes(self.image, mask, weights, predictions=predictions, targets=targets)
        scales, scale = len(self.powers), self.image.range_for("MultiScaleSSIM")
        size = self.window * 2 ** (scales - 1)
        what = f"the window of {self.window} at the last of {scales} scales"
        check_fits(view, predictions, self.image, size, what)
        (a, b), offset = centred(view)
        keep, taps = view.keep, gaussian(self.window, self.sigma)
        totals, counts = [], []
        for i in range(scales):
            found = moments(a, b, offset, taps)
            light, each = _likeness(found, (self.k1 * scale) ** 2, (self.k2 * scale) ** 2)
            if i == scales - 1:
                each = each * light
            total, count = sums_of(each, whole(keep, self.window, b.shape[4]))
            totals.append(total)
            counts.append(count)
            if i < scales - 1:
                a, b = _halved(a), _halved(b)
                keep = None if keep is None else _halved(keep.astype(jnp.float32)) == 1
        total, count = jnp.stack(totals, axis=1), jnp.stack(counts, axis=1)
        if self.per == "pooled":
            return self.replace(sums=self.sums.add(view.batch, total=total, weight=count))
        some = jnp.all(count > 0, axis=1)
        score = jnp.where(some, _product(over(total, count), self.powers), 0)
        return self.replace(sums=self.sums.add(view.batch, total=score, weight=some))

    def compute(self) -> Float32[Array, ""]:
        total, weight = self.sums.read("total", "weight")
        value = over(total, weight)
        if self.per == "pooled":
            value = _product(value, self.powers)
        return undefined_as(value, jnp.any(weight == 0), self.undefined)
