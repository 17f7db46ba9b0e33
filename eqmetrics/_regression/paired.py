"""Predictions beside targets: the rows of both, and what several columns of them come to."""

from typing import Any, get_args, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.checks import describe
from .._reduction.pair import is_wide, minus
from .._rows.rows import Rows, rows


Multioutput = Literal["uniform_average", "raw_values"]


def check_multioutput(multioutput: str, kinds: tuple[str, ...] = get_args(Multioutput)) -> None:
    if multioutput not in kinds:
        raise ValueError(f"multioutput={multioutput!r}: expected one of {kinds}.")


def together(
    mask: Any, weights: Any, shape: tuple[int, ...] = (), **arrays: Any
) -> tuple[Rows, tuple[Float32[Array, "rows ..."], ...]]:
    """The rows (`values` are the first array), and all arrays in float32, of shape
    `(rows, *shape)`. Nothing is broadcast."""
    (first, like), *_ = arrays.items()
    batch = rows(like, mask, weights, shape, first)
    for name, x in arrays.items():
        if x.shape != like.shape:
            raise TypeError(
                f"`{first}` is {describe(like)} and `{name}` is {describe(x)}: they "
                "must have the same shape. Squeeze or reshape one: nothing is broadcast."
            )
        rows(x, None, None, shape, name)  # real numbers
    size = batch.values.shape
    return batch, tuple(x.reshape(size).astype(jnp.float32) for x in arrays.values())


def paired(
    predictions: Any,
    targets: Any,
    mask: Any,
    weights: Any,
    shape: tuple[int, ...] = (),
    **more: Any,
) -> tuple[Rows, tuple[Float32[Array, "rows ..."], ...]]:
    return together(mask, weights, shape, predictions=predictions, targets=targets, **more)


def errors_of(batch: Rows, x: Any, y: Any) -> Float32[Array, "rows ..."]:
    """The differences of two of these arrays. Of those in float32 they would be wrong where
    integers don't fit it."""
    return minus(x, y).reshape(batch.values.shape)


def unless(bad: Array, x: Any, weights: Any) -> tuple[Array, Any]:
    """Values and weights for a statistic that counts as invalid what isn't finite, with the bad
    rows among it. An integer that no float holds can't be NaN; its weight can."""
    bad = bad.reshape(x.shape)
    if not is_wide(x):
        return jnp.where(bad, jnp.nan, x.astype(jnp.float32)), weights
    one = jnp.ones((), jnp.float32) if weights is None else weights.astype(jnp.float32)
    one = one.reshape(one.shape + (1,) * (x.ndim - one.ndim))
    return x, jnp.where(bad, jnp.nan, jnp.broadcast_to(one, x.shape))


def over_columns(values: Array, multioutput: str) -> Float32[Array, "..."]:
    return values if multioutput == "raw_values" else jnp.mean(values)
