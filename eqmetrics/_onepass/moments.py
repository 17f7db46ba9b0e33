"""The moments of a batch, as sums over its rows of deviations from a pivot, and their merge with
the moments of earlier batches by Chan's formula."""

import functools as ft
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Shaped

from .._aggregate.joint import AbstractJointMoments, Joint
from .._reduction.pair import add, Halves, is_wide, lift, multiply, Pair
from .._rows.rows import as_column, Rows
from .operation import AbstractOperation, register
from .operations import Block, DEVIATE, max_rows, multiply_rows, sum_rows
from .side_by_side import joined
from .sums import column, weight_column


def add_moments(
    products: AbstractJointMoments,
    old: Joint,
    ends: Float32[Array, "2 variables ..."],
    batch: Rows,
    *variables: Shaped[Array, "rows ..."],
) -> tuple[Joint, Float32[Array, "2 variables ..."]]:
    """Adds the rows of a batch to moments, and to the ends (maxima of `x` and of `-x`) of the first
    variables, as many as `ends` has. Each variable is an array of its own, of shape
    `(rows, *columns)`, since XLA's CPU is slow if the last axis is short."""
    weight, wide = weight_column(batch), any(is_wide(x) for x in variables)
    both = [DEVIATE(x, *weight) for x in variables]
    d, pivots = [x[0] for x in both], jnp.stack([x[1] for x in both])
    left, right = (tuple(map(int, x)) for x in products.factors(len(d)))
    columns = [*d, *multiply_rows(left, right)(*d)]
    n, sums = _sums(weight, columns, batch)
    sums = sums.reshape(2, len(columns), *pivots.shape[1:])
    none = jnp.full_like(ends, -jnp.inf)
    own = ends_of_rows(none, batch, *variables[: ends.shape[1]])
    batch_ends = ends_of_rows(none, batch, *d[: own.shape[1]]) if wide else own
    found = _of_constants(products, batch_ends, wide, pivots, sums)
    return Joint(*fold_with(products, wide)(*old, n, *found)), jnp.maximum(ends, own)


def add_cross_moments(
    products: AbstractJointMoments,
    old: Joint,
    ends: Float32[Array, "2 variables"],
    batch: Rows,
    x: Shaped[Array, "rows variables"],
) -> tuple[Joint, Float32[Array, "2 variables"]]:
    """The same for the columns of one array, for many variables: a program with a step for each
    product would take long to compile."""
    weight, wide, none = weight_column(batch), is_wide(x), jnp.full_like(ends, -jnp.inf)[:, None]
    d, pivots, _ = DEVIATE(x, *weight)
    i, j = products.factors(x.shape[1])
    n, sums = _sums(weight, [d, d[:, i] * d[:, j]], batch)
    own = ends_of_rows(none, batch, x)[:, 0]
    batch_ends = own if not wide else ends_of_rows(none, batch, d)[:, 0]
    found = _of_constants(products, batch_ends, wide, pivots, sums)
    return Joint(*fold_with(products, wide)(*old, n, *found)), jnp.maximum(ends, own)


def _of_constants(
    products: AbstractJointMoments, batch_ends: Array, wide: bool, pivots: Array, sums: Pair
) -> tuple[Pair, Pair]:
    """Pivots as pairs, and sums about them. If a variable is constant in this batch, the constant
    is the pivot and the sums are 0, without the rounding errors of weighted products. A constant is
    recognised by `batch_ends`: those of the values, or, for integers that a float may not hold
    (`wide`), those of their deviations."""
    count, variables = batch_ends.shape[1], pivots.shape[0]
    equal = (batch_ends[0] == -batch_ends[1]) & jnp.isfinite(sums[0, :count])  # the ends ignore NaN
    pad = [(0, variables - count), *[(0, 0)] * (pivots.ndim - 1)]
    equal, value = jnp.pad(equal, pad), jnp.pad(lax.stop_gradient(batch_ends[0]), pad)
    i, j = products.factors(variables)
    sums = _zero_where(sums, jnp.concatenate([equal, equal[i] | equal[j]]))
    value = jnp.where(equal, value, 0)
    both = (pivots, value) if wide else (jnp.where(equal, value, pivots), jnp.zeros_like(pivots))
    return jnp.stack(both), sums


