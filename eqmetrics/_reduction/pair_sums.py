"""Sums of float32 as pairs, compensated: a tree of two-sums."""

import functools as ft
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .pair import from_integer, inlined, Pair, renormalise, two_sum
from .plans import on_one_device


def _add_row(a, b):
    s, e = two_sum(a[0], b[0])
    return s, a[1] + b[1] + e


@ft.partial(jax.custom_jvp, nondiff_argnums=(2,))
def reduce_axis(high: Array, low: Array, axis: int) -> tuple[Array, Array]:
    zero = jnp.float32(0)
    return lax.reduce((high, low), (zero, zero), _add_row, (axis,))


@reduce_axis.defjvp
def _reduce_axis_jvp(axis, primals, tangents):
    # jax can't differentiate a reduction of two operands; the derivative of this one is a plain
    # sum.
    high, low = (jnp.sum(t, axis) for t in tangents)
    return reduce_axis(*primals, axis), (high, low)


def joinable(x: Array) -> int:
    """How many adjacent rows can be added without moving any from one device to another."""
    count = x.shape[0]
    if not isinstance(count, int):
        return 1  # a symbolic size of `jax.export`
    if on_one_device() or jax.device_count() == 1:
        return count
    # Under `jit` XLA may have sharded the rows over any number of devices that divides their
    # number: each device then has a multiple of this power of 2.
    return (count & -count) >> (jax.device_count().bit_length() - 1)


def _add_neighbours(high: Array, low: Array, most: int) -> tuple[Array, Array]:
    """Adds up to 32 numbers into one: adjacent numbers, or blocks of them."""
    lanes = 32 if most >= 1024 else 1
    times = min(5, (most // lanes).bit_length() - 1)
    missing = -high.shape[0] % (lanes << times)
    if missing:
        zeros = jnp.zeros(missing, high.dtype)
        high, low = jnp.concatenate([high, zeros]), jnp.concatenate([low, zeros])
    for _ in range(times):
        pairs = [x.reshape(-1, 2, lanes) for x in (high, low)]
        high, low = _add_row([x[:, 0] for x in pairs], [x[:, 1] for x in pairs])
        high, low = high.ravel(), low.ravel()
    return high, low


def _reduce_blocks(high: Array, low: Array, size: int, lanes: int) -> tuple[Array, Array]:
    """In each block of `size * lanes` rows, the sums of every `lanes`-th row."""
    shape, whole = high.shape[1:], high.shape[0] // (size * lanes) * size * lanes
    blocks = [x[:whole].reshape(-1, size, lanes, *shape) for x in (high, low)]
    sums = [x.reshape(-1, *shape) for x in reduce_axis(blocks[0], blocks[1], 1)]
    if whole == high.shape[0]:
        return sums[0], sums[1]
    high, low = (jnp.concatenate([s, x[whole:]]) for s, x in zip(sums, (high, low), strict=True))
    return high, low


def sum_joining(high: Array, low: Array, joinable: Callable[[Array], int]) -> Pair:
    # XLA's CPU reduces a long axis row by row (a million rows: 945 us), but a short axis before
    # columns in vectors (131 us; a plain sum 46; 1000 x 1000: 183 and 91). For few numbers, adding
    # neighbours is best (4096: 7 us, against 13 by blocks; a plain sum 4).
    while high.ndim == 1 and joinable(high) >= 512 and high.shape[0] >= 8192:
        high, low = _reduce_blocks(high, low, 16, 32)
    while high.ndim == 1 and joinable(high) >= 2 and high.shape[0] > 32:
        high, low = _add_neighbours(high, low, joinable(high))
    while high.ndim > 1 and joinable(high) >= 2 and high.shape[0] >= 16:
        high, low = _reduce_blocks(high, low, min(8, joinable(high)), 1)
    # Ends with a reduction over several rows: sums of slices would be computed again in each
    # consumer.
    high, low = reduce_axis(high, low, 0)
    # After an overflow, inf or NaN the compensation is NaN, and the plain sum is the result.
    return renormalise(high, jnp.where(jnp.isfinite(high), low, 0))


@inlined
def sum_rows(x: Float32[Array, "rows ..."]) -> Pair:
    """The sum over the rows of a batch, compensated. Rows on different devices are never added to
    each other one by one: XLA would send all rows to all devices, while one sum of each is
    enough."""
    return sum_joining(x, jnp.zeros_like(x), joinable)


@inlined
def sum_pairs(x: Float32[Array, "2 rows ..."]) -> Pair:
    """The sum over the first axis of a state of pairs, which every device holds completely."""
    return sum_joining(x[0], x[1], len)


@inlined
def count_rows(x: Bool[Array, "rows ..."]) -> Pair:
    return from_integer(jnp.sum(x, axis=0, dtype=jnp.int32))
