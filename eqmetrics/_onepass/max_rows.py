import functools as ft
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._reduction.extremum import MAX
from .._rows.rows import as_column
from .operation import AbstractOperation, of_each, register
from .side_by_side import joined, SideBySide


class MaxRows(AbstractOperation):
    """`max_rows(sign, nan)(old, x)` or `(old, x, mask)`: the largest of the old values and of the
    rows times a sign. `x` has shape `(rows, *shape)`, `old` has `shape`; -inf stands for no row.

    **Arguments:**

    - `sign`: 1, or -1 for the largest of the negated values.
    - `nan`: whether NaN counts as larger than any number, or is ignored.
    """

    operands = "state", "rows"
    results = ("state",)
    last = True

    def __init__(self, sign: int, nan: bool):
        self.sign, self.nan = sign, nan

    def compared(self, x: Array) -> Array:
        return _compared(x, self.sign, self.nan)

    def placeholder(self, *operands):
        return operands[:1]

    def alone(self, *operands):
        return self.together([(self, list(operands))])[0]

    @classmethod
    def together(cls, many):
        # One step for both signs: three kernels, instead of three for each.
        x = [_only(*rows, none=-op.sign * jnp.inf) for op, (_, *rows) in many]
        cells = [(op, y.shape[1:]) for (op, _), y in zip(many, x, strict=True)]
        sign = [jnp.full(shape, op.sign, jnp.float32) for op, shape in cells]
        nan = [jnp.full(shape, op.nan, jnp.bool_) for op, shape in cells]
        largest = SideBySide(x).each(_largest, _largest_long, sign, nan)
        olds = [old for _, (old, *_) in many]
        news = joined(largest)
        (merged,) = MAX.merge((joined([jnp.ravel(old) for old in olds]),), (news,))
        start, out = 0, []
        for old in olds:
            out.append((merged[start : start + old.size].reshape(old.shape),))
            start += old.size
        return out

    def by_group(self, groups, *operands):
        old, *rows = operands
        x = self.compared(_only(*rows, groups.taken, none=-self.sign * jnp.inf))
        return MAX.merge((old,), (MAX.of_groups(x, groups.group, groups.num_groups),))

    def by_replicate(self, weights, *operands):
        old, *rows = operands
        x = self.compared(_only(*rows, none=-self.sign * jnp.inf))
        most = jax.vmap(lambda w: MAX.of_rows(_only(x, w > 0, none=-jnp.inf)))(weights)
        return MAX.merge((old,), (most,))

    def by_row(self, rows, *operands):
        old, *each = operands
        x = self.compared(_only(*each, none=-self.sign * jnp.inf))
        return MAX.merge((old,), (MAX.of_rows(of_each(x, rows), 1),))


def _compared(x: Array, sign: Any, nan: Any) -> Array:
    x = x * jnp.asarray(sign, x.dtype)
    return jnp.where(jnp.isnan(x) & jnp.logical_not(nan), -jnp.inf, x)


def _largest(x: Array, axis: int, sign: Array, nan: Array) -> Array:
    return MAX.of_rows(_compared(x, sign, nan), axis)


def _largest_long(arrays: list[Array], signs: list[Array], nans: list[Array]) -> Array:
    each = [_compared(x, *both) for x, *both in zip(arrays, signs, nans, strict=True)]
    return MAX.of_many_rows(each)


def _only(x: Array, *masks: Array, none: float) -> Array:
    for mask in masks:
        x = jnp.where(as_column(mask, x), x, none)
    return x


@ft.cache
def max_rows(sign: int, nan: bool) -> MaxRows:
    return register(MaxRows(sign, nan))
