"""Values with a mask and weights: one rule for shapes, in every metric."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.messages import describe, not_real


def _way_out(name: str, x: Array, values: Array, rows: tuple[int, ...]) -> str:
    if values.ndim == 0:
        return (
            " One number for the whole batch has no rows: pass one for each row. If it is a number "
            f"of the step, such as a learning rate, don't pass the {name} to its metric: "
            f"`metric.from_output({name}=None)`, or with a name "
            f"`metric.from_output('lr', {name}=None)`."
        )
    if x.shape != values.shape or len(rows) != values.ndim - 1:
        return ""
    size = values.shape[-1]
    return (
        f" To give each entry of a row its own {name}, use one metric for each entry: "
        f"`eqm.MultiOutput(metric, {size}, shared=())`."
    )


def _expand(name: str, x: Array, what: str, values: Array, rows: tuple[int, ...]) -> Array:
    if x.shape != rows[: x.ndim]:
        raise TypeError(
            f"`{name}` is {describe(x)} and `{what}` is {describe(values)}: `{name}` must have "
            f"the shape of the leading row axes of `{what}`, such as {rows}."
            + _way_out(name, x, values, rows)
        )
    trailing = rows[x.ndim :]
    return jnp.broadcast_to(x.reshape(x.shape + (1,) * len(trailing)), rows)


# 2^28 rows of the largest weight fit a float. A larger sum of weights could overflow, and every
# quotient by it would be 0. Smaller weights than the smallest are read as 0: their products could
# underflow, and a wrong mean couldn't be told from a right one.
LARGEST_WEIGHT, SMALLEST_WEIGHT = 2.0**100, 2.0**-100


class Rows(NamedTuple):
    """Flattened rows. `mask` is `None` if all rows count, `weights` is `None` if each counts once.
    Rows of weight 0 are removed by the mask. Rows with a weight that is negative, NaN, infinite or
    at least `LARGEST_WEIGHT` are removed, too, and marked in `invalid`."""

    values: Array  # (rows, *shape)
    mask: Bool[Array, "rows"] | None
    weights: Float32[Array, "rows"] | None
    invalid: Bool[Array, "rows"] | None

    def only(self, keep: Bool[Array, "rows"]) -> "Rows":
        """Some of the rows; the others are removed, and aren't counted as invalid."""
        invalid = None if self.invalid is None else self.invalid & keep
        return self._of(keep if self.mask is None else self.mask & keep, invalid)

    def without(self, bad: Bool[Array, "rows"]) -> "Rows":
        """The rows without those that a metric finds invalid, which are counted."""
        if self.mask is not None:
            bad = bad & self.mask
        invalid = bad if self.invalid is None else self.invalid | bad
        return self._of(~bad if self.mask is None else self.mask & ~bad, invalid)

    def _of(self, mask: Bool[Array, "rows"], invalid: Bool[Array, "rows"] | None) -> "Rows":
        # Rows that are left out get weight 0, so a metric that adds only weights needn't read the
        # mask.
        weights = None if self.weights is None else jnp.where(mask, self.weights, 0)
        return self._replace(mask=mask, weights=weights, invalid=invalid)


def as_column(x: Array, like: Array) -> Array:
    """A number for each row, reshaped to broadcast against an array with trailing axes."""
    return x.reshape(x.shape + (1,) * (like.ndim - 1))


def trailing(shape: int | Sequence[int]) -> tuple[int, ...]:
    """A shape as a tuple; as in NumPy, an integer is a shape of one axis."""
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"A shape of {sizes}: expected whole numbers of at least 0.")
    return sizes


def flat(x: Array, shape: tuple[int, ...] = ()) -> Array:
    """Joins all axes before the trailing `shape`: the result has shape `(rows, *shape)`."""
    rows = x.shape[: x.ndim - len(shape)]
    return x.reshape(math.prod(rows), *shape)


def rows(
    values: Any,
    mask: Any = None,
    weights: Any = None,
    shape: tuple[int, ...] = (),
    name: str = "values",
) -> Rows:
    """Checks shapes and flattens. (The check is written here since one annotation can't have two
    variadic axes.) Whatever the annotations of an `update` allow, its body receives arrays."""
    if jnp.issubdtype(values.dtype, jnp.complexfloating):
        raise not_real(name, values)
    leading = values.ndim - len(shape)
    if leading < 0 or values.shape[leading:] != shape:
        raise TypeError(f"`{name}` is {describe(values)}, expected the trailing shape {shape}.")
    axes = values.shape[:leading]
    if mask is not None:
        mask = flat(_expand("mask", mask, name, values, axes))
    if weights is None:
        return Rows(flat(values, shape), mask, None, None)
    weights = flat(_expand("weights", weights, name, values, axes).astype(jnp.float32))
    bad = ~((weights >= 0) & (weights < LARGEST_WEIGHT))
    taken = ~bad & (weights >= SMALLEST_WEIGHT)
    if mask is not None:
        bad, taken = bad & mask, taken & mask
    # A row that isn't counted may have NaN as its value, and as its weight.
    return Rows(flat(values, shape), taken, jnp.where(taken, weights, 0), bad)


def narrow(x: Array) -> Int32[Array, "..."]:
    """Integers in 32 bits, to be compared with sizes and numbers of classes: 8 bits can't hold 300,
    and clipping keeps 2^32 from becoming 0."""
    if x.dtype.itemsize == 8:
        x = jnp.clip(x, max(-(2**31), jnp.iinfo(x.dtype).min), 2**31 - 1)
    return x.astype(jnp.int32)


def undefined_as(value: Array, is_undefined: Array, undefined: float | None) -> Array:
    """The value, with `undefined` (NaN if it is `None`) where it is undefined."""
    return jnp.where(is_undefined, jnp.nan if undefined is None else undefined, value)
