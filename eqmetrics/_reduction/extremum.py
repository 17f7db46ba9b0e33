"""The largest and the smallest of arrays, of rows and of groups of rows. NaN is both."""

import functools as ft
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32

from .base import AbstractReduction
from .blocks import in_blocks, LONG


def _ordered_bits(x: Array, nan: int) -> Array:
    # XLA's CPU max and pmax drop NaN for some shapes, and for -0.0 and 0.0 the result depends on
    # the order of the operands. Integers in the same order have neither problem.
    bits = lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32)
    key = jnp.where(bits < 0, bits ^ jnp.int32(0x7FFFFFFF), bits)
    return jnp.where(jnp.isnan(x), jnp.int32(nan), key)


def _from_ordered_bits(key: Array, nan: int, dtype: jnp.dtype) -> Array:
    bits = jnp.where(key < 0, key ^ jnp.int32(0x7FFFFFFF), key)
    x = lax.bitcast_convert_type(bits, jnp.float32)
    return jnp.where(key == nan, jnp.float32(jnp.nan), x).astype(dtype)


class Extremum(AbstractReduction):
    def __init__(self, kind: Literal["max", "min"]):
        self.kind: Literal["max", "min"] = kind
        self.pick = jnp.maximum if kind == "max" else jnp.minimum
        # NaN wins against every number: its key is the largest, or the smallest.
        self.nan = 2**31 - 1 if kind == "max" else -(2**31)
        # The key of the infinity that is neutral.
        self.none = 0x7F800000 if kind == "min" else -0x7F800001

    def keys(self, arrays):
        return [
            _ordered_bits(x, self.nan)
            if jnp.issubdtype(x.dtype, jnp.floating)
            else x.astype(jnp.int32)
            if x.dtype == jnp.bool_
            else x
            for x in arrays
        ]

    def values(self, keys, like):
        return tuple(
            _from_ordered_bits(k, self.nan, x.dtype)
            if jnp.issubdtype(x.dtype, jnp.floating)
            else k.astype(x.dtype)
            for k, x in zip(keys, like, strict=True)
        )

    def identity(self, arrays):
        return tuple(jnp.full(x.shape, self._bottom(x.dtype), x.dtype) for x in arrays)

    def _bottom(self, dtype):
        if jnp.issubdtype(dtype, jnp.floating):
            return -jnp.inf if self.kind == "max" else jnp.inf
        if dtype == jnp.bool_:
            return self.kind == "min"
        info = jnp.iinfo(dtype)
        return info.min if self.kind == "max" else info.max

    def merge(self, left, right):
        return tuple(_of_two(self, x, y) for x, y in zip(left, right, strict=True))

    def of_rows(self, x: Float32[Array, "..."], axis: int = 0) -> Float32[Array, "..."]:
        """The extremum over the rows; if there are none, the neutral infinity."""
        return _of_rows(self, x, axis)

    def of_many_rows(self, arrays: list[Float32[Array, "cells rows"]]) -> Float32[Array, "cells"]:
        """The same over the last axis of several arrays, the results in order, if the axis is
        long."""
        return _of_many_rows(self, arrays)

    def of_groups(
        self, x: Float32[Array, "rows ..."], group: Int32[Array, "rows"], count: int
    ) -> Float32[Array, "{count} ..."]:
        """The extremum over the rows of each group."""
        return _of_groups(self, x, group, count)

    def across(self, arrays, size):
        # A minimum is sent as the maximum of the complements, which reverse the order: so a
        # collection that has both sends only maxima.
        flip = self.kind == "min"
        keys = yield "max", [~k if flip else k for k in self.keys(arrays)]
        return self.values([~k for k in keys] if flip else keys, arrays)

    def check(self, dtype):
        if jnp.issubdtype(dtype, jnp.complexfloating):
            return "complex numbers have no order"
        if dtype == jnp.float64:
            return "extrema are kept in 32 bits or fewer"

    def __repr__(self):
        return self.kind


# Keys are bit casts, which have no derivative. The derivative of an extremum is that of the row
# where it is attained, and the mean of theirs if there are several, as for `jnp.max`.


