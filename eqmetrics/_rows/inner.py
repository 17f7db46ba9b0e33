"""A mask of rows, or of the entries inside them: documents, tokens, pixels."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool

from .._metric.messages import describe
from .rows import flat


def split_mask(
    mask: Any, values: Array, inner: int, name: str = "values"
) -> tuple[Any, Bool[Array, "rows ..."]]:
    """The mask of the rows, for `rows(...)`, and the mask of the entries inside them, of shape
    `(rows, *inner)`. A mask with all axes of the values removes entries, one with fewer axes
    removes rows.

    **Arguments:**

    - `inner`: how many of the last axes of the values belong to one row.
    """
    shape = values.shape[values.ndim - inner :]
    if mask is None or mask.ndim <= values.ndim - inner:
        return mask, jnp.ones(flat(values, shape).shape, bool)
    if mask.shape != values.shape:
        raise TypeError(
            f"`mask` is {describe(mask)} and `{name}` is {describe(values)}: a mask has the shape "
            f"{values.shape[: values.ndim - inner]} of the rows, which it removes, or the shape "
            f"{values.shape}, and removes what is in them."
        )
    return None, flat(mask, shape)
