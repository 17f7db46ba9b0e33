"""Values with a mask and weights: one shape rule for every metric."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from ._checks import describe
from ._reduction.pair import add_count, from_integer, fused, Pair, renormalise, sum_rows


def _expand(name: str, x: Array, what: str, values: Array, rows: tuple[int, ...]) -> Array:
    if x.shape != rows[: x.ndim]:
        raise TypeError(
            f"`{name}` is {describe(x)} and `{what}` is {describe(values)}: `{name}` must have "
            f"the shape of the leading row axes of `{what}`, such as {rows}."
        )
    trailing = rows[x.ndim :]
    return jnp.broadcast_to(x.reshape(x.shape + (1,) * len(trailing)), rows)


class Rows(NamedTuple):
    """Flattened rows. `weights` is 0 for a row that doesn't take part, and `None` where
    every row takes part once; `invalid` marks rows with a negative or NaN weight."""

    values: Array  # (rows, *shape)
    weights: Float32[Array, "rows"] | None
    invalid: Bool[Array, "rows"] | None

    def total(self) -> Pair:
        return weighted_sum(self.values, self.weights)

    def weight(self) -> Pair:
        if self.weights is None:
            return from_integer(jnp.asarray(self.values.shape[0], jnp.int32))
        return sum_rows(self.weights)

    def left_out(self, count: Pair) -> Pair:
        """A count of invalid rows that has also seen these."""
        return count if self.invalid is None else add_count(count, self.invalid)


def column(x: Array, like: Array) -> Array:
    return x.reshape(x.shape + (1,) * (like.ndim - 1))


@fused
def weighted_sum(values: Array, weights: Array | None) -> Pair:
    """The pair nearest to the sum over rows of `weights * values`."""
    if weights is not None:
        # `where`, not a product: a row of weight 0 may hold NaN.
        values = jnp.where(column(weights != 0, values), values, jnp.zeros_like(values))
    if jnp.issubdtype(values.dtype, jnp.integer) and values.dtype.itemsize >= 4:
        pairs = from_integer(values)
        high, low = pairs[0], pairs[1]
    else:
        high, low = values.astype(jnp.float32), None
    if weights is not None:
        w = column(weights, high)
        high, low = high * w, None if low is None else low * w
    total = sum_rows(high)
    if low is None:
        return total
    return renormalise(total[0], total[1] + jnp.sum(low, axis=0))


def rows(
    values: Array,
    mask: Array | None,
    weights: Array | None,
    shape: tuple[int, ...] = (),
    name: str = "values",
) -> Rows:
    """Checks shapes by hand (two variadic axes don't fit one annotation) and flattens."""
    leading = values.ndim - len(shape)
    if leading < 0 or values.shape[leading:] != shape:
        raise TypeError(
            f"`{name}` is {describe(values)}, expected the trailing shape {shape}."
        )
    axes = values.shape[:leading]
    flat = values.reshape((-1, *shape))
    if weights is not None:
        weights = _expand("weights", weights, name, values, axes).astype(jnp.float32)
        weights = weights.ravel()
    if mask is not None:
        mask = _expand("mask", mask, name, values, axes).ravel()
    if weights is None:
        return Rows(flat, None if mask is None else mask.astype(jnp.float32), None)
    if mask is not None:
        weights = jnp.where(mask, weights, 0)
    invalid = ~(weights >= 0)
    return Rows(flat, jnp.where(invalid, 0, weights), invalid)


def undefined_as(value: Array, is_undefined: Array, undefined: float | None) -> Array:
    """0/0 is NaN, unless the caller said otherwise."""
    return jnp.where(is_undefined, jnp.nan if undefined is None else undefined, value)
