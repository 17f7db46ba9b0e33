"""Reductions over any pytree: only the metrics in it change."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from .._metric.built import check_dtypes_of, check_stacked
from .._metric.field import layout
from .._metric.frames import noting
from .._metric.metric import AbstractAccumulator, AbstractPlanned, Metric
from .._metric.node import (
    is_fresh,
    is_metric,
    mark_all_fresh,
    parts,
    rebuild,
    tracked,
    varies_over,
    vary_over,
    walk,
)
from .._metric.wrapped import check_mergeable
from .across import Ask, merged_across, stacked
from .axes import automatic
from .base import bits_of, from_bits
from .copies import warn_of_copies
from .pair import inlined


_T = TypeVar("_T")
_M = TypeVar("_M", bound=Metric)
_STACKED = "eqmetrics_stacked"


def _on_metrics(fn: Callable[..., Any], tree: _T, *rest: Any) -> _T:
    def one(path, x, *xs):
        if not is_metric(x):
            return x
        if not path:
            return fn(x, *xs)
        with noting(f"In the metric at `{jax.tree_util.keystr(path)}`."):
            return fn(x, *xs)

    return jax.tree_util.tree_map_with_path(one, tree, *rest, is_leaf=is_metric)


def merge(left: _T, right: _T) -> _T:
    """Merges the metrics of two pytrees of the same structure; everything else is taken from
    `left`."""
    return _on_metrics(lambda x, y: x.merge(y), left, right)


def reset(tree: _T) -> _T:
    """Resets every metric in a pytree."""
    return _on_metrics(lambda x: x.reset(), tree)


def compute(tree: Any) -> Any:
    """Replaces every metric in a pytree by its value."""
    return _on_metrics(lambda x: x.compute(), tree)


def unreplicate(tree: _T) -> _T:
    """Replaces every metric in a pytree, stacked by `pmap` as equal copies, by the first copy."""
    return _on_metrics(_first, tree)


@automatic
def _first(metric: _M) -> _M:
    check_stacked("eqm.unreplicate", "unreplicate", metric, walk)
    return jax.tree.map(lambda x: x[0], metric)


def _from_first(arrays: list[Any], axis_name: Any) -> list[Any]:
    # A masked psum of the bits: `shard_map` accepts its result as replicated, and NaN survives.
    first = lax.axis_index(axis_name) == 0
    sent = lax.psum([jnp.where(first, bits_of(x), 0) for x in arrays], axis_name)
    return [from_bits(y, x.dtype) for y, x in zip(sent, arrays, strict=True)]


def _by_merging(metric: Metric, axis_name: str | tuple[str, ...]) -> Metric:
    """For a class that defines `merge` and has no plan: merges pairs of devices, in a number of
    steps that is the logarithm of their number. Several axes are reduced from the last to the
    first, so that the parts merge in the order of their index over all axes: `vmap`, unlike
    `shard_map`, can't permute over more than one axis."""
    axes = (axis_name,) if isinstance(axis_name, str) else axis_name
    for axis in reversed(axes):
        metric = _merged_to_first(metric, axis)
    leaves, treedef = jax.tree.flatten(metric)
    return jax.tree.unflatten(treedef, _from_first(leaves, axis_name))


def _merged_to_first(metric: Metric, axis: str) -> Metric:
    """Merges all devices of an axis to the first one; the others end with parts of the merge."""
    index, size, step = lax.axis_index(axis), lax.axis_size(axis), 1
    while step < size:
        moves = [(i, (i - step) % size) for i in range(size)]  # `vmap` needs whole permutations
        other = jax.tree.map(lambda x: lax.ppermute(x, axis, moves), metric)
        merges = (index % (2 * step) == 0) & (index + step < size)
        metric = jax.tree.map(
            lambda new, old: jnp.where(merges, new, old), metric.merge(other), metric
        )
        step *= 2
    return metric


def _has_own_merge(metric: Metric) -> bool:
    return any(reduction is None for reduction, _ in layout(type(metric)).groups)


