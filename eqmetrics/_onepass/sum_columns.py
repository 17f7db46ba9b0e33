"""Compensated sums over the rows of many columns at once.

XLA compiles a sum of many columns as quickly as the sum of one, and runs it in a fraction of the
time of single sums. So narrow columns are put side by side, with the rows as the last axis.
"""

import functools as ft
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float32, Shaped

from .._reduction.blocks import in_blocks, LONG
from .._reduction.pair import add, from_integer, lift, Pair, renormalise
from .._reduction.pair_sums import joinable, reduce_axis, sum_joining
from .side_by_side import joined, SideBySide


# This many blocks of rows are added at a time: with 32 or more XLA's CPU takes 2 to 8 times as
# long.
_BLOCKS = 16


def as_pairs(x: Array) -> Pair:
    """Numbers of any kind as pairs."""
    if jnp.issubdtype(x.dtype, jnp.integer) and x.dtype.itemsize >= 4:
        return from_integer(x)
    return lift(x.astype(jnp.float32))


def sum_columns(columns: Sequence[Shaped[Array, "rows ..."]]) -> list[Pair]:
    """The sum over the rows of each column of shape `(rows, *shape)`, as a pair of shape
    `(2, cells)`.

    Booleans count, integers are added exactly, floats are compensated.
    """
    numbers, whose = [], []
    for i, column in enumerate(columns):
        for x in _floats(column):
            numbers.append(x)
            whose.append(i)
    sums = SideBySide(numbers).each(_sum_rows, _sum_long)
    parts: list[list[Pair]] = [[] for _ in columns]
    for i, x in zip(whose, sums, strict=True):
        parts[i].append(x)
    return [ft.reduce(add, each) for each in parts]


def _floats(x: Array) -> list[Array]:
    """A column as booleans or floats; integers of 32 bits and more need two columns of floats."""
    if x.dtype == jnp.bool_:
        return [x]
    if jnp.issubdtype(x.dtype, jnp.integer) and x.dtype.itemsize >= 4:
        high, low = from_integer(x)
        return [high, low]
    return [x.astype(jnp.float32)]


def _sum_rows(x: Shaped[Array, "..."], axis: int) -> Pair:
    if x.dtype == jnp.bool_:
        return from_integer(jnp.sum(x, axis=axis, dtype=jnp.int32))
    first = jnp.moveaxis(x, axis, 0)
    if isinstance(x.shape[axis], int) and joinable(first) < x.shape[axis]:
        # The rows are sharded, and none is moved to another device.
        first = first[:, 0] if axis == 1 and x.shape[0] == 1 else first
        total = sum_joining(first, jnp.zeros_like(first), joinable)
        return total.reshape(2, *x.shape[:axis], *x.shape[axis + 1 :])
    return _compensated(x, jnp.zeros_like(x), axis)


def _sum_long(arrays: list[Shaped[Array, "_ rows"]]) -> Pair:
    if arrays[0].dtype == jnp.bool_:
        counts = [jnp.sum(x, axis=1, dtype=jnp.int32) for x in arrays]
        return from_integer(joined(counts))
    pairs = [_shortened(x) for x in arrays]
    high, low = (jnp.concatenate(x) for x in zip(*pairs, strict=True))
    return _compensated(high, low, 1)


def _shortened(x: Float32[Array, "cells rows"]) -> tuple[Array, Array]:
    """Fewer pairs with the same sum."""
    both, left = (x, jnp.zeros_like(x)), []
    while both[0].shape[1] >= LONG:
        blocks, rest = zip(*map(in_blocks, both), strict=True)
        both = reduce_axis(*blocks, 1)
        left.append(rest)
    high, low = (joined(x) for x in zip(both, *left, strict=True))
    return high, low


def _compensated(high: Float32[Array, "..."], low: Float32[Array, "..."], axis: int) -> Pair:
    """The sum of pairs, as a balanced tree."""
    before, after = high.shape[:axis], high.shape[axis + 1 :]
    while isinstance(high.shape[axis], int) and high.shape[axis] > _BLOCKS:
        rest = -(-high.shape[axis] // _BLOCKS)
        missing = _BLOCKS * rest - high.shape[axis]
        if missing:
            pad = [(0, missing if a == axis else 0) for a in range(high.ndim)]
            high, low = jnp.pad(high, pad), jnp.pad(low, pad)
        high, low = (y.reshape(*before, _BLOCKS, rest, *after) for y in (high, low))
        high, low = reduce_axis(high, low, axis)
    high, low = reduce_axis(high, low, axis)
    # After an overflow, inf or NaN the compensation is NaN, and the plain sum is the result.
    return renormalise(high, jnp.where(jnp.isfinite(high), low, 0))
