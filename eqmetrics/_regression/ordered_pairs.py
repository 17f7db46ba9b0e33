"""Pairs of rows that two variables put in the same order, or in opposite ones, counted without
comparing all of them.

Knight ("A computer method for calculating Kendall's tau", 1966) counts them while he merges sorted
lists. This is O(n log n), but its steps wait for each other. Here the rows are cut into blocks in
the order of each variable: pairs in one block are compared, and all others are counted by a table
of blocks. This is O(n sqrt(n)), of comparisons that a processor makes sixteen at a time."""

import functools as ft
import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._aggregate.quantile_sketch import key_of
from .._reduction.pair import add, from_integer, multiply, Pair, to_float
from .._reduction.pair_sums import sum_pairs, sum_rows


class Pairs(NamedTuple):
    """Sums of products of weights, over pairs of rows that differ in the first variable."""

    difference: Pair
    """Of the pairs in the same order, less those in opposite order."""
    total: Pair


def starts(new: Bool[Array, "rows"]) -> Int32[Array, "rows"]:
    """For each row the place of the first row of its group; `new` is true there."""
    place = lax.iota(jnp.int32, new.shape[0])
    # XLA's CPU takes four times as long for `cummax`.
    return lax.associative_scan(jnp.maximum, jnp.where(new, place, 0))


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
    pairs = pair_of(x)
    return sum_pairs(multiply(pairs, pairs))


def order_by(*keys: Int32[Array, "rows"], bits: int) -> Int32[Array, "rows"]:
    """The places of the rows in the order of the first key, where it is equal of the second, and
    where both are, of the rows. Keys are whole numbers from 0 of so many bits."""
    # XLA's CPU sorts words five times as fast as words with something beside each. So some bits of
    # the keys are sorted with the place of the row in the same word; the last bits come first.
    rows = keys[0].shape[0]
    behind = max(rows - 1, 1).bit_length()
    place = order = lax.iota(jnp.uint32, rows)
    for lowest in range(0, bits * len(keys), 32 - behind):
        parts = []
        for i, key in enumerate(reversed(keys)):
            key, left = key.astype(jnp.uint32), bits * i - lowest
            parts.append(key << left if left >= 0 else key >> -left)
        word = ft.reduce(jnp.bitwise_or, parts)[order] << behind
        order = order[lax.sort(word | place) & jnp.uint32(2**behind - 1)]
    return order.astype(jnp.int32)


STEP = 8


def _block_size(rows: int) -> int:
    """A power of 2, so large that a table of two blocks each has at most `4 * rows` cells."""
    return max(STEP, 1 << (math.isqrt(rows) // 2).bit_length())


def _compared(
    x: Int32[Array, "rows"], count: Int32[Array, "rows"], size: int
) -> Int32[Array, "rows"]:
    """For each row the sum of `count` over the rows before it in its block whose `x` is larger."""
    columns, counts = x.reshape(-1, size).T, count.reshape(-1, size).T
    place = lax.iota(jnp.int32, size)[:, None]

    # Each step compares a few rows of every block with all of its rows. A reduction of all
    # comparisons at once would take XLA's CPU twenty times as long.
    def step(i: Array, sums: Array) -> Array:
        for row in (STEP * i + k for k in range(STEP)):
            larger = (lax.dynamic_slice_in_dim(columns, row, 1) > columns) & (place > row)
            sums = sums + jnp.where(larger, lax.dynamic_slice_in_dim(counts, row, 1), 0)
        return sums

    # Zeros that vary over the devices where the rows do: `shard_map` requires it of a carry.
    return lax.fori_loop(0, size // STEP, step, counts * 0).T.reshape(-1)


def _before_and_larger(
    place: Int32[Array, "rows"], row: Int32[Array, "rows"], count: Int32[Array, "rows"]
) -> Int32[Array, "rows"]:
    """For each row the sum of `count` over the rows before it whose `place` is larger; `row` is the
    one at each place."""
    size = _block_size(len(place))
    more = lax.iota(jnp.int32, -len(place) % size) + len(place)
    rows = len(place)
    place, row = jnp.concatenate([place, more]), jnp.concatenate([row, more])
    count = jnp.pad(count, (0, len(more)))
    # Pairs in one block of rows; then pairs in one block of places, of two blocks of rows, which
    # are seen from the largest place; then all others.
    by_row = _compared(place, count, size)
    by_place = _compared(-(row // size)[::-1], count[row][::-1], size)[::-1]
    blocks = len(place) // size
    cell = lax.iota(jnp.int32, len(place)) // size, place // size
    table = jnp.zeros((blocks, blocks), jnp.int32).at[cell].add(count)
    table = lax.cumsum(table) - table
    table = lax.cumsum(table, axis=1, reverse=True) - table
    return (by_row + by_place[place] + table[cell])[:rows]


def ordered_pairs(
    first: Int32[Array, "rows"],
    second: Int32[Array, "rows"],
    earlier: Bool[Array, "rows"],
    weights: Float32[Array, "rows"],
) -> Pairs:
    """Sums the products of the `weights`, which are `scaled`, over pairs of rows whose `first`
    differs and of which the one with the smaller `first` is `earlier`. Both are whole numbers from
    0 and less than twice the number of rows; rows of weight 0 count nothing."""
    rows = len(first)
    bits = (2 * rows).bit_length()
    order = order_by(first, second, bits=bits)
    first, second, weight = first[order], second[order], fixed(weights)[:, order]
    count = jnp.where(earlier[order][None], weight, 0)
    # The place of each row in the order of `second` and then of `first`.
    row = order_by(second, bits=bits)
    place = jnp.zeros_like(row).at[row].set(lax.iota(jnp.int32, rows), unique_indices=True)
    # The second column is of fractions, which most weights don't have.
    columns = 1 + jnp.any(count[1] != 0).astype(jnp.int32)
    column = lambda i, sums: sums.at[i].set(_before_and_larger(place, row, count[i]))
    opposite = lax.fori_loop(0, columns, column, count * 0)

    before = lambda count: lax.associative_scan(jnp.add, count, axis=1) - count
    total = before(count)[:, starts(changes(first))]
    sums, keys = before(count[:, row]), (second[row], first[row])
    tied = sums[:, starts(changes(*keys))] - sums[:, starts(changes(keys[0]))]
    same = total - tied[:, place] - opposite
    times = lambda sums: sum_pairs(multiply(pair_of(sums), pair_of(weight)))
    return Pairs(times(same - opposite), times(total))
