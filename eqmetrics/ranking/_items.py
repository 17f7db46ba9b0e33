"""Lists of recommended items, by their numbers."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.rows import narrow, Rows, rows


class Items(NamedTuple):
    batch: Rows
    numbers: Int32[Array, "rows k"]  # in range even where there is no item
    real: Bool[Array, "rows k"]


def items_of(recommended: Any, mask: Any, weights: Any, num_items: int) -> Items:
    if recommended.ndim == 0 or not jnp.issubdtype(recommended.dtype, jnp.integer):
        raise TypeError(
            f"`recommended` is {describe(recommended)}, expected integers of shape (*users, k): "
            "of each user the numbers of the items. Of scores they are "
            "`jax.lax.top_k(scores, k)[1]`."
        )
    row_mask, real = split_mask(mask, recommended, 1, "recommended")
    batch = rows(recommended, row_mask, weights, recommended.shape[-1:], "recommended")
    index = narrow(batch.values)
    outside = (index < 0) | (index >= num_items)
    batch = batch.without(jnp.any(outside & real, axis=1))
    return Items(batch, jnp.clip(index, 0, num_items - 1), real)


def valid_items(num_items: int) -> str:
    return f"items in [0, {num_items}), weights >= 0 and finite"
