"""Explicit mesh axes: a metric computes on them as on automatic ones.

Where axes are explicit the type of an array says how it is spread, and every scatter, gather,
sort, sum and `vmap` must say how its result is. A metric has nothing to say there: its rows may
be spread in any way, and its state is as it was. So its methods run with the axes automatic, and
the arrays that they return have a type again: a state that of the state before, a value is on
every device.
"""

import functools as ft
from collections.abc import Callable
from typing import Any, cast, TypeVar

import jax
from jax.core import Tracer
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec, reshard

from ._ordered import dicts, keep_order


_F = TypeVar("_F", bound=Callable[..., Any])


def _explicit(tree: Any) -> AbstractMesh | None:
    """The mesh in context, or else that of the arrays, if any of its axes is explicit."""
    context = jax.sharding.get_abstract_mesh()
    if not context.empty:
        return context if context.explicit_axes else None
    for x in jax.tree.leaves(tree):
        # Eager code asks at every call: of an array on one device this is a tenth of its type.
        if isinstance(x, Tracer) or (isinstance(x, jax.Array) and _on_a_mesh(x)):
            mesh = jax.typeof(x).sharding.mesh
            if not mesh.empty and mesh.explicit_axes:
                return mesh
    return None


def _on_a_mesh(x: jax.Array) -> bool:
    return type(x.sharding) is NamedSharding


def automatic(fn: _F) -> _F:
    """A method, or a function of metrics, that runs with all explicit axes automatic."""

    @ft.wraps(fn)
    def method(first, /, *args, **kwargs):
        mesh = _explicit((first, args, kwargs))
        if mesh is None:
            return fn(first, *args, **kwargs)
        return _run(fn, mesh, first, args, kwargs)

    return cast(_F, method)


def _run(fn: Callable, mesh: AbstractMesh, first: Any, args: tuple, kwargs: dict) -> Any:
    given: dict[int, tuple[Any, Any]] = {}

    def enter(x):
        if not isinstance(x, jax.Array):
            return x
        inner = reshard(x, PartitionSpec())  # says nothing of automatic axes
        given[id(inner)] = inner, x
        return inner

    def leave(x, like=None):
        if not isinstance(x, jax.Array):
            return x
        if id(x) in given:  # handed back as it came
            return given[id(x)][1]
        same = isinstance(like, jax.Array) and like.shape == x.shape
        spec = jax.typeof(like).sharding.spec if same else PartitionSpec()
        return reshard(x, NamedSharding(mesh, spec))

    explicit = dict.fromkeys(mesh.explicit_axes, AxisType.Auto)
    with jax.sharding.use_abstract_mesh(mesh.update_axis_types(explicit)):
        # One by one: jax sorts the names of a dict.
        named = {name: jax.tree.map(enter, x) for name, x in kwargs.items()}
        out = fn(*jax.tree.map(enter, (first, *args)), **named)
    leaves, treedef = jax.tree.flatten(keep_order(out))
    before, same = jax.tree.flatten(first)
    if treedef != same:
        return dicts(jax.tree.unflatten(treedef, [leave(x) for x in leaves]))
    return jax.tree.unflatten(treedef, map(leave, leaves, before))