@jax.custom_jvp
def _zero_where(sums: Pair, which: Array) -> Pair:
    return jnp.where(which, 0, sums)


@_zero_where.defjvp
def _zero_where_jvp(primals, tangents):
    # Only rounding errors are removed, so the derivative is that of the unchanged sums.
    return _zero_where(*primals), tangents[0]


def _sums(weight: list[Array], columns: list[Array], batch: Rows) -> tuple[Pair, Pair]:
    """The weight of the rows, and the sums of columns of floats."""
    first: Block = (1, "column" if weight else "rows")
    blocks = (first, *((math.prod(x.shape[1:]), "column") for x in columns))
    each = [y for x in columns for y in column(x, batch)]
    (sums,) = sum_rows(blocks, batch.values.shape[0], False)(*weight, *each)
    return sums[:, 0], sums[:, 1:]


class Fold(AbstractOperation):
    """`fold(weight, mean, products, n, pivot, sums)`: merges moments with a batch, given by its
    sums about a pivot. Merged as in Chan, Golub and LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", 1979."""

    operands = ("state",)
    results = "state", "state", "state"

    def __init__(self, products: AbstractJointMoments, exact: bool):
        self.products, self.exact = products, exact

    def placeholder(self, *operands):
        return operands[:3]

    def alone(self, *operands):
        return self.together([(self, list(operands))])[0]

    @classmethod
    def together(cls, many):
        """All moments at once, side by side: one array with a cell for each variable, and one with
        a cell for each product."""
        which, index, start = ([], []), ([], []), 0
        for k, (op, (_, mean, *_)) in enumerate(many):
            variables, size = mean.shape[1], math.prod(mean.shape[2:])
            factors = op.products.factors(variables)
            for side, numbers in zip(index, factors, strict=True):
                side.append((start + np.asarray(numbers)[:, None] * size + np.arange(size)).ravel())
            which[0].append(np.full(variables * size, k))
            which[1].append(np.full(len(factors[0]) * size, k))
            start += variables * size
        of_variable, of_product = (np.concatenate(x) for x in which)
        left, right = (np.concatenate(x) for x in index)

        weights, mean, second = (Halves.of(_cells([o[i] for _, o in many], 1)) for i in range(3))
        counts = Halves.of(_cells([o[3][:, None] for _, o in many], 1))
        pivot = Halves.of(_cells([o[4] for _, o in many], 1))
        pairs = _cells([o[5][:, : o[1].shape[1]] for _, o in many], 1)
        first = Halves.of(pairs).float()
        own = Halves.of(_cells([o[5][:, o[1].shape[1] :] for _, o in many], 1))

        # For each moments: the total weight, and the share of either side.
        total = weights + counts
        a, b, n = weights.float(), counts.float(), total.float()
        some, either, swap = b > 0, (a > 0) & (b > 0), b > a
        safe = jnp.where(n > 0, n, 1)
        share = jnp.where(either, jnp.where(swap, -a, b) / safe, 0)
        common = jnp.where(either, (jnp.minimum(a, b) / safe) * jnp.maximum(a, b), 0)
        inverse = 1 / jnp.where(some, b, 1)

        # The pivot is near the mean, so the rest is small, and a float is enough for it.
        offset = first * _at(inverse, of_variable)
        here = _at(some, of_variable)
        near = Halves.sum_of(jnp.where(here, pivot.high, 0), jnp.where(here, pivot.low, 0))
        new = near.plus(jnp.where(here, offset, 0))
        delta = (new.high - mean.high) + (new.low - mean.low)
        # Start from the mean of the larger side, so that the correction is small, in whichever
        # order they are merged. The mean of an empty side is 0, and its delta means nothing.
        moved = new.where(_at(swap, of_variable), mean).plus(delta * _at(share, of_variable))

        if any(op.exact for op, _ in many):
            own = _about_means(own, pairs, offset, _at(b, of_product), left, right)
        else:
            own = own.plus(-(_at(first, left) * _at(offset, right)))
        negative = np.equal(left, right) & (own.high < 0)
        own = own.where(~negative, Halves.zeros(own.high))
        between = _at(delta, left) * _at(delta, right) * _at(common, of_product)
        between = jnp.where(_at(either, of_product), between, 0)
        products = (second + own).plus(between)

        # Returned as slices, which a collection puts side by side again.
        new_weights, means, seconds = (each.packed() for each in (total, moved, products))
        out, v, p = [], 0, 0
        for k, (_, (_, old_mean, old_products, *_rest)) in enumerate(many):
            x, y = old_mean[0].size, old_products[0].size
            out.append(
                (
                    new_weights[:, k : k + 1].reshape(2),
                    means[:, v : v + x].reshape(old_mean.shape),
                    seconds[:, p : p + y].reshape(old_products.shape),
                )
            )
            v, p = v + x, p + y
        return out

    def by_group(self, groups, *operands):
        return jax.vmap(self.alone)(*operands)

    def by_replicate(self, weights, *operands):
        return jax.vmap(self.alone)(*operands)

    def by_row(self, rows, *operands):
        # The states of `by_row` are empty, so there is nothing to merge with.
        _, mean, _, n, pivot, sums = operands
        variables = mean.shape[2]
        i, j = self.products.factors(variables)
        n, sums = n[:, 0] + n[:, 1], sums[:, 0] + sums[:, 1]
        sums = sums.reshape(rows, variables + len(i), *mean.shape[3:])
        some = as_column(n > 0, sums)
        first, second = sums[:, :variables], sums[:, variables:]
        offset = jnp.where(some, first / as_column(jnp.where(n > 0, n, 1), first), 0)
        second = jnp.where(some, second - first[:, i] * offset[:, j], 0)
        low = pivot[:, 1] + offset
        pair = lambda high, low: jnp.stack([high, low], axis=1)
        means = pair(jnp.where(some, pivot[:, 0], 0), jnp.where(some, low, 0))
        return pair(n, jnp.zeros_like(n)), means, pair(second, jnp.zeros_like(second))


