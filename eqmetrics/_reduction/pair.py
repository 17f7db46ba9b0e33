"""Unevaluated pairs of float32: arrays of shape `(2, *shape)`, high then low.

Two-sum: Knuth, The Art of Computer Programming, vol. 2, 4.2.2, theorem B. Pairs: Dekker,
"A floating-point technique for extending the available precision", 1971.
"""

import functools as ft
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, Shaped

from .base import AbstractReduction, zeros


Pair = Float32[Array, "2 ..."]

# Eager code pays per operation: one compiled call instead. Inlined under an outer `jit`.
fused = ft.partial(jax.jit, inline=True)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """`(s, e)` with `s = fl(a + b)` and `s + e = a + b` exactly."""
    s = a + b
    bb = s - a
    return s, (a - (s - bb)) + (b - bb)


def pack(high: Array, low: Array) -> Pair:
    # A two-sum with inf gives NaN in the low half.
    return jnp.stack([high, jnp.where(jnp.isfinite(high), low, 0)])


@fused
def renormalise(high: Array, low: Array) -> Pair:
    return pack(*two_sum(high, low))


@fused
def add(x: Pair, y: Pair) -> Pair:
    # Both halves go through a two-sum and the result is renormalised each time: a low
    # half that only collects stops growing as a plain sum does (-58 % at one row per
    # step). Symmetric in x and y, so that merging commutes bit for bit.
    total, e = two_sum(x[0], y[0])
    low, f = two_sum(x[1], y[1])
    high, e = two_sum(total, e + low)
    high, low = two_sum(high, e + f)
    # The error of a sum that isn't finite is NaN and would turn inf into NaN.
    return pack(jnp.where(jnp.isfinite(total), high, total), low)


def negate(x: Pair) -> Pair:
    return -x


@fused
def scale(x: Pair, factor: Array) -> Pair:
    """A pair times a float32, correct to the precision of a float32 product."""
    return renormalise(x[0] * factor, x[1] * factor)


def to_float(x: Pair) -> Float32[Array, "..."]:
    return x[0] + x[1]


@fused
def from_integer(x: Shaped[Array, "*shape"]) -> Float32[Array, "2 *shape"]:
    """A pair equal to the integers, exactly (64-bit ones: to 2^48)."""
    high = x.astype(jnp.float32)
    if x.dtype == jnp.bool_ or jnp.iinfo(x.dtype).bits <= 16:
        return pack(high, jnp.zeros_like(high))
    # Two pieces of 16 bits: `high` rounded up to 2^31 would not go back to an integer.
    top = lax.shift_right_arithmetic(x, jnp.asarray(16, x.dtype))
    if jnp.issubdtype(x.dtype, jnp.unsignedinteger):
        top = lax.shift_right_logical(x, jnp.asarray(16, x.dtype))
    bottom = x - lax.shift_left(top, jnp.asarray(16, x.dtype))
    return renormalise(
        top.astype(jnp.float32) * 65536.0, bottom.astype(jnp.float32)
    )


def _add_row(a, b):
    s, e = two_sum(a[0], b[0])
    return s, a[1] + b[1] + e


@fused
def sum_rows(x: Float32[Array, "rows ..."]) -> Pair:
    """The sum over the first axis, compensated: one pass, one kernel."""
    if x.shape[0] == 1:
        return pack(x[0], jnp.zeros_like(x[0]))
    zero = jnp.float32(0)
    high, low = lax.reduce((x, jnp.zeros_like(x)), (zero, zero), _add_row, (0,))
    # An overflow, inf or NaN leaves NaN in the compensation: the plain sum says which.
    return renormalise(high, jnp.where(jnp.isfinite(high), low, 0))


@fused
def count_rows(x: Bool[Array, "rows ..."]) -> Pair:
    return from_integer(jnp.sum(x, axis=0, dtype=jnp.int32))


@fused
def add_count(x: Pair, rows: Bool[Array, "..."]) -> Pair:
    """A count, and the rows that are true."""
    return add(x, count_rows(rows.ravel()))


