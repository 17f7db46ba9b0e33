from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._rows.pooled import AbstractPooled, Per
from ._image import Image, planes
from ._spreads import Spreads, spreads
from ._windows import check_fits, check_window, gaussian, Maps, whole


def window_of(size: int, sigma: float | None) -> tuple[float, ...]:
    """The weights along a side: Gaussian, or all the same."""
    return (1 / size,) * size if sigma is None else gaussian(size, sigma)


def check_universal(size: int, sigma: float | None) -> None:
    check_window(size, 1.0 if sigma is None else sigma)


def universal(s: Spreads) -> Maps:
    """The similarity of two windows, in luminance and in contrast; 1 where neither has any."""
    (a, b), (variance, other) = s.means, s.variances
    both, light, gap = variance + other, a * a + b * b, a - b
    contrast = jnp.where(both == 0, 1, 2 * s.covariance / jnp.where(both == 0, 1, both))
    return contrast * (1 - gap * gap / jnp.where(light == 0, 1, light))


@final
class UniversalQuality(AbstractPooled):
    r"""The universal image quality index (UQI), averaged over the windows of each image and then
    over the images (`per="row"`), or over the windows of all images (`per="pooled"`). For two
    windows with means $\mu$, variances $\sigma^2$ and covariance $\sigma_{pt}$ it is
    $\frac{2 \mu_p \mu_t}{\mu_p^2 + \mu_t^2} \cdot \frac{2 \sigma_{pt}}{\sigma_p^2 + \sigma_t^2}$.

    It is the limit of [`SSIM`][eqmetrics.image.SSIM] for constants of 0, also where a quotient is
    0/0: the second factor is 1 for two flat windows, as in Wang and Bovik's code, and the first is
    1 for two black windows. If only one window is flat, the covariance is 0, and so is the index.
    (sewar counts the covariance of such a window 64 times.)

    **Arguments:**

    - `image`: [`eqmetrics.image.Image`][].
    - `per`: `"row"` or `"pooled"`, which differ only with masks of pixels or weights.
    - `window`: the side of a window, in pixels.
    - `sigma`: the standard deviation of Gaussian weights, in pixels. If not given, all pixels of a
        window have the same weight, as in the paper. (torchmetrics uses `window=11, sigma=1.5`, and
        pads images by reflection.)
    - `undefined`: what replaces an undefined value; NaN if not given.

    A masked pixel removes all windows that contain it. An image smaller than the window is an
    error.
    The gradient is that of the value.
    State: 6 floats. Undefined when: no window was seen.
    Source: Wang and Bovik, "A universal image quality index", 2002.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        quality = eqm.image.UniversalQuality(eqm.image.Image(channel_axis=None))
        x = jnp.linspace(0, 1, 16 * 16).reshape(1, 16, 16)
        assert quality(predictions=x, targets=x) == 1
        assert abs(quality(predictions=2 * x, targets=x) - 0.8 * 0.8) < 1e-6
        ```
    """

    image: Image = eqx.field(static=True)
    window: int = eqx.field(static=True)
    sigma: float | None = eqx.field(static=True)

    def __init__(
        self,
        image: Image = Image(),  # noqa: B008
        *,
        per: Per = "row",
        window: int = 8,
        sigma: float | None = None,
        undefined: float | None = None,
    ):
        check_universal(window, sigma)
        self.image = image
        self.window = window
        self.sigma = sigma
        AbstractPooled.__init__(self, "weights >= 0 and finite", per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """The arguments are those of [`SSIM`][eqmetrics.image.SSIM]."""
        view = planes(self.image, mask, weights, predictions=predictions, targets=targets)
        check_fits(view, predictions, self.image, self.window, f"the window of {self.window}")
        a, b = view.arrays
        each = universal(spreads(a, b, window_of(self.window, self.sigma)))
        return self.plus(view.batch, each, whole(view.keep, self.window, b.shape[4]))
