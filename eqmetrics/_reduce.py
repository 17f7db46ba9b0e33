"""Reductions over any pytree: only the metrics in it are touched."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from ._checks import describe
from ._field import layout
from ._metric import check_mergeable, Metric
from ._node import is_fresh, is_metric, rebuild, tracked, varies_over, vary_over, walk
from ._reduction import run


_T = TypeVar("_T")
_STACKED = "eqmetrics_stacked"


def _on_metrics(fn: Callable[..., Any], tree: _T, *rest: Any) -> _T:
    return jax.tree.map(
        lambda x, *xs: fn(x, *xs) if is_metric(x) else x, tree, *rest, is_leaf=is_metric
    )


def merge(left: _T, right: _T) -> _T:
    """Merges the metrics of two pytrees of one structure; all else is `left`'s."""
    return _on_metrics(lambda x, y: x.merge(y), left, right)


def reset(tree: _T) -> _T:
    """Empties every metric in a pytree."""
    return _on_metrics(lambda x: x.reset(), tree)


def compute(tree: Any) -> Any:
    """Puts its value in the place of every metric in a pytree."""
    return _on_metrics(lambda x: x.compute(), tree)


def unreplicate(tree: _T) -> _T:
    """Takes the first of the equal copies that `pmap` leaves of every metric."""
    return _on_metrics(lambda m: jax.tree.map(lambda x: x[0], m), tree)


def _from_first(arrays: list[Any], axis_name: Any) -> list[Any]:
    # A masked psum of the bits: the result counts as replicated, and NaN survives.
    first = lax.axis_index(axis_name) == 0

    def bits(x):
        kind = jnp.dtype(f"uint{8 * x.dtype.itemsize}")
        y = x.astype(jnp.uint8) if x.dtype == jnp.bool_ else lax.bitcast_convert_type(x, kind)
        return jnp.where(first, y, jnp.zeros_like(y))

    def back(y, x):
        return y.astype(x.dtype) if x.dtype == jnp.bool_ else lax.bitcast_convert_type(y, x.dtype)

    sent = lax.psum([bits(x) for x in arrays], axis_name)
    return [back(y, x) for y, x in zip(sent, arrays, strict=True)]


def _by_merging(metric: Metric, axis_name: Any, size: int) -> Metric:
    """For a class with a merge of its own: pairs of devices, in log depth."""
    index = lax.axis_index(axis_name)
    step = 1
    while step < size:
        moves = [(i, (i - step) % size) for i in range(size)]  # vmap takes whole permutations
        other = jax.tree.map(lambda x: lax.ppermute(x, axis_name, moves), metric)
        merges = (index % (2 * step) == 0) & (index + step < size)
        metric = jax.tree.map(
            lambda new, old: jnp.where(merges, new, old), metric.merge(other), metric
        )
        step *= 2
    leaves, treedef = jax.tree.flatten(metric)
    return jax.tree.unflatten(treedef, _from_first(leaves, axis_name))


def _has_own_merge(metric: Metric) -> bool:
    return any(reduction is None for reduction, _ in layout(type(metric)).groups)


def _plans(metric: Metric, axis_name: Any, size: int, plans: list) -> Any:
    """Collects the plans of a metric; returns what builds it from their results."""
    if _has_own_merge(metric):
        return lambda _: _by_merging(metric, axis_name, size)
    mine = layout(type(metric))
    builders: dict[str, Any] = {}
    for reduction, names in mine.groups:
        assert reduction is not None
        place = len(plans)
        plans.append(reduction.across(tuple(getattr(metric, n) for n in names), size))
        for k, name in enumerate(names):
            builders[name] = lambda out, place=place, k=k: out[place][k]
    for name in mine.nested:
        leaves, treedef = jax.tree.flatten(getattr(metric, name), is_leaf=is_metric)
        made = [
            _plans(leaf, axis_name, size, plans) if is_metric(leaf) else lambda _, x=leaf: x
            for leaf in leaves
        ]
        builders[name] = lambda out, made=made, treedef=treedef: jax.tree.unflatten(
            treedef, [make(out) for make in made]
        )
    return lambda out: rebuild(metric, {n: make(out) for n, make in builders.items()})