def _plans(metric: Metric, axis_name: Any, asks: list[Ask], depth: int = 0) -> Any:
    """Appends the `Ask`s of a metric; returns a function that builds the merged metric from their
    results."""
    if isinstance(metric, AbstractPlanned):
        index, place = lax.axis_index(axis_name), len(asks)
        asks.append(Ask(lambda m, size: m.across(size, index), metric, depth))
        return lambda out: out[place]
    if _has_own_merge(metric):
        return lambda _: stacked(lambda m: _by_merging(m, axis_name), depth)(metric)
    declared = layout(type(metric))
    builders: dict[str, Any] = {}
    for reduction, names in declared.groups:
        assert reduction is not None
        place = len(asks)
        asks.append(Ask(reduction.across, tuple(getattr(metric, n) for n in names), depth))
        for k, name in enumerate(names):
            builders[name] = lambda out, place=place, k=k: out[place][k]
    for name in (*declared.nested, *declared.stacked):
        each, close = parts(getattr(metric, name))
        below = depth + (name in declared.stacked)
        made = [
            _plans(x, axis_name, asks, below) if is_metric(x) else lambda _, x=x: x
            for _, x in each
        ]
        builders[name] = lambda out, made=made, close=close: close([make(out) for make in made])
    return lambda out: rebuild(metric, {n: make(out) for n, make in builders.items()})


def vary(tree: _T, axis_name: str | tuple[str, ...]) -> _T:
    """Marks the metrics of a pytree as varying over an axis of `shard_map`, so that they can be the
    carry of a `scan` that updates them with the data of each device."""
    axes = tracked(axis_name)
    return _on_metrics(lambda m: vary_over(m, axes), tree)


def _refuse_replicated(metric: Any, axes: list[str], size: int) -> None:
    for path, node, _ in walk(metric):
        states = [getattr(node, n) for _, names in layout(type(node)).groups for n in names]
        arrays = jax.tree.leaves(states)
        same = [a for a in axes if not any(a in varies_over(x) for x in arrays)]
        if arrays and same and not is_fresh(node):
            if isinstance(node, AbstractAccumulator):  # name the metric that holds it
                path = path.rpartition(".")[0]
            raise TypeError(
                f"`{type(metric).__name__}{path}` is replicated over {', '.join(same)}: every "
                f"device holds the same state, and reducing it would count its data {size} "
                "times. Use `metric.update_across(axis_name, ...)`, which reduces the new "
                "batch alone. If each device did see other data, say so first: "
                "`metric = eqm.vary(metric, axis_name)`."
            )


@automatic
def all_reduce(tree: _T, axis_name: str | tuple[str, ...]) -> _T:
    """Merges every metric of a pytree over a mapped axis, inside `pmap`, `shard_map` or `vmap`,
    with one collective of each kind for all of them. Sums are sent as integers, so no gradient
    passes through: differentiate the values of each device."""
    axis_name = axis_name if isinstance(axis_name, str) else tuple(axis_name)
    size = lax.psum(1, axis_name)
    _on_metrics(lambda m: check_dtypes_of(m, "reduce", walk), tree)
    _on_metrics(lambda m: _refuse_replicated(m, tracked(axis_name), size), tree)
    tree = vary(tree, axis_name)
    asks: list[Ask] = []
    builders = _on_metrics(lambda m: _Builder(_plans(m, axis_name, asks)), tree)
    results = merged_across(asks, size, axis_name)
    return jax.tree.map(
        lambda b: b.make(results) if isinstance(b, _Builder) else b,
        builders,
        is_leaf=lambda x: isinstance(x, _Builder),
    )


def stack(metric: _M, size: int) -> _M:
    """`size` empty metrics of one configuration as one metric whose arrays have a leading axis: for
    a field that is declared with [`eqmetrics.stacked`][]."""

    def copies(x):
        return jnp.array(jnp.broadcast_to(x, (size, *x.shape)), x.dtype, copy=True)

    new = jax.tree.map(copies, metric.reset())
    mark_all_fresh(new)
    return new


