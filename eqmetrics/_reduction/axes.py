"""Explicit mesh axes: a metric computes on them as on automatic ones.

With explicit axes the type of an array contains its sharding, and every scatter, gather, sort, sum
and `vmap` must specify the sharding of its result. For a metric this is always the same: its rows
may be sharded in any way, and its state keeps its sharding. So its methods run with all axes
automatic, and the arrays that they return get a sharding again: a state that of the previous state;
a value is replicated.
"""

import functools as ft
from collections.abc import Callable
from typing import Any, cast, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer
from jax.dtypes import extended
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec, reshard

from .._collection.ordered import in_order, plain_dicts


_F = TypeVar("_F", bound=Callable[..., Any])


def _explicit(tree: Any) -> AbstractMesh | None:
    """The mesh in context, or else that of the arrays, if any of its axes is explicit."""
    context = jax.sharding.get_abstract_mesh()
    if not context.empty:
        return context if context.explicit_axes else None
    for x in jax.tree.leaves(tree):
        # Eager code gets here at every call. For an array on one device, looking at its sharding
        # takes a tenth of the time of looking at its type.
        if isinstance(x, Tracer) or (isinstance(x, jax.Array) and _on_a_mesh(x)):
            mesh = jax.typeof(x).sharding.mesh
            if not mesh.empty and mesh.explicit_axes:
                return mesh
    return None


def _is_traced_on(mesh: AbstractMesh, x: jax.Array) -> bool:
    return isinstance(x, Tracer) and jax.typeof(x).sharding.mesh == mesh


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


def _held(leaves: list[Any], given: list[Any]) -> list[Any]:
    """The results, made to depend on the arguments, though not on their numbers. `jit` removes an
    argument that isn't read (`Count` reads only the shape of its rows), and if this is the last one
    on the mesh, the program loses its devices."""
    traced = [isinstance(x, Tracer) and not jnp.issubdtype(x.dtype, extended) for x in leaves]
    results = [x for x, is_traced in zip(leaves, traced, strict=True) if is_traced]
    held = iter(lax.optimization_barrier((results, [x.ravel()[:0] for x in given]))[0])
    return [next(held) if is_traced else x for x, is_traced in zip(leaves, traced, strict=True)]


def _run(fn: Callable, mesh: AbstractMesh, first: Any, args: tuple, kwargs: dict) -> Any:
    given: dict[int, tuple[Any, Any]] = {}
    no_context = jax.sharding.get_abstract_mesh().empty

    def enter(x):
        if not isinstance(x, jax.Array):
            return x
        inner = reshard(x, PartitionSpec())  # has no effect on automatic axes
        given[id(inner)] = inner, x
        return inner

    def leave(x, like=None):
        if not isinstance(x, jax.Array):
            return x
        if id(x) in given:  # an argument that is returned unchanged
            return given[id(x)][1]
        same = isinstance(like, jax.Array) and like.shape == x.shape
        spec = jax.typeof(like).sharding.spec if same else PartitionSpec()
        if isinstance(x, Tracer) or not on_mesh:
            return reshard(x, NamedSharding(mesh, spec))
        return jax.device_put(x, NamedSharding(on_mesh[0], spec))  # also from one device

    explicit = dict.fromkeys(mesh.explicit_axes, AxisType.Auto)
    with jax.sharding.use_abstract_mesh(mesh.update_axis_types(explicit)):
        # One by one: `jax.tree.map` over the dict would sort its keys.
        named = {name: jax.tree.map(enter, x) for name, x in kwargs.items()}
        out = fn(*jax.tree.map(enter, (first, *args)), **named)
        leaves, treedef = jax.tree.flatten(in_order(out))
        placed = [x for x, outer in given.values() if _is_traced_on(mesh, outer)]
        outer = [x for _, x in given.values() if not isinstance(x, Tracer) and _on_a_mesh(x)]
        on_mesh = [m for x in outer if (m := x.sharding.mesh).abstract_mesh == mesh]
        if no_context and placed:
            held = _held([None if id(x) in given else x for x in leaves], placed)
            leaves = [x if y is None else y for x, y in zip(leaves, held, strict=True)]
    before, same = jax.tree.flatten(first)
    if treedef != same:
        return plain_dicts(jax.tree.unflatten(treedef, [leave(x) for x in leaves]))
    return jax.tree.unflatten(treedef, map(leave, leaves, before))
