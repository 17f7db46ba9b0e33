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

    def ordered(self, x: Array) -> Array:
        """Numbers of which the largest is sought."""
        x = x if self.sign > 0 else -x
        return x if self.nan else jnp.where(jnp.isnan(x), -jnp.inf, x)

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
            largest = rows.each(lambda x, axis, op=op: _largest(axis, op.ordered(x)))
            found.update(zip(which, largest, strict=True))
        olds = [old for _, (old, *_) in many]
        whole = joined([old.ravel() for old in olds])
        news = joined([found[i] for i in range(len(many))])
        (merged,) = MAX.merge((whole,), (news,))
        start, out = 0, []
        for old in olds:
            out.append((merged[start : start + old.size].reshape(old.shape),))
            start += old.size
        return out

    def by_group(self, groups, *operands):
        old, *rows = operands
        x = self.ordered(_only(*rows, none=-self.sign * jnp.inf))
        x = jnp.where(as_column(groups.taken, x), x, -jnp.inf)
        return MAX.merge((old,), (_largest_by_group(groups.num_groups, x, groups.group),))

    def by_replicate(self, weights, *operands):
        old, *rows = operands
        x = self.ordered(_only(*rows, none=-self.sign * jnp.inf))
        one = lambda w: _largest(0, jnp.where(as_column(w > 0, x), x, -jnp.inf))
        return MAX.merge((old,), (jax.vmap(one)(weights),))


# By integers of the same order, since XLA's CPU drops NaN from a maximum of some shapes. They have
# no derivative: the largest has that of the row that is it, and where several are, their mean.

_NONE = -(2**31) + 2**23 - 1  # the integer of -inf


def _keys(x: Array) -> Array:
    return MAX.keys((x,))[0]


@ft.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _largest(axis: int, x: Array) -> Array:
    key = jnp.max(_keys(x), axis=axis, initial=_NONE)
    return MAX.values((key,), (jnp.zeros((), x.dtype),))[0]


@_largest.defjvp
def _largest_jvp(axis, primals, tangents):
    (x,), (t,) = primals, tangents
    out = _largest(axis, x)
    at = _keys(x) == jnp.expand_dims(_keys(out), axis)
    count = jnp.maximum(jnp.sum(at, axis=axis, dtype=jnp.int32), 1)
    return out, jnp.sum(jnp.where(at, t, 0), axis=axis) / count.astype(out.dtype)


@ft.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _largest_by_group(num_groups: int, x: Array, group: Array) -> Array:
    key = jnp.full((num_groups, *x.shape[1:]), _NONE, jnp.int32).at[group].max(_keys(x))
    return MAX.values((key,), (jnp.zeros((), x.dtype),))[0]


@_largest_by_group.defjvp
def _largest_by_group_jvp(num_groups, primals, tangents):
    x, group = primals
    out = _largest_by_group(num_groups, x, group)
    at = _keys(x) == _keys(out)[group]
    count = jnp.zeros(out.shape, jnp.int32).at[group].add(at.astype(jnp.int32))
    total = jnp.zeros_like(out).at[group].add(jnp.where(at, tangents[0], 0))
    return out, total / jnp.maximum(count, 1).astype(out.dtype)


def _only(x: Array, *masks: Array, none: float) -> Array:
    for mask in masks:
        x = jnp.where(as_column(mask, x), x, none)
    return x


@ft.cache
def max_rows(sign: int, nan: bool) -> MaxRows:
    return register(MaxRows(sign, nan))
