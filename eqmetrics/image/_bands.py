"""The similarity of single channels of images, which may have two sizes."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._rows.rows import Rows
from ._image import Image, planes
from ._spreads import spreads
from ._universal_quality import universal, window_of
from ._windows import check_fits


Bands = Float32[Array, "rows channels height width 1"]
_GREY = Image(channel_axis=None)


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows in which two bands are compared."""

    window: int
    sigma: float | None

    def bands(
        self, image: Image, name: str, x: Any, mask: Any, weights: Any
    ) -> tuple[Rows, Bands]:
        """The channels of an image as images of one channel."""
        leading = x.ndim - image.inner
        if mask is not None and mask.ndim > leading:
            raise TypeError(
                f"`mask` is {describe(mask)} and `{name}` is {describe(x)}: expected a mask of "
                "images, with the axes of the rows. Pixels have two sizes, and none are left out."
            )
        view = planes(image, mask, weights, **{name: x})
        check_fits(view, x, image, self.window, f"the window of {self.window}", name)
        (found,) = view.arrays
        rows, outer, height, width, inner = found.shape
        found = jnp.moveaxis(found, 4, 1)
        return view.batch, found.reshape(rows, outer * inner, height, width, 1)

    def quality(self, a: Bands, b: Bands) -> Float32[Array, "rows channels"]:
        each = universal(spreads(a, b, window_of(self.window, self.sigma)))
        return jnp.mean(each, axis=(2, 3))

    def of_pairs(self, x: Bands) -> Float32[Array, "rows pairs"]:
        """The similarity of each pair of bands."""
        first, second = np.triu_indices(x.shape[1], 1)
        return self.quality(x[:, first], x[:, second])

    def of_each(self, x: Bands, grey: Bands) -> Float32[Array, "rows channels"]:
        """The similarity of each band to the image without channels."""
        return self.quality(x, jnp.broadcast_to(grey, x.shape))


def same_rows(image: Image, like: Any, **others: tuple[Image, Any]) -> None:
    """Checks that all images have the same rows, and that those with channels have the same number
    of channels."""
    rows = like.shape[: max(like.ndim - image.inner, 0)]
    for name, (layout, x) in others.items():
        if x.shape[: max(x.ndim - layout.inner, 0)] != rows:
            raise TypeError(
                f"`{name}` is {describe(x)} and `predictions` is {describe(like)}: expected the "
                f"rows {rows}, and images of axes ({layout.axes})."
            )
        axis = layout.channel_axis
        if axis is not None and x.shape[axis] != like.shape[axis]:
            raise TypeError(
                f"`{name}` is {describe(x)} and `predictions` is {describe(like)}: expected as "
                f"many channels, on the axis {axis}."
            )


def spectral(windows: Windows, fine: Bands, coarse: Bands) -> Float32[Array, "rows"]:
    if fine.shape[1] < 2:
        raise TypeError("The images have one channel, expected at least two: pairs are compared.")
    return jnp.mean(jnp.abs(windows.of_pairs(fine) - windows.of_pairs(coarse)), axis=1)


def spatial(
    windows: Windows, fine: Bands, coarse: Bands, grey: Bands, coarse_grey: Bands
) -> Float32[Array, "rows"]:
    gaps = windows.of_each(fine, grey) - windows.of_each(coarse, coarse_grey)
    return jnp.mean(jnp.abs(gaps), axis=1)


def four(
    image: Image,
    windows: Windows,
    predictions: Values,
    multispectral: Values,
    panchromatic: Values,
    coarse_panchromatic: Values,
    mask: Mask,
    weights: Weights,
) -> tuple[Rows, tuple[Bands, Bands, Bands, Bands]]:
    others = {
        "multispectral": (image, multispectral),
        "panchromatic": (_GREY, panchromatic),
        "coarse_panchromatic": (_GREY, coarse_panchromatic),
    }
    same_rows(image, predictions, **others)
    batch, fine = windows.bands(image, "predictions", predictions, mask, weights)
    coarse, grey, coarse_grey = (
        windows.bands(layout, name, x, mask, None)[1] for name, (layout, x) in others.items()
    )
    pairs = ("panchromatic", grey, fine), ("coarse_panchromatic", coarse_grey, coarse)
    for name, x, like in pairs:
        if x.shape[2:4] != like.shape[2:4]:
            than = "predictions" if like is fine else "multispectral"
            raise TypeError(
                f"`{name}` has a height and width of {x.shape[2:4]} and `{than}` of "
                f"{like.shape[2:4]}: expected the same."
            )
    return batch, (fine, coarse, grey, coarse_grey)
