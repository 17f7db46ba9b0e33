"""Sums of float32 as pairs, compensated: a tree of two-sums."""

import functools as ft
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .base import on_one_device
from .pair import from_integer, inlined, Pair, renormalise, two_sum


def _add_row(a, b):
    s, e = two_sum(a[0], b[0])
    return s, a[1] + b[1] + e


@ft.partial(jax.custom_jvp, nondiff_argnums=(2,))
def reduce_axis(high: Array, low: Array, axis: int) -> tuple[Array, Array]:
    zero = jnp.float32(0)
    return lax.reduce((high, low), (zero, zero), _add_row, (axis,))


@reduce_axis.defjvp
def _reduce_axis_jvp(axis, primals, tangents):
    # jax has no derivative of a reduction of two operands; of this one it is a plain sum.
    high, low = (jnp.sum(t, axis) for t in tangents)
    return reduce_axis(*primals, axis), (high, low)


def joinable(x: Array) -> int:
    """How many rows may become one, so that no device gives rows to another."""
    count = x.shape[0]
    if not isinstance(count, int):
        return 1  # a size that `jax.export` leaves open
    if on_one_device() or jax.device_count() == 1:
        return count
    # Under `jit` XLA may have put the rows on any number of the devices that divides them:
    # on each a multiple of this power of 2.
    return (count & -count) >> (jax.device_count().bit_length() - 1)


def _add_neighbours(high: Array, low: Array, most: int) -> tuple[Array, Array]:
    """Up to 32 numbers become one: those side by side, or blocks of them, are added."""
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
    """Of each block of `size * lanes` rows, the sums of every `lanes`-th."""
    shape, whole = high.shape[1:], high.shape[0] // (size * lanes) * size * lanes
    blocks = [x[:whole].reshape(-1, size, lanes, *shape) for x in (high, low)]
    sums = [x.reshape(-1, *shape) for x in reduce_axis(blocks[0], blocks[1], 1)]
    if whole == high.shape[0]:
        return sums[0], sums[1]
    high, low = (jnp.concatenate([s, x[whole:]]) for s, x in zip(sums, (high, low), strict=True))
    return high, low


def sum_joining(high: Array, low: Array, joinable: Callable[[Array], int]) -> Pair:
    # XLA's CPU reduces a long axis row after row (a million rows: 945 us), a short one before
    # columns in vectors (131 us; a plain sum 46; 1000 x 1000: 183 and 91), and is best at
    # neighbours where there are few numbers (4096: 7 us, in the way before 13; a plain sum 4).
    while high.ndim == 1 and joinable(high) >= 512 and high.shape[0] >= 8192:
        high, low = _reduce_blocks(high, low, 16, 32)
    while high.ndim == 1 and joinable(high) >= 2 and high.shape[0] > 32:
        high, low = _add_neighbours(high, low, joinable(high))
    while high.ndim > 1 and joinable(high) >= 2 and high.shape[0] >= 16:
        high, low = _reduce_blocks(high, low, min(8, joinable(high)), 1)
    # A reduction of several ends it: sums of slices alone would be computed anew in each consumer.
    high, low = reduce_axis(high, low, 0)
    # An overflow, inf or NaN leaves NaN in the compensation: the plain sum says which.
    return renormalise(high, jnp.where(jnp.isfinite(high), low, 0))


@inlined
def sum_rows(x: Float32[Array, "rows ..."]) -> Pair:
    """The sum over the rows of a batch, compensated. Never across the parts of the axis: XLA
    would send all rows to all devices, where it needs one sum of each."""
    return sum_joining(x, jnp.zeros_like(x), joinable)


@inlined
def sum_pairs(x: Float32[Array, "2 rows ..."]) -> Pair:
    """The sum over the first axis of a state, an array of pairs: every device has it whole."""
    return sum_joining(x[0], x[1], len)


@inlined
def count_rows(x: Bool[Array, "rows ..."]) -> Pair:
    return from_integer(jnp.sum(x, axis=0, dtype=jnp.int32))
