"""Rows to which several raters gave a category each; some ratings may be missing."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.rows import narrow, Rows, rows


class Ratings(NamedTuple):
    """Rows with at least two ratings; `category` is 0 where `there` is false."""

    batch: Rows
    category: Int32[Array, "rows raters"]
    there: Bool[Array, "rows raters"]
    raters: Int32[Array, "rows"]  # how many ratings the row has


def ratings_of(ratings: Any, num_classes: int, mask: Any, weights: Any) -> Ratings:
    if ratings.ndim == 0:
        raise TypeError(f"`ratings` is {describe(ratings)}, expected the shape `(*rows, raters)`.")
    of_rows, there = split_mask(mask, ratings, 1, "ratings")
    batch = rows(narrow(ratings), of_rows, weights, ratings.shape[-1:], "ratings")
    inside = (batch.values >= 0) & (batch.values < num_classes)
    bad = jnp.any(there & ~inside, axis=1)
    there = there & inside
    count = jnp.sum(there, axis=1, dtype=jnp.int32)
    # Rows with too few ratings count as invalid too, if one is out of range.
    batch = batch.without(bad).only((count > 1) | bad)
    return Ratings(batch, jnp.where(there, batch.values, 0), there, count)