@ft.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _of_two(extremum: Extremum, x: Array, y: Array) -> Array:
    return extremum.values([extremum.pick(*extremum.keys((x, y)))], (x,))[0]


@_of_two.defjvp
def _of_two_jvp(extremum, primals, tangents):
    out = _of_two(extremum, *primals)
    if not jnp.issubdtype(out.dtype, jnp.floating):
        return out, tangents[0]
    key, *keys = extremum.keys((out, *primals))
    x, y = (jnp.where(k == key, t, 0) for k, t in zip(keys, tangents, strict=True))
    return out, (x + y) / jnp.where(keys[0] == keys[1], 2, 1).astype(out.dtype)


@ft.partial(jax.custom_jvp, nondiff_argnums=(0, 2))
def _of_rows(extremum: Extremum, x: Array, axis: int) -> Array:
    pick = jnp.max if extremum.kind == "max" else jnp.min
    key = pick(extremum.keys((x,))[0], axis=axis, initial=extremum.none)
    return extremum.values((key,), (x,))[0]


@_of_rows.defjvp
def _of_rows_jvp(extremum, axis, primals, tangents):
    out = _of_rows(extremum, *primals, axis)
    key, keys = extremum.keys((out, *primals))
    at = keys == jnp.expand_dims(key, axis)
    count = jnp.maximum(jnp.sum(at, axis=axis, dtype=jnp.int32), 1).astype(out.dtype)
    return out, jnp.sum(jnp.where(at, tangents[0], 0), axis=axis) / count


@ft.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _of_many_rows(extremum: Extremum, arrays: list[Array]) -> Array:
    keys = [key for x in extremum.keys(arrays) for key in x]
    left: list[tuple[Array, ...]] = []
    while keys[0].shape[0] >= LONG:
        blocks, rest = zip(*map(in_blocks, keys), strict=True)
        keys = _of_blocks(extremum, list(blocks))
        left.append(rest)
    most = [jnp.concatenate(each) for each in zip(keys, *left, strict=True)]
    key = extremum.pick.reduce(jnp.stack(most), axis=1)
    return extremum.values((key,), (jnp.zeros_like(key, jnp.float32),))[0]


def _of_blocks(extremum: Extremum, keys: list[Int32[Array, "8 rows"]]) -> list[Array]:
    """Over the first axis, of two or three arrays at a time: XLA's CPU computes such a reduction in
    vectors, but neither one of more operands nor one of a single operand, which becomes a part of
    what follows. (Five extrema of a million rows: 4.5 ms to 0.7 ms.)"""
    both = lambda a, b: tuple(map(extremum.pick, a, b))
    found: list[Array] = []
    while keys:
        few = tuple(keys[: 3 if len(keys) == 3 else 2])
        found += lax.reduce(few, (jnp.int32(extremum.none),) * len(few), both, (0,))
        keys = keys[len(few) :]
    return found


@_of_many_rows.defjvp
def _of_many_rows_jvp(extremum, primals, tangents):
    of_each = [
        jax.jvp(lambda x: _of_rows(extremum, x, 1), [x], [t])[1]
        for x, t in zip(*primals, *tangents, strict=True)
    ]
    return _of_many_rows(extremum, *primals), jnp.concatenate(of_each)


@ft.partial(jax.custom_jvp, nondiff_argnums=(0, 3))
def _of_groups(extremum: Extremum, x: Array, group: Array, count: int) -> Array:
    of_each = jnp.full((count, *x.shape[1:]), extremum.none, jnp.int32).at[group]
    pick = of_each.max if extremum.kind == "max" else of_each.min
    return extremum.values((pick(extremum.keys((x,))[0]),), (x,))[0]


@_of_groups.defjvp
def _of_groups_jvp(extremum, count, primals, tangents):
    x, group = primals
    out = _of_groups(extremum, x, group, count)
    key, keys = extremum.keys((out, x))
    at = keys == key[group]
    sums = jnp.zeros_like(out)
    hits = sums.at[group].add(at.astype(out.dtype))
    return out, sums.at[group].add(jnp.where(at, tangents[0], 0)) / jnp.maximum(hits, 1)


MAX = Extremum("max")
MIN = Extremum("min")