def _about_means(
    products: Halves, sums: Pair, offset: Array, n: Array, left: Any, right: Any
) -> Halves:
    """The products about the means, computed in pairs: the ends don't recognise every constant
    among integers that a float doesn't hold, and the products of a constant must be 0."""
    x, y = lift(_at(offset, left)), lift(_at(offset, right))
    rest = add(sums[:, right], -multiply(lift(n), y))
    both = add(multiply(y, sums[:, left]), multiply(x, rest))
    return products - Halves.of(both)


def _cells(arrays: list[Array], lead: int) -> Array:
    return joined([x.reshape(*x.shape[:lead], -1) for x in arrays])


def _at(x: Array, places: Any) -> Array:
    """Entries of a vector at fixed places, as a gather: for concatenated slices XLA's CPU would
    compile their inputs once for each slice."""
    if len(places) == len(x) and np.array_equal(places, np.arange(len(x))):
        return x
    return lax.gather(
        x,
        np.asarray(places, np.int32)[:, None],
        _ENTRIES,
        (1,),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )


_ENTRIES = lax.GatherDimensionNumbers(
    offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,)
)


@ft.cache
def fold_with(products: AbstractJointMoments, exact: bool) -> Fold:
    return register(Fold(products, exact))


def ends_of_rows(
    old: Float32[Array, "2 variables ..."], batch: Rows, *variables: Array
) -> Float32[Array, "2 variables ..."]:
    """The maxima of each variable and of its negative. They recognise a constant, whose deviations
    are only rounding errors."""
    mask = [] if batch.mask is None else [batch.mask]
    variables = tuple(x.astype(jnp.float32) for x in variables)
    # NaN is ignored here, since it makes the mean NaN.
    new = [
        jnp.stack([max_rows(sign, False)(old[i, k], x, *mask)[0] for k, x in enumerate(variables)])
        for i, sign in enumerate((1, -1))
    ]
    return jnp.stack(new)
