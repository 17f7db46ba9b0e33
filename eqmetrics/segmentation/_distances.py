"""Borders of masks of shape `(masks, *space)`, distances to them, and quantiles of these
distances."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._metric.node import vary_like


FAR = 1e30  # the square of the distance to a mask without pixels


def border(masks: Bool[Array, "masks ..."]) -> Bool[Array, "masks ..."]:
    """The pixels of each mask with a neighbour, along an axis, that isn't in it. Places outside the
    image are in no mask."""
    inner = masks
    for axis in range(1, masks.ndim):
        inner &= _window(masks, axis, 1)
    return masks & ~inner


def eroded(masks: Bool[Array, "masks ..."], width: int) -> Bool[Array, "masks ..."]:
    """The pixels whose surrounding square of `2 * width + 1` pixels lies in the mask."""
    for axis in range(1, masks.ndim):
        masks = _window(masks, axis, width)
    return masks


def _window(masks: Array, axis: int, width: int) -> Array:
    """Whether all pixels up to `width` away along an axis are in the mask."""
    size, n = 2 * width + 1, masks.shape[axis]
    pads = [(width, width) if i == axis else (0, 0) for i in range(masks.ndim)]
    x, seen = jnp.pad(masks, pads), 1
    part = lambda x, start, stop: lax.slice_in_dim(x, start, stop, axis=axis)
    while 2 * seen <= size:
        length = x.shape[axis] - seen
        x = part(x, 0, length) & part(x, seen, seen + length)
        seen *= 2
    return part(x, 0, n) & part(x, size - seen, size - seen + n)


def squared_distances(
    masks: Bool[Array, "masks ..."], spacing: Sequence[float]
) -> Float32[Array, "masks ..."]:
    """The exact squared Euclidean distance of each pixel to the nearest pixel of the mask; `FAR` if
    the mask is empty. `spacing` is the distance between neighbours along each axis.

    Along the last axis a running maximum and minimum of indices find the nearest pixels. Along each
    other axis a minimum over parabolas, which XLA fuses, finds them. It takes 1.6 times the time of
    scipy for 128 x 128, and the time grows with the side times the number of pixels. Calls on equal
    masks in one program are computed once."""
    n = masks.shape[-1]
    at = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), masks.shape)
    none = 2 * n + 2
    before = lax.cummax(jnp.where(masks, at, -none), axis=masks.ndim - 1)
    after = lax.cummin(jnp.where(masks, at, 2 * none), axis=masks.ndim - 1, reverse=True)
    steps = jnp.minimum(at - before, after - at)
    lengths = steps.astype(jnp.float32) * jnp.float32(spacing[-1])
    d = jnp.where(steps <= n, lengths * lengths, jnp.float32(FAR))
    for axis in range(masks.ndim - 2, 0, -1):
        n, before_it, after_it = d.shape[axis], d.shape[1:axis], d.shape[axis + 1 :]
        steps = np.arange(n)[:, None] - np.arange(n)[None]
        squares = jnp.asarray((steps * spacing[axis - 1]) ** 2, jnp.float32)
        rows = d.reshape(d.shape[0], math.prod(before_it), 1, n, math.prod(after_it))
        nearest = jnp.min(rows + squares.reshape(1, 1, n, n, 1), axis=3, initial=jnp.inf)
        d = nearest.reshape(d.shape)
    return jnp.minimum(d, jnp.float32(FAR))


def root_of_quantile(
    squares: Float32[Array, "masks pixels"], chosen: Bool[Array, "masks pixels"], q: float
) -> Float32[Array, "masks"]:
    """The quantile of the roots of the chosen squares, with linear interpolation as in NumPy.

    Floats that aren't negative have the order of their bits, read as integers. So the bits of the
    quantile are found one after the other by counting, in a tenth of the time of XLA's sort."""
    bits = lax.bitcast_convert_type(squares, jnp.int32)
    bits = jnp.where(chosen, bits, jnp.int32(2**31 - 1))
    # Counted in floats, since XLA vectorises their sums on a CPU.
    count = lambda which: jnp.sum(which.astype(jnp.float32), axis=1)
    # The rank `q * last` is computed in integers, exactly, for the first 7 bits of `q`, and in
    # floats for the small rest.
    last = jnp.maximum(count(chosen) - 1, 0)
    part = round(q * 128)
    whole = last.astype(jnp.int32) * jnp.int32(part)
    place = (whole % 128).astype(jnp.float32) / 128 + jnp.float32(q - part / 128) * last
    rank = (whole // 128).astype(jnp.float32) + jnp.floor(place)
    beyond = place - jnp.floor(place)

    def step(low, bit):
        trial = low | bit
        return jnp.where(count(bits < trial[:, None]) <= rank, trial, low), None

    start = vary_like(jnp.zeros(bits.shape[0], jnp.int32), bits)
    low, _ = lax.scan(step, start, jnp.asarray(2 ** np.arange(30, -1, -1), jnp.int32))
    more = jnp.min(jnp.where(bits > low[:, None], bits, 2**31 - 1), axis=1, initial=2**31 - 1)
    none = more == 2**31 - 1
    high = jnp.where(none | (count(bits <= low[:, None]) > rank + 1), low, more)
    as_root = lambda x: jnp.sqrt(lax.bitcast_convert_type(x, jnp.float32))
    least, most = as_root(jnp.where(low < 2**31 - 1, low, 0)), as_root(high)
    most = jnp.where(low < 2**31 - 1, most, 0)
    return least + (most - least) * beyond
