"""Means in sliding windows, as sums of shifted slices.

On a CPU, XLA takes 7.6 times as long as scikit-image for a convolution, and 0.3 to 0.6 times as
long for these sums: the last axis is width and channels together, so slices of an axis are whole
vectors. On an accelerator nothing else was measured.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._metric.messages import describe
from ._image import Image, Planes


Maps = Float32[Array, "rows outer windows_down windows_across"]


def gaussian(size: int, sigma: float) -> tuple[float, ...]:
    x = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return tuple(float(w) for w in weights / weights.sum())


def check_window(size: int, sigma: float = 1.0, **constants: float) -> None:
    if size < 2:
        raise ValueError(f"window={size}: expected a side of at least 2 pixels.")
    if not sigma > 0:
        raise ValueError(f"sigma={sigma}: expected a number above 0.")
    for name, x in constants.items():
        if not 0 <= x < math.inf:
            raise ValueError(f"{name}={x}: expected a number from 0 on.")


def check_fits(
    view: Planes, like: Any, image: Image, size: int, what: str, name: str = "predictions"
) -> None:
    """Images that are too small for a window are an error when the program is traced."""
    height, width = view.arrays[0].shape[2:4]
    if min(height, width) < size:
        raise TypeError(
            f"`{name}` is {describe(like)}: images of height {height} and width {width}, "
            f"expected at least {size} of both, for {what}. The axes are read as "
            f"(*rows, {image.axes}); others are said by `eqm.image.Image(channel_axis=...)`."
        )


def centred(view: Planes) -> tuple[tuple[Array, ...], Float32[Array, "rows outer 1 1 inner"]]:
    """Two things: the images minus the mean of the last one, for each channel; and that mean.
    Variances are differences of squares, which otherwise lose all digits for a bright, flat
    image."""
    last = view.arrays[-1]
    pixels = last.shape[2] * last.shape[3]
    if view.keep is None:
        count = jnp.float32(max(pixels, 1))
    else:
        kept = jnp.sum(view.keep.astype(jnp.float32), axis=(2, 3), keepdims=True)
        count = jnp.maximum(kept, 1)
    # No value depends on what is subtracted, so no gradient does.
    offset = lax.stop_gradient(jnp.sum(last, axis=(2, 3), keepdims=True) / count)
    moved = (x - offset for x in view.arrays)
    if view.keep is not None:
        moved = (jnp.where(view.keep, x, 0) for x in moved)
    return tuple(moved), offset


def joined(x: Array) -> Array:
    """The images with width and channels as one axis."""
    return x.reshape(*x.shape[:3], x.shape[3] * x.shape[4])


def _along(x: Array, weights: Sequence[float], axis: int, step: int) -> Array:
    left = x.shape[axis] - step * (len(weights) - 1)
    parts = (
        w * lax.slice_in_dim(x, i * step, i * step + left, axis=axis) for i, w in enumerate(weights)
    )
    total = next(parts)
    for part in parts:
        total = total + part
    return total


def means(maps: Sequence[Array], weights: Sequence[float]) -> list[Maps]:
    """The weighted mean of each map, `(rows, outer, height, width, inner)`, in all windows within
    the image."""
    # The maps are stacked: otherwise XLA on a CPU recomputes the sums along one axis for each sum
    # along the other, and takes five to seven times as long.
    stack = jnp.stack([joined(x) for x in maps], axis=1)
    stack = _along(stack, weights, 3, 1)
    stack = _along(stack, weights, 4, maps[0].shape[4])
    return [stack[:, i] for i in range(len(maps))]


def whole(
    keep: Bool[Array, "rows 1 height width 1"] | None, size: int, inner: int
) -> Bool[Array, "rows 1 windows_down windows_across"] | None:
    """Which windows have all their pixels."""
    if keep is None:
        return None
    for axis in (2, 3):
        left = keep.shape[axis] - size + 1
        every = lax.slice_in_dim(keep, 0, left, axis=axis)
        for i in range(1, size):
            every = every & lax.slice_in_dim(keep, i, i + left, axis=axis)
        keep = every
    return joined(jnp.broadcast_to(keep, (*keep.shape[:4], inner)))


class Moments(NamedTuple):
    """Moments of two images in each window."""

    means: tuple[Maps, Maps]
    gap: Maps  # the difference of the means
    of_difference: Maps  # the variance of the difference
    of_both: Maps  # the sum of both variances


def moments(
    a: Array, b: Array, offset: Float32[Array, "rows outer 1 1 inner"], weights: Sequence[float]
) -> Moments:
    """Moments of centred images. Twice the covariance is `of_both - of_difference`; for equal
    images `of_difference` is exactly 0."""
    d = a - b
    mean_a, mean_b, squares, gaps = means([a, b, a * a + b * b, d * d], weights)
    gap = mean_a - mean_b
    both = squares - (mean_a * mean_a + mean_b * mean_b)
    across = mean_a.shape[3] // offset.shape[4]
    back = joined(jnp.broadcast_to(offset, (*offset.shape[:3], across, offset.shape[4])))
    return Moments((mean_a + back, mean_b + back), gap, gaps - gap * gap, both)
