"""Predictions beside targets: the rows of both, and what several columns of them come to."""

from typing import Any, get_args, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._checks import describe
from .._rows import Rows, rows


Multioutput = Literal["uniform_average", "raw_values"]


def shape_of(outputs: int | tuple[int, ...]) -> tuple[int, ...]:
    return (outputs,) if isinstance(outputs, int) else tuple(outputs)


def check_multioutput(multioutput: str, kinds: tuple[str, ...] = get_args(Multioutput)) -> None:
    if multioutput not in kinds:
        raise ValueError(f"multioutput={multioutput!r}: expected one of {kinds}.")


def paired(
    predictions: Any,
    targets: Any,
    mask: Any,
    weights: Any,
    shape: tuple[int, ...] = (),
    **more: Any,
) -> tuple[Rows, tuple[Float32[Array, "rows ..."], ...]]:
    """The rows (`values` are the predictions), and predictions, targets and `more` as float32
    arrays of shape `(rows, *shape)`. Nothing is broadcast."""
    batch = rows(predictions, mask, weights, shape, "predictions")
    for name, x in {"targets": targets, **more}.items():
        if x.shape != predictions.shape:
            raise TypeError(
                f"`predictions` is {describe(predictions)} and `{name}` is {describe(x)}: they "
                "must have the same shape. Squeeze or reshape one: nothing is broadcast."
            )
        rows(x, None, None, shape, name)  # real numbers
    size = batch.values.shape
    each = [x.reshape(size).astype(jnp.float32) for x in (predictions, targets, *more.values())]
    return batch, tuple(each)


def over_columns(values: Array, multioutput: str) -> Float32[Array, "..."]:
    return values if multioutput == "raw_values" else jnp.mean(values)
