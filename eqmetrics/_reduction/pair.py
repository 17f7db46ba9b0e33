"""Unevaluated pairs of float32: arrays of shape `(2, *shape)`, high then low.

Two-sum: Knuth, The Art of Computer Programming, vol. 2, 4.2.2, theorem B. Pairs: Dekker,
"A floating-point technique for extending the available precision", 1971.
"""

import dataclasses
import functools as ft
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Shaped

from .._rows.quotient import over


Pair = Float32[Array, "2 ..."]

# Eager code pays for each operation, so this makes a function one compiled call. Inside an outer
# `jit` it is inlined.
inlined = ft.partial(jax.jit, inline=True)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """`(s, e)` with `s = fl(a + b)` and `s + e = a + b` exactly."""
    s = a + b
    bb = s - a
    return s, (a - (s - bb)) + (b - bb)


def pack(high: Array, low: Array) -> Pair:
    # A two-sum with inf gives NaN as the low half.
    return _stacked(high, jnp.where(jnp.isfinite(high), low, 0))


def _stacked(high: Array, low: Array) -> Pair:
    """Stacks by a selection: for `jnp.stack`, XLA's CPU compiles the inputs once for each part."""
    shape = (2, *high.shape)
    first = lax.broadcasted_iota(jnp.int32, shape, 0) == 0
    return jnp.where(first, jnp.broadcast_to(high, shape), jnp.broadcast_to(low, shape))


def lift(x: Float32[Array, "..."]) -> Pair:
    """A float as a pair, with a low half of 0."""
    return pack(x, jnp.zeros_like(x))


@dataclasses.dataclass(frozen=True)
class Halves:
    """A pair as two arrays: XLA's CPU ends a kernel wherever they are stacked."""

    high: Array
    low: Array

    @classmethod
    def of(cls, x: Pair) -> "Halves":
        return cls(x[0], x[1])

    @classmethod
    def zeros(cls, like: Array) -> "Halves":
        return cls(jnp.zeros_like(like), jnp.zeros_like(like))

    @classmethod
    def sum_of(cls, x: Array, y: Array) -> "Halves":
        return _halves(*two_sum(x, y))

    def __add__(self, y: "Halves") -> "Halves":
        # Both halves go through a two-sum, and the result is renormalised each time: a low half
        # that only accumulates stops growing, as a plain sum does (-58 % at one row per step). The
        # formula is symmetric, so merging commutes bit for bit.
        total, e = two_sum(self.high, y.high)
        low, f = two_sum(self.low, y.low)
        high, e = two_sum(total, e + low)
        high, low = two_sum(high, e + f)
        # The error of a sum that isn't finite is NaN, and would turn inf into NaN.
        return _halves(jnp.where(jnp.isfinite(total), high, total), low)

    def __sub__(self, y: "Halves") -> "Halves":
        return self + Halves(-y.high, -y.low)

    def plus(self, y: Array) -> "Halves":
        """The sum with a float."""
        total, e = two_sum(self.high, y)
        high, low = two_sum(total, e + self.low)
        return _halves(jnp.where(jnp.isfinite(total), high, total), low)

    def where(self, condition: Any, other: "Halves") -> "Halves":
        return Halves(
            jnp.where(condition, self.high, other.high), jnp.where(condition, self.low, other.low)
        )

    def at(self, start: int, end: int) -> "Halves":
        return Halves(self.high[start:end], self.low[start:end])

    def float(self) -> Array:
        return self.high + self.low

    def packed(self) -> Pair:
        return _stacked(self.high, self.low)


def _halves(high: Array, low: Array) -> Halves:
    # A two-sum with inf gives NaN as the low half.
    return Halves(high, jnp.where(jnp.isfinite(high), low, 0))


@inlined
def renormalise(high: Array, low: Array) -> Pair:
    return pack(*two_sum(high, low))


@inlined
def add(x: Pair, y: Pair) -> Pair:
    return (Halves.of(x) + Halves.of(y)).packed()


# Pairs of up to so many numbers are joined; for more a copy costs more than it saves.
SMALL = 1024