def vary(tree: _T, axis_name: str | tuple[str, ...]) -> _T:
    """Makes the metrics of a pytree vary over an axis of `shard_map`, so that they can be
    the carry of a `scan` that updates them with per-device data."""
    axes = tracked(axis_name)
    return _on_metrics(lambda m: vary_over(m, axes), tree)


def _refuse_replicated(metric: Any, axes: list[str], size: int) -> None:
    for path, node in walk(metric):
        states = [getattr(node, n) for _, names in layout(type(node)).groups for n in names]
        arrays = jax.tree.leaves(states)
        same = [a for a in axes if not any(a in varies_over(x) for x in arrays)]
        if arrays and same and not is_fresh(node):
            raise TypeError(
                f"`{type(metric).__name__}{path}` is replicated over {', '.join(same)}: every "
                f"device holds the same state, and reducing it would count its data {size} "
                "times. Use `metric.update_across(axis_name, ...)`, which reduces the new "
                "batch alone. If each device did see other data, say so first: "
                "`metric = eqm.vary(metric, axis_name)`."
            )


def all_reduce(tree: _T, axis_name: str | tuple[str, ...]) -> _T:
    """Merges every metric of a pytree over a mapped axis, inside `pmap`, `shard_map` or
    `vmap`: one collective per kind for all of them."""
    axis_name = axis_name if isinstance(axis_name, str) else tuple(axis_name)
    size = lax.psum(1, axis_name)
    _on_metrics(lambda m: _refuse_replicated(m, tracked(axis_name), size), tree)
    tree = vary(tree, axis_name)
    plans: list = []
    builders = _on_metrics(lambda m: _Builder(_plans(m, axis_name, size, plans)), tree)
    results = run(plans, axis_name)
    return jax.tree.map(
        lambda b: b.make(results) if isinstance(b, _Builder) else b,
        builders,
        is_leaf=lambda x: isinstance(x, _Builder),
    )


class _Builder:
    def __init__(self, make: Callable):
        self.make = make


def reduce(tree: _T) -> _T:
    """Merges away the leading axis of every metric in a pytree: the same plans as
    `all_reduce`, under `vmap`, so both give the same bits."""
    return _on_metrics(_reduce_one, tree)


def _reduce_one(metric: Metric) -> Metric:
    leaves, treedef = jax.tree.flatten(metric)
    if not leaves:  # a dict without members, or what has collected nothing
        return metric
    sizes = {x.shape[:1] for x in leaves}
    if len(sizes) != 1 or () in sizes:
        first = next(iter(layout(type(metric)).arrays), None)
        what = "" if first is None else f" (`{first}` is {describe(getattr(metric, first))})"
        raise TypeError(
            f"`{type(metric).__qualname__}.reduce()` merges a leading axis that all arrays of a "
            f"stacked state have in common, and these have none{what}. If it is one state "
            "already, there is nothing to reduce."
        )
    fixed = _constants(metric)

    def merged(stacked):
        return jax.tree.leaves(all_reduce(jax.tree.unflatten(treedef, stacked), _STACKED))

    def out(stacked):
        whole = merged(stacked)
        return [None if f else x for f, x in zip(fixed, whole, strict=True)]

    done = jax.vmap(out, out_axes=None, axis_name=_STACKED)(leaves)
    done = [x[0] if f else y for f, x, y in zip(fixed, leaves, done, strict=True)]
    new = jax.tree.unflatten(treedef, done)
    check_mergeable(new, new)
    return new


def _constants(metric: Metric) -> list[bool]:
    """For each leaf, whether it is a constant of a metric that reduces by its fields."""

    def mark(m: Metric, own: bool) -> Any:
        mine = layout(type(m))
        own = own or _has_own_merge(m)
        states = [name for _, names in mine.groups for name in names]
        changes = {n: jax.tree.map(lambda _: False, getattr(m, n)) for n in states}
        changes |= {n: not own for n in mine.constants}
        for n in mine.nested:
            changes[n] = jax.tree.map(
                lambda x: mark(x, own) if is_metric(x) else x, getattr(m, n), is_leaf=is_metric
            )
        return rebuild(m, changes)

    return jax.tree.leaves(mark(metric, False))
