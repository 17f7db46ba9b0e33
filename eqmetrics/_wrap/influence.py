"""What single rows add to the state of a metric, and how its value depends on it.

A state of sums is linear in the rows: a row adds its columns. So are moments, if they are taken
about a fixed centre instead of their mean: a state with weight `n`, mean and products adds `n`,
`n d` and `products + n d d'`, where `d` is its mean minus the centre. All that a row adds is one
vector.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._aggregate.joint import AbstractJointMoments
from .._collection.ordered import in_order
from .._collection.states import closed, opened
from .._metric.field import layout
from .._metric.metric import Metric
from .._metric.node import walk
from .._reduction import EXACT_SUM
from .._reduction.base import SUM
from .._reduction.extremum import Extremum
from .._reduction.pair import Pair, to_float
from .._rows.quotient import over
from .inside import as_floats


class Part(NamedTuple):
    """Sums in a state: the index of their leaf, the number of axes that stacks put before theirs,
    and whether they are pairs."""

    leaf: int
    depth: int
    pairs: bool


class Moments(NamedTuple):
    """Moments in a state: the indices of the leaves `weight`, `mean` and `products`, and their
    position in the stacks around them."""

    leaves: tuple[int, int, int]
    place: tuple[int, ...]
    reduction: AbstractJointMoments


class Parts(NamedTuple):
    sums: tuple[Part, ...]
    moments: tuple[Moments, ...]


def parts_of(wrapper: str, metric: Metric) -> Parts:
    """The parts of a state; an error if it isn't made of sums over rows."""
    leaves, treedef = jax.tree.flatten(opened(metric))
    numbered = jax.tree.unflatten(treedef, range(len(leaves)))
    sums, moments = [], []
    for path, node, axes in walk(numbered):
        declared = layout(type(node))
        joint = any(_is_joint(r) for r, _ in declared.groups)
        for reduction, names in declared.groups:
            names = tuple(n for n in names if n not in declared.validity)
            numbers = tuple(getattr(node, n) for n in names)
            if _is_joint(reduction):
                places = np.ndindex(*axes)
                moments += [Moments(numbers, tuple(place), reduction) for place in places]
                continue
            for name, number in zip(names, numbers, strict=True):
                if reduction is EXACT_SUM:
                    sums.append(Part(number, len(axes), True))
                elif reduction is SUM and jnp.issubdtype(leaves[number].dtype, jnp.floating):
                    sums.append(Part(number, len(axes), False))
                # Moments also contain the ends of the values, to recognise constants.
                elif not (joint and isinstance(reduction, Extremum)):
                    what = f"{type(metric).__qualname__}{path}.{name}"
                    dtype = leaves[number].dtype if reduction is SUM else None
                    raise _not_sums(wrapper, what, dtype, reduction)
    if not sums and not moments:
        raise TypeError(f"`{wrapper}`: `{type(metric).__qualname__}` holds no sums over rows.")
    return Parts(tuple(sums), tuple(moments))


def _is_joint(reduction: Any) -> TypeGuard[AbstractJointMoments]:
    """Moments with one product for each pair of variables; a whole matrix has too many."""
    return isinstance(reduction, AbstractJointMoments) and np.ndim(reduction.factors(2)[0]) == 1


def _not_sums(wrapper: str, what: str, dtype: Any, reduction: Any) -> TypeError:
    if reduction is SUM:
        why = (
            f"`{what}` is {dtype}, which has no gradient. Keep it in `eqm.Sums`, or as a float; "
            "or take"
        )
    else:
        by = "a merge of its own" if reduction is None else reduction
        why = f"`{what}` isn't: it merges by {by}. Take"
    return TypeError(
        f"`{wrapper}` is of metrics whose state is sums over rows, and {why} "
        "`eqm.Bootstrap(metric, key=..., ids=True)`, which is of any metric that takes `weights`."
    )


def cells_of(parts: Parts, metric: Metric) -> int:
    """The number of cells to which a row adds."""
    return jax.eval_shape(lambda m: added(parts, of_one(m), centre_of(parts, m)), metric)[0].size


class States(NamedTuple):
    """The leaves of many states, with the states along the last axis."""

    leaves: list[Any]


def of_one(metric: Metric) -> States:
    return States([x[..., None] for x in jax.tree.leaves(opened(metric))])


def of_stack(metric: Metric) -> States:
    # The last axis, since XLA's CPU is slow if that is short.
    return States([jnp.moveaxis(x, 0, -1) for x in jax.tree.leaves(opened(metric))])