def joined_pairs(pairs: Sequence[Pair]) -> Pair:
    """Pairs side by side, of shape `(2, numbers)`; a single one as it is."""
    if len(pairs) == 1:
        return pairs[0]
    return jnp.concatenate([x.reshape(2, x.size // 2) for x in pairs], axis=1)


def split_pairs(joined: Pair, shapes: Sequence[tuple[int, ...]]) -> list[Pair]:
    """The pairs that were joined."""
    if len(shapes) == 1:
        return [joined]
    found, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape) // 2
        found.append(joined[:, start:end].reshape(shape))
        start = end
    return found


def two_prod(a: Array, b: Array) -> tuple[Array, Array]:
    """`(s, e)` with `s + e = a * b` to 2^-48. Products of 12-bit halves are exact, so it makes no
    difference which of them the compiler fuses with an addition; for `a * b` itself it would."""
    (a1, a2), (b1, b2) = _split(a), _split(b)
    middle, rest = two_sum(a1 * b2, a2 * b1)
    s, e = two_sum(a1 * b1, middle)
    return s, e + (rest + a2 * b2)


def _split(x: Array) -> tuple[Array, Array]:
    bits = lax.bitcast_convert_type(x, jnp.int32) & jnp.int32(~0xFFF)
    high = lax.bitcast_convert_type(bits, jnp.float32)
    return high, x - high


@inlined
def multiply(x: Pair, y: Pair) -> Pair:
    p, e = two_prod(x[0], y[0])
    return renormalise(p, e + (x[0] * y[1] + x[1] * y[0]))


@inlined
def divide(x: Pair, y: Pair) -> Pair:
    first = of_20_bits(over(x[0], y[0]))
    rest = add(x, -multiply(lift(first), y))
    return renormalise(first, over(rest[0], y[0]))


@jax.custom_jvp
def of_20_bits(x: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """The nearest float with 20 bits. The compiler may turn `a - b / n` into one instruction that
    doesn't round the quotient, so that the float `b / n` isn't what is subtracted. This makes it
    so."""
    bits = lax.bitcast_convert_type(x, jnp.int32)
    near = lax.bitcast_convert_type((bits + 8) & jnp.int32(~15), jnp.float32)
    return jnp.where(jnp.isfinite(x), near, x)


@of_20_bits.defjvp
def _of_20_bits_jvp(primals, tangents):
    # A bit cast has no derivative. That of the identity is right, since the bits that are rounded
    # off are subtracted elsewhere.
    return of_20_bits(*primals), tangents[0]


def to_float(x: Pair) -> Float32[Array, "..."]:
    return x[0] + x[1]


@inlined
def from_integer(x: Shaped[Array, "*shape"]) -> Float32[Array, "2 *shape"]:
    """A pair equal to the integers, exactly (64-bit ones: to 2^48)."""
    high = x.astype(jnp.float32)
    if x.dtype == jnp.bool_ or jnp.iinfo(x.dtype).bits <= 16:
        return lift(high)
    # In two pieces at bit 24: a single float could be rounded up to 2^31, which isn't an int32.
    bits = jnp.asarray(24, x.dtype)
    top = lax.shift_right_arithmetic(x, bits)
    if jnp.issubdtype(x.dtype, jnp.unsignedinteger):
        top = lax.shift_right_logical(x, bits)
    bottom = x - lax.shift_left(top, bits)
    return renormalise(top.astype(jnp.float32) * 2.0**24, bottom.astype(jnp.float32))


def as_pair(x: Shaped[Array, "*shape"]) -> Float32[Array, "2 *shape"]:
    """A pair exactly equal to numbers of any dtype (64-bit integers: to 2^48)."""
    return from_integer(x) if is_wide(x) else lift(x.astype(jnp.float32))


@inlined
def minus(x: Shaped[Array, "*shape"], y: Shaped[Array, "*shape"]) -> Float32[Array, "*shape"]:
    """The float nearest to the difference. Integers beyond 2^24 are subtracted before they are
    rounded: 2^24 + 1 minus 2^24 is 1."""
    if not (is_wide(x) or is_wide(y)):
        return x.astype(jnp.float32) - y.astype(jnp.float32)
    if x.dtype != y.dtype:
        return to_float(add(as_pair(x), -as_pair(y)))
    # The larger minus the smaller one, whose bits are right as an unsigned integer.
    bits = jnp.dtype(f"uint{8 * x.dtype.itemsize}")
    above = x >= y
    size = jnp.where(above, x, y).astype(bits) - jnp.where(above, y, x).astype(bits)
    size = size.astype(jnp.float32)
    return jnp.where(above, size, -size)


@inlined
def at_most(x: Shaped[Array, "*shape"], y: Shaped[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """Whether `x <= y`, exactly also for integers beyond 2^24."""
    if not (is_wide(x) or is_wide(y)):
        return x.astype(jnp.float32) <= y.astype(jnp.float32)
    return minus(y, x) >= 0


def reaches(x: Shaped[Array, "*shape"], bound: float) -> Bool[Array, "*shape"]:
    """Whether `x >= bound`, exactly also for integers beyond 2^24."""
    if not is_wide(x):
        return x.astype(jnp.float32) >= bound
    info = jnp.iinfo(x.dtype)
    if not info.min < bound <= info.max:
        return jnp.full(x.shape, bound <= info.min)
    return x >= jnp.asarray(math.ceil(bound), x.dtype)


def is_wide(x: Array) -> bool:
    """Whether the dtype has integers that float32 doesn't hold exactly."""
    return jnp.issubdtype(x.dtype, jnp.integer) and x.dtype.itemsize >= 4


@inlined
def power_of(x: Pair) -> Float32[Array, "..."]:
    """The power of 2 that scales a sum of weights to between 1/2 and 1, exactly; 1 where there are
    none. Products of weights are formed after scaling, since they would otherwise overflow or
    underflow."""
    size, some = jnp.abs(x[0]), jnp.isfinite(x[0]) & (x[0] != 0)
    _, exponent = jnp.frexp(jnp.where(some, size, 0.5))
    return jnp.ldexp(jnp.ones_like(size), -exponent)


@ft.partial(inlined, static_argnames="rate")
def share_reaches(part: Pair, rate: float, whole: Pair) -> Bool[Array, "..."]:
    """Whether `part / whole` is at least `rate`, decided on the counts, since a quotient is
    rounded. A `rate` such as 0.8 isn't a float either, so the comparison allows for a relative
    error of 1e-12: 20 of 25 reach it."""
    high = np.float32(rate)
    pair = jnp.asarray(np.stack([high, np.float32(rate - float(high))]))
    left = add(part, -multiply(whole, pair))
    return to_float(left) >= -(2.0**-40) * to_float(whole)