# Exact sums over a mapped axis. A shared exponent (one pmax), each pair cut into integer
# limbs relative to it, one integer psum, and the limbs put together again: integers add
# exactly and in any order, so the result doesn't depend on the order of the devices.


def _power_of_two(exponent: Int32[Array, "..."]) -> Float32[Array, "..."]:
    biased = (exponent + 127).astype(jnp.int32)
    return lax.bitcast_convert_type(biased << 23, jnp.float32)


def _limb_bits(size: int) -> tuple[int, int]:
    # A sum of `size` limbs must fit a signed 31-bit integer; the limbs carry 48 bits.
    bits = min(24, 30 - math.ceil(math.log2(max(size, 1))))
    return bits, -(-48 // bits)


def _biased_exponent(x: Float32[Array, "..."]) -> Int32[Array, "..."]:
    return (lax.bitcast_convert_type(x, jnp.int32) >> 23) & 0xFF


def _to_limbs(x: Pair, top: Array, bits: int, count: int) -> list[Array]:
    factor = _power_of_two(bits - (top - 126))
    high, low = x[0] * factor, x[1] * factor
    first = jnp.round(high)
    limbs, rest = [first], (high - first) + low
    for _ in range(count - 1):
        rest = rest * 2.0**bits
        limbs.append(jnp.round(rest))
        rest = rest - limbs[-1]
    limbs = [limb.astype(jnp.int32) for limb in limbs]
    # Through limbs a NaN would come back as a number: where some device isn't finite,
    # the first limb counts what pulls up and the second what pulls down (NaN: both).
    special = top == 255
    infinite = jnp.isinf(x[0])
    odd = jnp.isnan(x[0])
    up = (odd | (infinite & (x[0] > 0))).astype(jnp.int32)
    down = (odd | (infinite & (x[0] < 0))).astype(jnp.int32)
    limbs[0] = jnp.where(special, up, limbs[0])
    limbs[1] = jnp.where(special, down, limbs[1])
    return limbs


def _from_limbs(limbs: list[Array], top: Array, bits: int) -> Pair:
    special, up, down = top == 255, limbs[0] > 0, limbs[1] > 0
    limbs = list(limbs)
    for i in range(len(limbs) - 1, 0, -1):
        carry = limbs[i] >> bits
        limbs[i] = limbs[i] - (carry << bits)
        limbs[i - 1] = limbs[i - 1] + carry
    total = from_integer(limbs[0])
    for i, limb in enumerate(limbs[1:], start=1):
        term = limb.astype(jnp.float32) * 2.0 ** (-bits * i)
        total = add(total, pack(term, jnp.zeros_like(term)))
    factor = _power_of_two((top - 126) - bits)
    value = pack(total[0] * factor, total[1] * factor)
    infinity = jnp.where(up & down, jnp.nan, jnp.where(up, jnp.inf, -jnp.inf))
    flagged = pack(infinity.astype(jnp.float32), jnp.zeros_like(value[0]))
    return jnp.where(special, flagged, value)


class _ExactSum(AbstractReduction):
    def identity(self, arrays):
        return zeros(arrays)

    def merge(self, left, right):
        return tuple(add(x, y) for x, y in zip(left, right, strict=True))

    def across(self, arrays, size):
        bits, count = _limb_bits(size)
        # Below an exponent of 48 the scale factor would overflow: what is lost there is
        # smaller than 2^-126.
        tops = yield (
            "max",
            [jnp.maximum(_biased_exponent(x[0]), 48) for x in arrays],
        )
        limbs = [
            limb
            for x, top in zip(arrays, tops, strict=True)
            for limb in _to_limbs(x, top, bits, count)
        ]
        sums = yield "sum", limbs
        return tuple(
            _from_limbs(sums[i * count : (i + 1) * count], top, bits)
            for i, top in enumerate(tops)
        )

    def check(self, dtype):
        if dtype != jnp.float32:
            return "an exact sum is kept in pairs of float32, shape (2, ...)"

    def __repr__(self):
        return "exact_sum"


EXACT_SUM = _ExactSum()
