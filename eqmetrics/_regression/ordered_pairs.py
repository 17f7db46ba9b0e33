"""Pairs of rows that two variables put in the same order, or in opposite ones, counted in
O(n log n) (Knight, "A computer method for calculating Kendall's tau", 1966)."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._aggregate.quantile_sketch import key_of
from .._reduction.pair import add, from_integer, lift, multiply, Pair, to_float
from .._reduction.pair_sums import sum_pairs, sum_rows


class Pairs(NamedTuple):
    """Sums of products of weights, over pairs of rows that differ in the first variable."""

    same: Pair
    opposite: Pair
    total: Pair


def starts(new: Bool[Array, "rows"]) -> Int32[Array, "rows"]:
    """For each row the place of the first row of its group; `new` is true there."""
    place = lax.iota(jnp.int32, new.shape[0])
    return lax.cummax(jnp.where(new, place, 0))


def changes(*keys: Array) -> Bool[Array, "rows"]:
    changed = jnp.zeros(keys[0].shape, bool).at[0].set(True)
    for key in keys:
        changed = changed.at[1:].set(changed[1:] | (key[1:] != key[:-1]))
    return changed


def ranks(x: Float32[Array, "2 rows"], taken: Bool[Array, "rows"]) -> Int32[Array, "rows"]:
    """How many distinct smaller values, given as pairs, there are; rows that don't take part come
    last."""
    high = jnp.where(taken, key_of(x[0]), jnp.iinfo(jnp.int32).max)
    low = jnp.where(taken, key_of(x[1]), 0)
    number = lambda *keys: jnp.cumsum(changes(*keys), dtype=jnp.int32) - 1

    # XLA's CPU sorts a million numbers in 20 ms, and in 200 ms with something beside each.
    def of_floats():
        order = lax.sort(high)
        return number(order)[jnp.searchsorted(order, high)]

    def of_pairs():
        *keys, place = lax.sort((high, low, lax.iota(jnp.int32, high.shape[0])), num_keys=2)
        return jnp.zeros_like(high).at[place].set(number(*keys))

    return lax.cond(jnp.all(low == 0), of_floats, of_pairs)


def scaled(weights: Float32[Array, "rows"], mask: Bool[Array, "rows"]) -> Array:
    """The weights times a power of 2 that brings their sum near 2^29, so that products stay in the
    range of float32; 0 where there is no row."""
    weights = jnp.where(mask, weights, 0)
    _, exponent = jnp.frexp(to_float(sum_rows(weights)))
    return jnp.ldexp(weights, 29 - exponent)


def _part_bits(rows: int) -> int:
    return 30 - rows.bit_length()


def fixed(weights: Float32[Array, "rows"]) -> Int32[Array, "2 rows"]:
    """Scaled weights as whole numbers and fractions, both integers: running sums of these are
    exact, and so are the differences of such sums, however small."""
    whole = jnp.floor(weights)
    part = jnp.floor((weights - whole) * 2.0 ** _part_bits(weights.shape[0]))
    return jnp.stack([whole, part]).astype(jnp.int32)


def pair_of(sums: Int32[Array, "2 rows"]) -> Float32[Array, "2 rows"]:
    parts = from_integer(sums[1]) * 2.0 ** -_part_bits(sums.shape[1])
    return add(from_integer(sums[0]), parts)


def sums_of_ranks(
    rank: Int32[Array, "rows"], x: Int32[Array, "columns rows"]
) -> Int32[Array, "columns rows"]:
    """The sums of the rows of each rank."""
    return jnp.zeros_like(x).at[:, rank].add(x)


def squares(x: Int32[Array, "2 rows"]) -> Pair:
    """The sum of the squares."""
    return _squares(pair_of(x))


def _squares(pairs: Pair) -> Pair:
    return sum_pairs(multiply(pairs, pairs))


def ordered_pairs(
    first: Int32[Array, "rows"],
    second: Int32[Array, "rows"],
    earlier: Bool[Array, "rows"],
    weights: Float32[Array, "rows"],
) -> Pairs:
    """Sums the products of the `weights`, which are `scaled`, over pairs of rows whose `first`
    differs and of which the one with the smaller `first` is `earlier`. Rows with equal `first` have
    equal `earlier`. `second` are ranks from 0; rows of weight 0 count nothing."""
    weight = jnp.max(weights, initial=0)

    def alike() -> Pairs:
        # Three columns instead of seven, and nothing is sorted beside the keys.
        flags = (weights > 0) * (1 + earlier.astype(jnp.int32))
        rank, packed = lax.sort((first, 4 * second + flags), num_keys=2)
        flags = packed & 3
        count, later = (flags == 2)[None].astype(jnp.int32), flags > 0
        pairs = _counted(rank, packed >> 2, count, later, lambda x: from_integer(x[0]), _where)
        return Pairs(*(multiply(x, multiply(lift(weight), lift(weight))) for x in pairs))

    def each() -> Pairs:
        a, b, before, w = lax.sort((first, second, earlier, weights), num_keys=2)
        count = jnp.where(before[None], fixed(w), 0)
        return _counted(a, b, count, w, pair_of, lambda x, w: multiply(x, lift(w)))

    if first.shape[0] >= 2**28:  # a rank and two flags need 32 bits
        return each()
    return lax.cond(jnp.all((weights == 0) | (weights == weight)), alike, each)


def _where(pairs: Pair, later: Bool[Array, "rows"]) -> Pair:
    return jnp.where(later[None], pairs, 0)


def _counted(
    first: Int32[Array, "rows"],
    second: Int32[Array, "rows"],
    count: Int32[Array, "columns rows"],
    later: Array,
    pairs_of: Callable[[Array], Pair],
    times: Callable[[Pair, Array], Pair],
) -> Pairs:
    """The sums, of rows in the order of `first` and `second`: `pairs_of` gives a sum of counts, and
    `times` its product with what a later row is."""

    def of_groups(new: Bool[Array, "rows"]) -> Pair:
        return _squares(pairs_of(sums_of_ranks(jnp.cumsum(new, dtype=jnp.int32) - 1, count)))

    new = changes(first)
    sums = jnp.cumsum(count, axis=1, dtype=jnp.int32) - count
    total = sum_pairs(times(pairs_of(sums[:, starts(new)]), later))
    columns = len(count)
    bits = max(first.shape[0] - 1, 1).bit_length()

    # How many rows have a smaller rank: where the rows of a rank begin, in the order of ranks.
    ends = jnp.cumsum(jnp.zeros_like(second).at[second].add(1), dtype=jnp.int32)
    begins = jnp.concatenate([jnp.zeros_like(ends[:1]), ends])

    # The highest bit in which two ranks differ tells which is larger. So rows are grouped by the
    # bits above it, in the order of `first`, and a 1 after a 0 is a pair in the same order; then
    # zeros and ones are separated, which makes the groups of the next bit.
    def level(i: Array, carry: tuple[Array, ...]) -> tuple[Array, ...]:
        same, opposite, second, count, later = carry
        bit = bits - 1 - i
        one = (lax.shift_right_logical(second, jnp.full_like(second, bit)) & 1) == 1
        lowest = second & lax.shift_left(jnp.int32(-2), bit)
        highest = jnp.minimum(lowest + lax.shift_left(jnp.int32(1), bit), second.shape[0])
        start, middle = begins[lowest], begins[highest]
        both = (jnp.where(one[None], 0, count), jnp.where(one[None], count, 0))
        each = jnp.concatenate([*both, (~one)[None].astype(jnp.int32)])
        # A scan in log depth takes XLA's CPU a third of the time of `cumsum`.
        sums = lax.associative_scan(jnp.add, each, axis=1) - each
        sums = sums - sums[:, start]
        zeros, ones, within = sums[:columns], sums[columns:-1], sums[-1]
        products = times(pairs_of(jnp.where(one[None], zeros, ones)), later)
        same = add(same, sum_pairs(jnp.where(one[None], products, 0)))
        opposite = add(opposite, sum_pairs(jnp.where(one[None], 0, products)))
        # Where each row goes in its group: the zeros first.
        place = lax.iota(jnp.int32, second.shape[0])
        to = jnp.where(one, middle + (place - start) - within, start + within)
        put = lambda x: jnp.zeros_like(x).at[..., to].set(x, unique_indices=True)
        moved = (put(x) for x in (second, count, later))
        return same, opposite, *moved

    # Zeros that vary over the devices where the rows do: `shard_map` requires it of a carry.
    zero = lift((second[0] * 0).astype(jnp.float32))
    carry = zero, zero, second, count, later
    same, opposite, *_ = lax.fori_loop(0, bits, level, carry)
    # Rows with equal `first` are in the order of `second`, and were counted as the same order.
    both = add(of_groups(new), -of_groups(changes(first, second)))
    ties = multiply(both, lift(jnp.float32(0.5)))
    return Pairs(add(same, -ties), opposite, total)
