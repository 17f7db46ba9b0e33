"""Exact sums of pairs over a mapped axis.

The devices agree on an exponent (one pmax), cut each pair into integer limbs relative to it, add
the limbs (one integer psum), and put them together again. Integers add exactly and in any order, so
the result doesn't depend on the order of the devices.
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32

from .base import AbstractReduction, AbstractScalable, zeros
from .pair import add, joined_pairs, multiply, pack, Pair, SMALL, split_pairs, two_sum


def _power_of_two(exponent: Int32[Array, "..."]) -> Float32[Array, "..."]:
    biased = (exponent + 127).astype(jnp.int32)
    return lax.bitcast_convert_type(biased << 23, jnp.float32)


def _limb_bits(size: int) -> tuple[int, int]:
    # A sum of `size` limbs must fit a signed 31-bit integer; the limbs carry 48 bits.
    bits = min(24, 30 - math.ceil(math.log2(max(size, 1))))
    return bits, -(-48 // bits)


# With a smaller exponent the scale factor would overflow. What is lost by this is below 2^-126.
LEAST_EXPONENT = 48


def exponent(x: Float32[Array, "..."]) -> Int32[Array, "..."]:
    """The biased exponent: `|x| < 2^(exponent - 126)`, and 255 if `x` isn't finite."""
    biased = (lax.bitcast_convert_type(x, jnp.int32) >> 23) & 0xFF
    return jnp.maximum(biased, LEAST_EXPONENT)


def bound(exponent: Int32[Array, "..."]) -> Float32[Array, "..."]:
    """The smallest float above every number with this exponent; infinite if it is 255."""
    return _power_of_two(jnp.minimum(exponent - 126, 128))


def _sets(tops: Sequence[Array]) -> list[tuple[list[int], Array]]:
    """The arrays that are cut together, the small ones, and their exponents: it takes forty
    operations, however small an array is."""
    small = [i for i, top in enumerate(tops) if top.size <= SMALL]
    alone = [([i], top) for i, top in enumerate(tops) if i not in small]
    if len(small) < 2:
        return [([i], tops[i]) for i in small] + alone
    return [(small, jnp.concatenate([tops[i].ravel() for i in small])), *alone]


def to_limbs(pairs: Sequence[Pair], tops: Sequence[Array], size: int) -> list[Array]:
    """The limbs of pairs whose exponents are at most `tops`, for a sum over `size`."""
    bits, count = _limb_bits(size)
    sets = [(joined_pairs([pairs[i] for i in which]), top) for which, top in _sets(tops)]
    return [limb for pair, top in sets for limb in _to_limbs(pair, top, bits, count)]


def from_limbs(limbs: Sequence[Array], tops: Sequence[Array], size: int) -> tuple[Pair, ...]:
    bits, count = _limb_bits(size)
    found: dict[int, Pair] = {}
    for k, (which, top) in enumerate(_sets(tops)):
        whole = _from_limbs(list(limbs[k * count : (k + 1) * count]), top, bits)
        pairs = split_pairs(whole, [(2, *tops[i].shape) for i in which])
        found.update(zip(which, pairs, strict=True))
    return tuple(found[i] for i in range(len(tops)))


def _to_limbs(x: Pair, top: Array, bits: int, count: int) -> list[Array]:
    factor = _power_of_two(bits - (top - 126))
    # Each half is cut by itself. With more than 64 devices limbs are so narrow that what the first
    # limb leaves of the high half, together with the low half, has more bits than a float.
    limbs, rests = [], [x[0] * factor]
    for i in range(count - 1):
        cut = [rest.astype(jnp.int32) for rest in rests]
        limbs.append(sum(cut[1:], cut[0]))
        rests = [r - c.astype(jnp.float32) for r, c in zip(rests, cut, strict=True)]
        rests = rests if i else [*rests, x[1] * factor]  # below 1, so the first limb has none of it
        rests = [rest * 2.0**bits for rest in rests]
    # Only the last limb is rounded: what the others cut off is exact and goes to the next limb.
    limbs.append(jnp.round(sum(rests[1:], rests[0])).astype(jnp.int32))
    # A NaN cut into limbs would come back as a number. So if a value isn't finite on some device,
    # the first limb counts inf and the second -inf; NaN counts in both.
    special, odd = top == 255, ~jnp.isfinite(x[0])
    up, down = odd & (x[0] != -jnp.inf), odd & (x[0] != jnp.inf)
    limbs[0] = jnp.where(special, up.astype(jnp.int32), limbs[0])
    limbs[1] = jnp.where(special, down.astype(jnp.int32), limbs[1])
    return limbs


def _from_limbs(limbs: list[Array], top: Array, bits: int) -> Pair:
    special, up, down = top == 255, limbs[0] > 0, limbs[1] > 0
    # Carry from the last limb to the first, so that each limb but the first is in [0, 2^bits) and
    # exact as a float. Then add from the largest to the smallest, since the first two may cancel.
    rest = []
    carry = jnp.zeros_like(limbs[0])
    for limb in reversed(limbs[1:]):
        limb = limb + carry
        carry = limb >> bits
        rest.append((limb - (carry << bits)).astype(jnp.float32))
    first = limbs[0] + carry
    high = first.astype(jnp.float32)
    low = (first - high.astype(jnp.int32)).astype(jnp.float32)
    for i, part in enumerate(reversed(rest), 1):
        high, error = two_sum(high, part * 2.0 ** (-bits * i))
        low = low + error
    factor = _power_of_two((top - 126) - bits)
    high, low = two_sum(high, low)
    infinity = jnp.where(up, jnp.where(down, jnp.nan, jnp.inf), -jnp.inf)
    high = jnp.where(special, infinity.astype(jnp.float32), high * factor)
    return pack(high, low * factor)


class _ExactSum(AbstractScalable):
    """Sums of pairs of float32, arrays of shape `(2, ...)`. Only the last bits of the low halves
    are lost, and over devices the result is the same in any order."""

    def identity(self, arrays):
        return zeros(arrays)

    def scaled(self, arrays, factor):
        return tuple(multiply(x, factor.reshape(2, *(1,) * (x.ndim - 1))) for x in arrays)

    def merge(self, left, right):
        return tuple(add(x, y) for x, y in zip(left, right, strict=True))

    def across(self, arrays, size):
        tops = yield "max", [exponent(x[0]) for x in arrays]
        sums = yield "sum", to_limbs(arrays, tops, size)
        return from_limbs(sums, tops, size)

    def check(self, dtype):
        if dtype != jnp.float32:
            return "an exact sum is kept in pairs of float32, shape (2, ...)"

    def __repr__(self):
        return "exact_sum"


EXACT_SUM: AbstractReduction = _ExactSum()
