"""Predictions beside targets: the rows of both, and the value from several columns."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._metric.messages import describe
from .._reduction.pair import is_wide, minus
from .._rows.rows import Rows, rows, trailing


Multioutput = Literal["uniform_average", "raw_values"] | Sequence[float]


def checked_multioutput(
    multioutput: Any,
    outputs: int | tuple[int, ...],
    kinds: tuple[str, ...] = ("uniform_average", "raw_values"),
) -> Any:
    """One of the words as it is, or the weights of the columns as a tuple."""
    if isinstance(multioutput, str):
        if multioutput in kinds:
            return multioutput
        raise ValueError(
            f"multioutput={multioutput!r}: expected one of {kinds}, or a weight for each column."
        )
    weights = tuple(float(x) for x in np.ravel(multioutput))
    columns = math.prod(trailing(outputs))
    if len(weights) != columns or not all(0 <= x < math.inf for x in weights) or not sum(weights):
        raise ValueError(
            f"multioutput={multioutput!r}: expected a weight for each of the {columns} column(s) "
            f"of outputs={outputs!r}, at least 0, finite and not all 0."
        )
    return weights


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
    """The differences of two of these arrays, subtracted before integers are rounded to float32."""
    return minus(x, y).reshape(batch.values.shape)


def unless(bad: Array, x: Any, weights: Any) -> tuple[Array, Any]:
    """Values and weights for a statistic that counts as invalid what isn't finite, such that the
    `bad` rows are invalid. An integer that isn't a float can't be NaN; its weight can."""
    bad = bad.reshape(x.shape)
    if not is_wide(x):
        return jnp.where(bad, jnp.nan, x.astype(jnp.float32)), weights
    one = jnp.ones((), jnp.float32) if weights is None else weights.astype(jnp.float32)
    one = one.reshape(one.shape + (1,) * (x.ndim - one.ndim))
    return x, jnp.where(bad, jnp.nan, jnp.broadcast_to(one, x.shape))


def over_columns(values: Array, multioutput: Multioutput) -> Float32[Array, "..."]:
    if multioutput == "raw_values":
        return values
    if multioutput == "uniform_average":
        return jnp.mean(values)
    shares = np.array(multioutput) / np.sum(multioutput)
    shares = shares.reshape(values.shape).astype(np.float32)
    # A column of weight 0 doesn't take part, undefined or not.
    return jnp.sum(jnp.where(shares > 0, values, 0) * shares)
