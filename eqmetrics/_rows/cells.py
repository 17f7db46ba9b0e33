"""Counts in cells: adds rows to an array of pairs by index, exactly and in O(rows)."""

import functools as ft

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.node import vary_like
from .._reduction.limbs import exponent, from_limbs, LEAST_EXPONENT, to_limbs
from .._reduction.pair import add, from_integer, inlined, lift, Pair, renormalise, two_sum


# XLA's CPU scatters in place, at 1 ns per row, if the array is flat and the indices are promised to
# be in bounds. A row that isn't counted adds 0 to cell 0.
_PROMISE = "promise_in_bounds"


@inlined
def add_rows(
    cells: Float32[Array, "2 *shape"], index: Int32[Array, "rows"], taken: Bool[Array, "rows"]
) -> Float32[Array, "2 *shape"]:
    """Adds 1 to the cell of each row that is `taken`; `index` numbers the cells of the flattened
    array."""
    size, count = cells[0].size, index.shape[0]
    if not isinstance(count, int):
        count = 2**31  # a symbolic size of `jax.export` may be any number
    if size <= 8 * count or count > 2**22:
        # The other rows are counted in one extra cell: adding a flag for each row would need a
        # conversion.
        index = jnp.where(taken, index, size)
        new = jnp.zeros(size + 1, jnp.int32).at[index].add(1, mode=_PROMISE)[:size]
        new = new.reshape(cells.shape[1:])
        if count >= 2**24:
            return add(cells, from_integer(new))
        # A float holds this count exactly, so this is half the work of adding two pairs.
        high, error = two_sum(cells[0], new.astype(jnp.float32))
        return renormalise(high, cells[1] + error)
    index = jnp.where(taken, index, 0)
    # Updates only the cells that occur in `index`. The low half of a count below 2^48 is an integer
    # of at most 2^23, so a scatter that adds ones to it is exact. Every row then renormalises its
    # cell; rows with the same cell write the same result.
    flat = cells.reshape(-1)
    flat = flat.at[index + size].add(taken.astype(jnp.float32), mode=_PROMISE)
    both = jnp.concatenate([index, index + size])
    high, low = flat.at[both].get(mode=_PROMISE).reshape(2, -1)
    pair = renormalise(high, low)
    return flat.at[both].set(pair.reshape(-1), mode=_PROMISE).reshape(cells.shape)


@inlined
def add_weights(
    cells: Float32[Array, "2 cells"],
    index: Int32[Array, "rows"],
    weights: Float32[Array, "rows"],
) -> Float32[Array, "2 cells"]:
    """Adds each row's weight to its cell; rows of weight 0 may have any index."""
    return _add_pairs(cells, index, lift(weights))


@inlined
def add_values(
    cells: Float32[Array, "2 cells"],
    index: Int32[Array, "rows"],
    values: Float32[Array, "2 rows"],
    taken: Bool[Array, "rows"],
) -> Float32[Array, "2 cells"]:
    """Adds each row's pair to its cell; rows that aren't `taken` may contain anything."""
    index, high, low = (jnp.where(taken, x, 0) for x in (index, *values))
    return _add_pairs(cells, index, jnp.stack([high, low]))


def _add_pairs(cells: Pair, index: Array, values: Pair) -> Pair:
    """Adds pairs to cells; rows of value 0 may have any index."""
    if index.shape[0] == 0:
        return cells
    if cells.shape[1] <= 64 * index.shape[0]:
        return add(cells, _limb_sums(cells.shape[1], index, values))
    return _add_sorted(cells, index, values)


@ft.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _limb_sums(size: int, index: Array, values: Pair) -> Pair:
    """The sum of each cell, computed as sums over devices are: floats would round at every row of a
    scatter, while integer limbs, relative to the largest value of the cell, add exactly in any
    order. A large or non-finite value in one cell doesn't affect the others."""
    index = jnp.where(values[0] != 0, index, 0)
    tops = jnp.full(size, LEAST_EXPONENT, jnp.int32)
    tops = tops.at[index].max(exponent(values[0]), mode=_PROMISE)
    own = tops.at[index].get(mode=_PROMISE)
    limbs = [
        jnp.zeros(size, jnp.int32).at[index].add(limb, mode=_PROMISE)
        for limb in to_limbs([values], [own], index.shape[0])
    ]
    (sums,) = from_limbs(limbs, [tops], index.shape[0])
    return sums


@_limb_sums.defjvp
def _limb_sums_jvp(size, primals, tangents):
    # Integers have no derivative, so the tangents are summed in plain floats.
    index, values = primals
    at = jnp.where(values[0] != 0, index, 0)
    sums = jnp.zeros((2, size), jnp.float32).at[:, at].add(tangents[1], mode=_PROMISE)
    return _limb_sums(size, index, values), sums


def _add_sorted(cells: Array, index: Array, values: Pair) -> Array:
    """Adds pairs to so many cells that only those in `index` should be read and written."""
    size = cells.shape[1]
    away = 2 * size  # out of bounds, so it is dropped
    index, high, low = lax.sort((jnp.where(values[0] != 0, index, away), *values), num_keys=1)
    # Rows of one cell are now adjacent: a segmented scan adds them as pairs, and the last row of
    # each cell holds its sum.
    changes, edge = index[1:] != index[:-1], jnp.ones(1, bool)
    starts, ends = jnp.concatenate([edge, changes]), jnp.concatenate([changes, edge])
    pairs = jnp.stack([high, low], axis=-1)
    sums = lax.associative_scan(_join, (starts, pairs))[1].T
    at = jnp.where(ends, index, away)
    both = jnp.concatenate([at, at + size])
    flat = cells.reshape(-1)
    old = flat.at[both].get(mode="fill", fill_value=0).reshape(2, -1)
    return flat.at[both].set(add(old, sums).reshape(-1), mode="drop").reshape(cells.shape)


def _join(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
    (begins, a), (starts, b) = left, right
    joined = add(a.T, b.T).T
    return begins | starts, jnp.where(starts[:, None], b, joined)


def cumulated(x: Pair) -> Pair:
    """The sum of all entries before each one along the last axis; then the sum of all entries."""
    cells = x.shape[-1]
    size = 1 << (cells.bit_length() // 2)
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -cells % size)])
    # First within blocks, all at once, then over the sums of the blocks: about two times the square
    # root of the length in steps.
    sums, inner = _before(x.reshape(*x.shape[:-1], -1, size))
    total, outer = _before(sums)
    whole = add(inner, outer[..., None]).reshape(x.shape)[..., :cells]
    return jnp.concatenate([whole, total[..., None]], axis=-1)


def _before(x: Pair) -> tuple[Pair, Pair]:
    """The sum over the last axis, and for each entry the sum of those before it."""
    x = jnp.moveaxis(x, -1, 0)
    start = vary_like(jnp.zeros(x.shape[1:], x.dtype), x)
    total, before = lax.scan(lambda total, y: (add(total, y), total), start, x)
    return total, jnp.moveaxis(before, 0, -1)