def centre_of(parts: Parts, metric: Metric) -> Float32[Array, "2 variables"]:
    """The means in a state, as pairs, concatenated."""
    leaves = jax.tree.leaves(opened(metric))
    means = [leaves[m.leaves[1]][m.place].reshape(2, -1) for m in parts.moments]
    return jnp.concatenate([jnp.zeros((2, 0), jnp.float32), *means], axis=1)


def middle_of(
    parts: Parts, states: States, weights: Float32[Array, "states"] | None
) -> Float32[Array, "2 variables"]:
    """A centre near the means of all states."""
    centre = [jnp.zeros((2, 0), jnp.float32)]
    for moments in parts.moments:
        n, mean = (states.leaves[i][moments.place] for i in moments.leaves[:2])
        n = to_float(n) if weights is None else jnp.where(weights > 0, to_float(n) * weights, 0)
        n, mean = n[None], mean[0].reshape(math.prod(mean.shape[1:-1]), n.size)
        middle = over(jnp.sum(jnp.where(n > 0, mean * n, 0), axis=1), jnp.sum(n))
        # A constant for `grad`, since no value depends on its choice.
        middle = jax.lax.stop_gradient(jnp.where(jnp.isfinite(middle), middle, 0))
        centre.append(jnp.stack([middle, jnp.zeros_like(middle)]))
    return jnp.concatenate(centre, axis=1)


def added(
    parts: Parts, states: States, centre: Pair
) -> tuple[Float32[Array, "cells states"], Float32[Array, "cells states"]]:
    """What each state adds in total, about a centre: the nearest floats, and the rest that they
    leave."""
    high, low, start = [], [], 0
    count = states.leaves[0].shape[-1]
    for leaf, depth, pairs in parts.sums:
        x = states.leaves[leaf].astype(jnp.float32)
        both = (x.take(0, depth), x.take(1, depth)) if pairs else (x, jnp.zeros_like(x))
        for each, y in zip((high, low), both, strict=True):
            each.append(_cells(y))
    for moments in parts.moments:
        n, mean, products = (states.leaves[i][moments.place] for i in moments.leaves)
        i, j = moments.reduction.factors(mean.shape[1])
        size = math.prod(mean.shape[1:-1])
        own = centre[:, start : start + size].reshape(*mean.shape[:-1], 1)
        start += size
        n = to_float(n).reshape(*(1,) * (mean.ndim - 2), count)
        d = jnp.where(n > 0, (mean[0] - own[0]) + (mean[1] - own[1]), 0)
        for x in (n, n * d, to_float(products) + n * d[i] * d[j]):
            high.append(_cells(x))
            low.append(jnp.zeros_like(high[-1]))
    return jnp.concatenate(high), jnp.concatenate(low)


def _cells(x: Array) -> Float32[Array, "cells states"]:
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def moved(parts: Parts, metric: Metric, by: Float32[Array, "cells"]) -> Metric:
    """The state with a small change, given about the means of the state."""
    leaves, treedef = jax.tree.flatten(opened(metric))
    start = 0

    def take(shape: tuple[int, ...]) -> Array:
        nonlocal start
        start += (size := math.prod(shape))
        return by[start - size : start].reshape(shape)

    for leaf, depth, pairs in parts.sums:
        x = leaves[leaf]
        if not pairs:
            leaves[leaf] = x + take(x.shape).astype(x.dtype)
            continue
        shape = x.shape[:depth] + x.shape[depth + 1 :]
        high = jnp.expand_dims(take(shape), depth)
        leaves[leaf] = x + jnp.concatenate([high, jnp.zeros_like(high)], axis=depth)
    for moments in parts.moments:
        weight, mean, products = moments.leaves
        n = to_float(leaves[weight][moments.place])
        for leaf, scale in ((weight, 1.0), (mean, jnp.where(n > 0, n, 1)), (products, 1.0)):
            at = (*moments.place, 0)
            more = take(leaves[leaf].shape[len(at) :]) / scale
            leaves[leaf] = leaves[leaf].at[at].add(more)
    return closed(metric, jax.tree.unflatten(treedef, leaves))


def linearised(
    parts: Parts, metric: Metric
) -> tuple[Any, Callable[[Float32[Array, "cells"]], Any]]:
    """The value, as floats and with its dicts in the form for `plain_dicts`, and a function that
    returns its derivative in the direction of the terms that are added."""

    def value(by: Array) -> Any:
        new = moved(parts, metric, by)
        return jax.tree.map(as_floats, in_order(type(metric).compute(new)))

    return jax.linearize(value, jnp.zeros(cells_of(parts, metric), jnp.float32))
