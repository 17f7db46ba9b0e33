import functools as ft

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._reduction.base import MAX
from .operation import AbstractOperation, register
from .sum_columns import as_column, joined, SideBySide


class MaxRows(AbstractOperation):
    """`max_rows(sign, nan)(old, x)` or `(old, x, mask)`: the largest of the old values and of those
    of the rows, times a sign. `x` has shape `(rows, *shape)`, `old` has `shape`; -inf is none.

    **Arguments:**

    - `sign`: 1, or -1 for the largest of the opposites.
    - `nan`: whether NaN is larger than any number, or isn't there.
    """

    operands = "state", "rows"
    results = ("state",)

    def __init__(self, sign: int, nan: bool):
        self.sign, self.nan = sign, nan

    def keys(self, x: Array) -> Array:
        """Integers of the same order: XLA's CPU drops NaN from a maximum of some shapes."""
        x = x if self.sign > 0 else -x
        return MAX.keys((x if self.nan else jnp.where(jnp.isnan(x), -jnp.inf, x),))[0]

    def placeholder(self, *operands):
        return operands[:1]

    def alone(self, *operands):
        return self.together([(self, list(operands))])[0]

    @classmethod
    def together(cls, many):
        # What is joined is the rows as they are; what becomes of them is one step for all.
        found: dict[int, Array] = {}
        for op in {op for op, _ in many}:
            which = [i for i, (each, _) in enumerate(many) if each is op]
            rows = SideBySide([_only(*many[i][1][1:], none=-op.sign * jnp.inf) for i in which])
            largest = rows.each(
                lambda x, axis, op=op: jnp.max(op.keys(x), axis=axis, initial=_LOWEST)
            )
            found.update(zip(which, largest, strict=True))
        olds = [old for _, (old, *_) in many]
        whole = joined([old.ravel() for old in olds])
        news = joined([found[i] for i in range(len(many))])
        (merged,) = MAX.values((jnp.maximum(MAX.keys((whole,))[0], news),), (whole,))
        start, out = 0, []
        for old in olds:
            out.append((merged[start : start + old.size].reshape(old.shape),))
            start += old.size
        return out

    def by_group(self, groups, *operands):
        old, *rows = operands
        x = self.keys(_only(*rows, none=-self.sign * jnp.inf))
        keys = jnp.where(as_column(groups.taken, x), x, jnp.int32(_LOWEST))
        new = MAX.keys((old,))[0].at[groups.group].max(keys)
        return MAX.values((new,), (old,))

    def by_replicate(self, weights, *operands):
        old, *rows = operands
        x = self.keys(_only(*rows, none=-self.sign * jnp.inf))

        def one(old: Array, w: Array) -> Array:
            keys = jnp.where(as_column(w > 0, x), x, jnp.int32(_LOWEST))
            most = jnp.max(keys, axis=0, initial=_LOWEST)
            return MAX.values((jnp.maximum(MAX.keys((old,))[0], most),), (old,))[0]

        return (jax.vmap(one)(old, weights),)


_LOWEST = int(jnp.iinfo(jnp.int32).min)


def _only(x: Array, *masks: Array, none: float) -> Array:
    for mask in masks:
        x = jnp.where(as_column(mask, x), x, none)
    return x


@ft.cache
def max_rows(sign: int, nan: bool) -> MaxRows:
    return register(MaxRows(sign, nan))
