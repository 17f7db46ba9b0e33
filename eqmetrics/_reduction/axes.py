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
        # Eager code asks at every call: of an array on one device this is a tenth of its type.
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
    """The results, made to depend on what was given, though on none of its numbers. `jit` leaves
    out an argument that nothing reads, as `Count` reads but the shape of its rows; and with the
    last one that is on the mesh a program would lose its devices."""
    mine = [isinstance(x, Tracer) and not jnp.issubdtype(x.dtype, extended) for x in leaves]
    results = [x for x, own in zip(leaves, mine, strict=True) if own]
    held = iter(lax.optimization_barrier((results, [x.ravel()[:0] for x in given]))[0])
    return [next(held) if own else x for x, own in zip(leaves, mine, strict=True)]


def _run(fn: Callable, mesh: AbstractMesh, first: Any, args: tuple, kwargs: dict) -> Any:
    given: dict[int, tuple[Any, Any]] = {}
    no_context = jax.sharding.get_abstract_mesh().empty

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
        if isinstance(x, Tracer) or not on_mesh:
            return reshard(x, NamedSharding(mesh, spec))
        return jax.device_put(x, NamedSharding(on_mesh[0], spec))  # from one device, too

    explicit = dict.fromkeys(mesh.explicit_axes, AxisType.Auto)
    with jax.sharding.use_abstract_mesh(mesh.update_axis_types(explicit)):
        # One by one: jax sorts the names of a dict.
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
