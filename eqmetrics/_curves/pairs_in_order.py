"""The share of pairs of a positive and a negative in which the positive has the higher score."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from .._reduction.pair import add, divide, from_integer, multiply, Pair, power_of
from .._reduction.pair_sums import sum_pairs
from .._rows.cells import cumulated


def _sum_of_cells(x: Pair) -> Pair:
    return sum_pairs(jnp.moveaxis(x, -1, 1))


def shares_of_cells(
    negatives: Pair, positives: Pair, tied: Bool[Array, "classes cells"]
) -> tuple[Pair, Pair]:
    """Of each class, from the weights in cells from low scores to high ones: the share that is
    certain, where a tie counts one half, and the share of the pairs in one cell whose order isn't
    known."""
    # The weights are scaled: their products would leave the range of float32.
    negatives, positives = (
        x * power_of(_sum_of_cells(x))[None, ..., None] for x in (negatives, positives)
    )
    below = cumulated(negatives)
    inside = multiply(positives, negatives)
    certain = add(multiply(positives, below[..., :-1]), jnp.where(tied, 0.5 * inside, 0))
    low, open_ = _sum_of_cells(certain), _sum_of_cells(jnp.where(tied, 0, inside))
    total = multiply(below[..., -1], _sum_of_cells(positives))
    return divide(low, total), divide(open_, total)


def share_of_rows(
    positive: Bool[Array, "classes rows"],
    after: Int32[Array, "2 classes rows"],
    before: Int32[Array, "2 classes rows"],
) -> Pair:
    """The share in order of each class, of sorted rows that count once. `after` and `before` count
    negatives and positives: up to each row, and before the first row that it ties with. Among tied
    rows negatives come first."""
    # A positive is above the negatives up to it, but for those that it ties with, which count half.
    twice = sum_pairs(from_integer(jnp.where(positive, after[0] + before[0], 0).T))
    negatives, positives = (from_integer(x) for x in after[..., -1])
    return 0.5 * divide(twice, multiply(negatives, positives))
