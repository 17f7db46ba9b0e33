"""The values of the metrics in a pytree, from one compiled program for each tree structure."""

import contextlib
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from .._collection.ordered import in_order, plain_dicts
from .._metric.invalid import invalid_counts
from .._metric.metric import AbstractCollection, AbstractExact
from .._metric.node import is_metric
from .._onepass.compiled import HOST_ONLY
from .._wrap.from_fun import FromFun
from .._wrap.from_output import FromOutput
from .collect import Collect


# ---- what is read from a metric


class _Exact(eqx.Module):
    """A pair whose halves are added on the host, in float64."""

    pair: Any


class _Later(eqx.Module):
    """A placeholder for the value of a metric that keeps its rows on the host: the member with
    these names of the metric at `place`."""

    place: int = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)


def _inner(metric: Any) -> Any:
    """The metric inside `from_output` and `from_fun`, which has the same value."""
    while isinstance(metric, (FromOutput, FromFun)):
        metric = metric.metric
    return metric


def _is_collect(x: Any) -> bool:
    return isinstance(x, Collect)


def _collects(tree: Any) -> bool:
    return any(map(_is_collect, jax.tree.leaves(tree, is_leaf=_is_collect)))


def _readout(metric: Any, place: int, names: tuple[str, ...] = ()) -> Any:
    metric = _inner(metric)
    if isinstance(metric, AbstractCollection):
        members = metric.members().items()
        return in_order({name: _readout(m, place, (*names, name)) for name, m in members})
    if _collects(metric):
        return _Later(place, names)
    value = metric.compute()  # first, since it checks the state
    pairs = metric.exact() if isinstance(metric, AbstractExact) else None
    return in_order(value) if pairs is None else jax.tree.map(_Exact, pairs)


_ARRAY, _PAIR = object(), object()


@jax.tree_util.register_static
class _Form:
    """How values are built from arrays: their treedef and its leaves, where one marker stands for
    an array and another for a pair whose halves are to be added."""

    def __init__(self, treedef: Any, leaves: list[Any]):
        self.treedef = treedef
        self.leaves = leaves
        self.packed: list[tuple[int, ...] | None] = []


class Found(NamedTuple):
    """What was read from metrics: the arrays, the small ones of which are concatenated; whether any
    row was invalid; and how the values are built from the arrays."""

    arrays: list[Any]
    small: Any
    bad: Any
    form: _Form


# Each array that is transferred costs 10 us, as much as a small program.
_SMALL = 64


def _is_small(x: Any) -> bool:
    return x.dtype == jnp.float32 and x.size <= _SMALL


def _packed(found: Found) -> Found:
    small = [x for x in found.arrays if _is_small(x)]
    found.form.packed = [x.shape if _is_small(x) else None for x in found.arrays]
    flat = [x.ravel() for x in small]
    bad = jnp.asarray(found.bad, jnp.float32).reshape(1)
    large = [x for x in found.arrays if not _is_small(x)]
    return Found(large, jnp.concatenate([*flat, bad]), None, found.form)


def unpacked(found: Found) -> tuple[list[Any], bool]:
    """The arrays, and whether any row was invalid, after the transfer to the host."""
    if found.small is None:
        return found.arrays, bool(np.any(found.bad))
    arrays, large, end = [], iter(found.arrays), 0
    for shape in found.form.packed:
        if shape is None:
            arrays.append(next(large))
            continue
        start, end = end, end + math.prod(shape)
        arrays.append(found.small[start:end].reshape(shape))
    return arrays, bool(found.small[end])


def _read(metrics: list[Any]) -> tuple[list[Any], _Form]:
    values = [_readout(m, i) for i, m in enumerate(metrics)]
    found, treedef = jax.tree.flatten(values, is_leaf=lambda x: isinstance(x, (_Exact, _Later)))
    arrays = [x.pair if isinstance(x, _Exact) else x for x in found if _has_array(x)]
    marks = [(_PAIR if isinstance(x, _Exact) else _ARRAY) if _has_array(x) else x for x in found]
    return arrays, _Form(treedef, marks)


def _has_array(x: Any) -> bool:
    return isinstance(x, (_Exact, jax.Array))


def _plain(x: Any) -> Any:
    """A Python number for an array without axes; anything else as it is."""
    if isinstance(x, (np.ndarray, np.generic)) and x.ndim == 0:
        return x.item()
    return x