class _Builder:
    def __init__(self, make: Callable):
        self.make = make


def reduce(tree: _T) -> _T:
    """Merges the states along the leading axis of every metric in a pytree. It runs the plans of
    `all_reduce` under `vmap`, so both give the same bits. On the host it warns if the states are
    equal to the bit: of copies take one, with [`eqmetrics.unreplicate`][], instead of merging
    them."""
    name = lambda m: f"{type(m).__qualname__}.reduce()"
    _on_metrics(lambda m: check_stacked(name(m), "reduce", m, walk), tree)
    warn_of_copies(tree)
    return _on_metrics(reduce_one, tree)


@automatic
def reduce_one(metric: Metric) -> Metric:
    """`reduce` for one metric, without the warning: for states that may be equal."""
    leaves = jax.tree.leaves(metric)
    if not leaves:  # an empty collection, or a `Collect` without rows
        return metric
    sizes = {x.shape[:1] for x in leaves}
    if len(sizes) != 1:
        raise TypeError(
            f"`{type(metric).__qualname__}.reduce()` merges a leading axis that all arrays of a "
            f"stacked state have in common, and these start with {sorted(sizes)}."
        )
    new = _merged(metric)
    check_mergeable(new, new)
    return new


@jax.custom_jvp
def _merged(stacked: _M) -> _M:
    return _by_plans(stacked)


@_merged.defjvp
def _merged_jvp(primals, tangents):
    # Sums over devices are sent as integers, which have no derivative. The derivative is that of
    # merging in pairs.
    merge = _by_plans if any(type(m).ordered for _, m, _ in walk(primals[0])) else _in_pairs
    return _merged(*primals), jax.jvp(merge, primals, tangents)[1]


def _in_pairs(stacked: _M) -> _M:
    leaves = jax.tree.leaves(stacked)
    while (size := leaves[0].shape[0]) > 1:
        # Neighbours, since what keeps rows keeps their order.
        whole = size - size % 2
        left, right, rest = (
            jax.tree.map(lambda x, cut=cut: x[cut], stacked)
            for cut in (slice(0, whole, 2), slice(1, whole, 2), slice(whole, None))
        )
        both = jax.vmap(lambda x, y: x.merge(y))(left, right)
        stacked = jax.tree.map(lambda x, y: jnp.concatenate([x, y]), both, rest)
        leaves = jax.tree.leaves(stacked)
    return jax.tree.map(lambda x: x[0], stacked)


@inlined
def _by_plans(stacked: _M) -> _M:
    leaves, treedef = jax.tree.flatten(stacked)
    fixed = _constants(stacked)

    def out(leaves):
        whole = jax.tree.leaves(all_reduce(jax.tree.unflatten(treedef, leaves), _STACKED))
        return [None if f else x for f, x in zip(fixed, whole, strict=True)]

    done = jax.vmap(out, out_axes=None, axis_name=_STACKED)(leaves)
    done = [x[0] if f else y for f, x, y in zip(fixed, leaves, done, strict=True)]
    return jax.tree.unflatten(treedef, done)


def _constants(metric: Metric) -> list[bool]:
    """For each leaf, whether it is a constant of a metric that has no `merge` of its own."""

    def mark(m: Metric, own: bool) -> Any:
        declared = layout(type(m))
        own = own or _has_own_merge(m)
        states = [name for _, names in declared.groups for name in names]
        changes = {n: jax.tree.map(lambda _: False, getattr(m, n)) for n in states}
        changes |= {n: jax.tree.map(lambda _: not own, getattr(m, n)) for n in declared.constants}
        for n in (*declared.nested, *declared.stacked):
            each, close = parts(getattr(m, n))
            changes[n] = close([mark(x, own) if is_metric(x) else x for _, x in each])
        return rebuild(m, changes)

    return jax.tree.leaves(mark(metric, False))
