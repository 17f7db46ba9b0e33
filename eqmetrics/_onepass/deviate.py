import math

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._reduction.pair import minus
from .._rows.quotient import over
from .._rows.rows import as_column
from .operation import AbstractOperation, Groups, register
from .side_by_side import joined, SideBySide


class Deviate(AbstractOperation):
    """`deviate(x)` or `deviate(x, weights)` returns the deviations of `x`, of shape
    `(rows, *shape)`, from a pivot near its weighted mean; the pivot; and the pivot repeated for
    each row. Rows of weight 0 may contain anything. Deviations of integers are exact.

    `grad` takes the pivot as a constant, since no value depends on its choice.
    """

    operands = ("rows",)
    results = "rows", "state", "rows"

    def placeholder(self, *operands):
        x = operands[0].astype(jnp.float32)
        return x, jnp.sum(x, axis=0), x

    def alone(self, *operands):
        return self.together([(self, list(operands))])[0]

    @classmethod
    def together(cls, many):
        whole = SideBySide([_weighted(*operands) for _, operands in many])
        total = lambda x, axis: jnp.sum(x, axis=axis)
        totals = whole.each(total, lambda arrays: joined([total(x, 1) for x in arrays]))
        weights = {id(w): w for _, (_, *each) in many for w in each}
        counts = {key: jnp.sum(w, dtype=jnp.float32) for key, w in weights.items()}
        means = [
            over(total, counts[id(each[0])] if each else jnp.float32(max(x.shape[0], 1)))
            for (_, (x, *each)), total in zip(many, totals, strict=True)
        ]
        pivots, start, pivot = _pivot(joined(means)), 0, []
        for _, (x, *_) in many:
            size = math.prod(x.shape[1:])
            pivot.append(pivots[start : start + size].reshape(x.shape[1:]))
            start += size
        rows = [x for _, (x, *_) in many]
        beside = [jnp.broadcast_to(p, x.shape) for p, x in zip(pivot, rows, strict=True)]
        deviations = SideBySide(rows).map(minus, pivot)
        return list(zip(deviations, pivot, beside, strict=True))

    def by_group(self, groups, *operands):
        x, *weights = operands
        rows, size = x.shape[0], math.prod(x.shape[1:])
        w = groups.taken.astype(jnp.float32)
        for each in weights:
            w = jnp.where(groups.taken, each.astype(jnp.float32), 0)
        both = [_weighted(x, w).reshape(rows, size), w[:, None]]
        sums = jnp.zeros((groups.num_groups, size + 1), jnp.float32)
        sums = sums.at[groups.group].add(jnp.concatenate(both, axis=1))
        pivot = _pivot(over(sums[:, :-1], sums[:, -1:])).reshape(groups.num_groups, *x.shape[1:])
        beside = pivot.at[groups.group].get(mode="promise_in_bounds")
        return minus(x, beside), pivot, beside

    def by_replicate(self, weights, *operands):
        # Any pivot is correct, and with one for all replicates the deviations are the same for all.
        d, pivot, beside = self.alone(*operands)
        return d, jnp.broadcast_to(pivot[None], (weights.shape[0], *pivot.shape)), beside

    def by_row(self, rows, *operands):
        x, *_ = operands
        if x.shape[0] != rows:
            times = x.shape[0] // max(rows, 1)
            group = jnp.repeat(jnp.arange(rows, dtype=jnp.int32), times)
            return self.by_group(Groups(group, jnp.ones(x.shape[0], bool), rows), *operands)
        pivot = lax.stop_gradient(x.astype(jnp.float32))
        pivot = jnp.where(jnp.isfinite(pivot), pivot, 0)
        return minus(x, pivot), pivot, pivot


def _weighted(x: Array, *weights: Array) -> Array:
    x = x.astype(jnp.float32)
    for each in weights:
        w = as_column(each, x).astype(jnp.float32)
        x = jnp.where(w > 0, x * w, 0)
    return x


def _pivot(mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """A float with 23 bits near the mean. The compiler may turn `x - a / n` into one instruction
    that doesn't round the quotient, so that the float `a / n` isn't what is subtracted. With this
    float it is. With fewer bits it would be too far from a mean that is large relative to the
    spread, and digits would cancel."""
    bits = lax.bitcast_convert_type(jnp.where(jnp.isfinite(mean), mean, 0), jnp.int32)
    near = lax.bitcast_convert_type((bits + jnp.int32(1)) & jnp.int32(~1), jnp.float32)
    return lax.stop_gradient(near)


DEVIATE = register(Deviate())