def _on_host(metric: Any, names: tuple[str, ...]) -> Any:
    metric = _inner(metric)
    for name in names:
        metric = _inner(metric.members()[name])
    return jax.tree.map(_plain, jax.device_get(in_order(metric.compute())))


# ---- its program


class Plan:
    """How pytrees of one structure are read: which of their leaves belong to metrics, and the
    program that computes the values."""

    def __init__(self, treedef: Any):
        places = jax.tree.unflatten(treedef, range(treedef.num_leaves))
        nodes, self._outer = jax.tree.flatten(places, is_leaf=is_metric)
        metrics = [x for x in nodes if is_metric(x)]
        self._is_metric = [is_metric(x) for x in nodes]
        self.own, self._metrics = jax.tree.flatten(metrics)
        self.rest = [x for x in nodes if not is_metric(x)]
        self.collects = _collects(metrics)
        self.name = type(_inner(metrics[0])).__name__ if metrics else ""
        self.traceable = True
        self._program = jax.jit(self._run, static_argnums=(0, 1))

    def _run(self, stacked: int, pack: bool, leaves: list[Any]) -> Found:
        def run(leaves):
            metrics = jax.tree.unflatten(self._metrics, leaves)
            bad = [jnp.any(pair != 0) for _, _, pair in invalid_counts(metrics)]
            arrays, form = _read(metrics)
            some = jnp.any(jnp.stack(bad)) if bad else jnp.zeros((), bool)
            return Found(arrays, None, some, form)

        for _ in range(stacked):
            run = jax.vmap(run)
        return _packed(run(leaves)) if pack else run(leaves)

    def run(self, leaves: list[Any], stacked: int, alone: bool) -> Found | None:
        """Reads the metrics with these leaves, which are on one device if `alone`; `None` if a
        `compute` can't be traced."""
        if not self.traceable:
            return None
        try:
            with contextlib.ExitStack() as stack:
                if jax.config.jax_debug_nans:  # pyright: ignore[reportAttributeAccessIssue]
                    stack.enter_context(jax.debug_nans(False))  # an undefined value is NaN
                if alone and leaves and not jax.sharding.get_abstract_mesh().empty:
                    # The mesh in context may have other devices, even those of other processes.
                    mesh = Mesh(np.array(list(leaves[0].devices())), "one")
                    stack.enter_context(jax.set_mesh(mesh))
                return self._program(stacked, alone and not stacked, leaves)
        except HOST_ONLY:
            if stacked:
                raise
            self.traceable = False
            return None

    def read(self, leaves: list[Any]) -> Found:
        """The same as `run`, without a compiled program."""
        arrays, form = _read(jax.tree.unflatten(self._metrics, leaves))
        return Found(arrays, None, False, form)

    def joined(self, form: _Form, tree: Any, fetched: list[Any], rest: list[Any], axis: int) -> Any:
        """The pytree with the values instead of the metrics. The halves of pairs lie along
        `axis`."""
        arrays, leaves = iter(fetched), []
        for x in form.leaves:
            if x is _ARRAY:
                x = _plain(next(arrays))
            elif x is _PAIR:
                x = _plain(np.asarray(next(arrays), np.float64).sum(axis))
            elif isinstance(x, _Later):
                metrics = filter(is_metric, jax.tree.leaves(tree, is_leaf=is_metric))
                x = _on_host(list(metrics)[x.place], x.names)
            leaves.append(x)
        values, others = iter(jax.tree.unflatten(form.treedef, leaves)), map(_plain, rest)
        joined = [plain_dicts(next(values)) if own else next(others) for own in self._is_metric]
        return jax.tree.unflatten(self._outer, joined)


# Plans by structure. Their number is limited, so that lambdas defined anew in each epoch don't fill
# the memory.
_plans: dict[Any, Plan] = {}
_MOST = 256


def plan_of(tree: Any) -> tuple[Plan, list[Any]]:
    """The plan of a pytree, and its leaves. Rows in a `Collect` are left out: their number is part
    of the structure."""
    leaves, treedef = jax.tree.flatten(tree)
    plan = _plans.get(treedef)
    if plan is None:
        if any(x.chunks for x in jax.tree.leaves(tree, is_leaf=_is_collect) if _is_collect(x)):
            return plan_of(jax.tree.map(_emptied, tree, is_leaf=_is_collect))
        if len(_plans) >= _MOST:
            _plans.clear()
        plan = _plans[treedef] = Plan(treedef)
    return plan, leaves


def _emptied(x: Any) -> Any:
    return x.reset() if _is_collect(x) else x
