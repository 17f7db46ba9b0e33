"""Counts in cells: rows added to an array of pairs by index, in O(rows), exactly."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from ._reduction.pair import add, from_integer, fused, renormalise, two_sum


# XLA's CPU scatters in place and in 1 ns a row if the indices are promised to be in bounds
# and the array is flat. A row that doesn't take part adds 0 to cell 0.
_PROMISE = "promise_in_bounds"


@fused
def add_rows(
    cells: Float32[Array, "2 cells"], index: Int32[Array, "rows"], taken: Bool[Array, "rows"]
) -> Float32[Array, "2 cells"]:
    """Adds 1 to the cell of each row that is taken."""
    size, count = cells.shape[1], index.shape[0]
    index = jnp.where(taken, index, 0)
    if size <= 8 * count or count > 2**22:
        new = jnp.zeros(size, jnp.int32).at[index].add(taken.astype(jnp.int32), mode=_PROMISE)
        if count >= 2**24:
            return add(cells, from_integer(new))
        # A float holds such a count: half the work of adding two pairs.
        high, error = two_sum(cells[0], new.astype(jnp.float32))
        return renormalise(high, cells[1] + error)
    # Only the cells that are touched. The low half of a count below 2^48 is a whole number
    # of at most 2^23, so a scatter of ones into it is exact; every row then renormalises its
    # cell, and rows of one cell write the same.
    flat = cells.reshape(-1)
    flat = flat.at[index + size].add(taken.astype(jnp.float32), mode=_PROMISE)
    both = jnp.concatenate([index, index + size])
    high, low = flat.at[both].get(mode=_PROMISE).reshape(2, -1)
    pair = renormalise(high, low)
    return flat.at[both].set(pair.reshape(-1), mode=_PROMISE).reshape(cells.shape)


@fused
def add_weights(
    cells: Float32[Array, "2 cells"],
    index: Int32[Array, "rows"],
    weights: Float32[Array, "rows"],
) -> Float32[Array, "2 cells"]:
    """Adds each row's weight to its cell; rows of weight 0 may have any index."""
    size, count = cells.shape[1], index.shape[0]
    if count == 0:
        return cells
    away = 2 * size  # out of bounds: dropped
    index, weights = lax.sort((jnp.where(weights > 0, index, away), weights), num_keys=1)
    # A scatter of floats would round at every row. Rows of one cell are neighbours now: a
    # segmented scan adds them as pairs, and the last row of each holds the sum.
    changes, edge = index[1:] != index[:-1], jnp.ones(1, bool)
    starts, ends = jnp.concatenate([edge, changes]), jnp.concatenate([changes, edge])
    pairs = jnp.stack([weights, jnp.zeros_like(weights)], axis=-1)
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
