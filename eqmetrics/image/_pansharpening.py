"""Scores of pansharpened images, without a reference. Pansharpened images are coarse images of many
channels that were sharpened with a fine image without channels."""

from typing import final, Self

import equinox as eqx
import jax.numpy as jnp

from .._custom_types import Mask, Values, Weights
from .._rows.row_mean import AbstractRowMean
from ._bands import four, same_rows, spatial, spectral, Windows
from ._image import Image
from ._spectra import of_channels
from ._universal_quality import check_universal


class _AbstractDistortion(AbstractRowMean):
    """A score in the windows of [`UniversalQuality`][eqmetrics.image.UniversalQuality]."""

    image: Image = eqx.field(static=True)
    window: int = eqx.field(static=True)
    sigma: float | None = eqx.field(static=True)

    def __init__(
        self,
        image: Image = Image(),  # noqa: B008
        *,
        window: int = 8,
        sigma: float | None = None,
        undefined: float | None = None,
    ):
        self.image = of_channels(image, type(self).__name__)
        check_universal(window, sigma)
        self.window = window
        self.sigma = sigma
        AbstractRowMean.__init__(self, undefined=undefined)


@final
class SpectralDistortion(_AbstractDistortion, init=False):
    r"""The spectral distortion index $D_\lambda$ of pansharpened images, without a reference,
    averaged over the images. It says how much the similarity of the channels has changed:
    $\frac{1}{C (C - 1)} \sum_{c \ne d} \lvert Q(p_c, p_d) - Q(m_c, m_d) \rvert$ for predictions $p$
    and multispectral images $m$. $Q$ is
    [`UniversalQuality`][eqmetrics.image.UniversalQuality]; its windows have as many pixels in the
    coarse images as in the fine ones.

    The exponent of the paper is 1 here. torchmetrics averages $Q$ over all images first.

    **Arguments:**

    - `image`: an [`eqmetrics.image.Image`][] that says which axis holds the channels; there must be
        at least two.
    - `window`, `sigma`: as for [`UniversalQuality`][eqmetrics.image.UniversalQuality].
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: 6 floats. Undefined when: no image was seen.
    Source: Alparone et al., "Multispectral and panchromatic data fusion assessment without
    reference", 2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coarse = jnp.sin(jnp.arange(8 * 8 * 3.0)).reshape(1, 8, 8, 3)
        fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
        distortion = eqm.image.SpectralDistortion(window=2)
        assert distortion(predictions=coarse, multispectral=coarse) < 1e-6
        assert distortion(predictions=fine, multispectral=coarse) > 0
        ```
    """

    def update(
        self,
        *,
        predictions: Values,
        multispectral: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions` are the fine images, with the axes of `image`. `multispectral` are the
        coarse images that they were made from, with the same rows and channels. `mask` and
        `weights` have the shape of the rows."""
        image, windows = self.image, Windows(self.window, self.sigma)
        same_rows(image, predictions, multispectral=(image, multispectral))
        batch, fine = windows.bands(image, "predictions", predictions, mask, weights)
        _, coarse = windows.bands(image, "multispectral", multispectral, mask, None)
        return self.plus(batch, spectral(windows, fine, coarse))


@final
class SpatialDistortion(_AbstractDistortion, init=False):
    r"""The spatial distortion index $D_s$ of pansharpened images, without a reference, averaged
    over the images. It says how much the similarity of the channels to the panchromatic image has
    changed: $\frac{1}{C} \sum_c \lvert Q(p_c, g) - Q(m_c, \tilde g) \rvert$, where $Q$ is
    [`UniversalQuality`][eqmetrics.image.UniversalQuality], $g$ the panchromatic image, and $\tilde
    g$ the same image, as coarse as the multispectral one.

    The exponent of the paper is 1 here. sewar and torchmetrics compute $\tilde g$ with a filter of
    7 pixels, each in its own way; here you compute it with the filter of your sensor, and pass it.

    **Arguments:**

    - `image`, `window`, `sigma`, `undefined`: as for
        [`SpectralDistortion`][eqmetrics.image.SpectralDistortion].

    The gradient is that of the value.
    State: 6 floats. Undefined when: no image was seen.
    Source: Alparone et al., "Multispectral and panchromatic data fusion assessment without
    reference", 2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coarse = jnp.sin(jnp.arange(8 * 8 * 3.0)).reshape(1, 8, 8, 3)
        images = {"multispectral": coarse, "coarse_panchromatic": coarse.mean(-1)}
        distortion = eqm.image.SpatialDistortion(window=2)
        assert distortion(predictions=coarse, panchromatic=coarse.mean(-1), **images) < 1e-6
        ```
    """

    def update(
        self,
        *,
        predictions: Values,
        multispectral: Values,
        panchromatic: Values,
        coarse_panchromatic: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions` and `multispectral` are those of
        [`SpectralDistortion`][eqmetrics.image.SpectralDistortion]; `panchromatic` has the rows,
        height and width of `predictions`, and `coarse_panchromatic` those of `multispectral`, both
        without an axis of channels."""
        windows = Windows(self.window, self.sigma)
        batch, bands = four(
            self.image, windows, predictions, multispectral, panchromatic, coarse_panchromatic,
            mask, weights,
        )  # fmt: skip
        return self.plus(batch, spatial(windows, *bands))


@final
class QNR(_AbstractDistortion):
    r"""The quality with no reference (QNR) of pansharpened images, averaged over the images:
    $(1 - D_\lambda)^\alpha (1 - D_s)^\beta$, with
    [`SpectralDistortion`][eqmetrics.image.SpectralDistortion] and
    [`SpatialDistortion`][eqmetrics.image.SpatialDistortion] of each image.

    A distortion above 1 counts as 1. torchmetrics takes the distortions over all images instead.

    **Arguments:**

    - `image`, `window`, `sigma`, `undefined`: as for
        [`SpectralDistortion`][eqmetrics.image.SpectralDistortion].
    - `alpha`, `beta`: the two powers.

    The gradient is that of the value.
    State: 6 floats. Undefined when: no image was seen.
    Source: Alparone et al., "Multispectral and panchromatic data fusion assessment without
    reference", 2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coarse = jnp.sin(jnp.arange(8 * 8 * 3.0)).reshape(1, 8, 8, 3)
        images = {"multispectral": coarse, "coarse_panchromatic": coarse.mean(-1)}
        quality = eqm.image.QNR(window=2)
        value = quality(predictions=coarse, panchromatic=coarse.mean(-1), **images)
        assert abs(value - 1) < 1e-6
        ```
    """

    alpha: float = eqx.field(static=True)
    beta: float = eqx.field(static=True)

    def __init__(
        self,
        image: Image = Image(),  # noqa: B008
        *,
        window: int = 8,
        sigma: float | None = None,
        alpha: float = 1.0,
        beta: float = 1.0,
        undefined: float | None = None,
    ):
        if not (alpha > 0 and beta > 0):
            raise ValueError(f"alpha={alpha}, beta={beta}: expected powers above 0.")
        self.alpha = alpha
        self.beta = beta
        _AbstractDistortion.__init__(
            self, image, window=window, sigma=sigma, undefined=undefined
        )

    def update(
        self,
        *,
        predictions: Values,
        multispectral: Values,
        panchromatic: Values,
        coarse_panchromatic: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """The arguments are those of [`SpatialDistortion`][eqmetrics.image.SpatialDistortion]."""
        windows = Windows(self.window, self.sigma)
        batch, bands = four(
            self.image, windows, predictions, multispectral, panchromatic, coarse_panchromatic,
            mask, weights,
        )  # fmt: skip
        fine, coarse = bands[:2]
        kept = jnp.maximum(1 - spectral(windows, fine, coarse), 0)
        sharp = jnp.maximum(1 - spatial(windows, *bands), 0)
        return self.plus(batch, kept**self.alpha * sharp**self.beta)
