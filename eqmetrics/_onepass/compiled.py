"""Eager `compute` of the library's own metrics: one compiled program for each structure."""

from typing import Any

import equinox as eqx
import jax
from jax.core import Tracer
from jax.errors import (
    ConcretizationTypeError,
    NonConcreteBooleanIndexError,
    TracerArrayConversionError,
    TracerIntegerConversionError,
)

from .._collection.ordered import in_order, plain_dicts
from .together import as_plain, kind_of


# What a `compute` raises that looks into arrays, or hands them to another library.
HOST_ONLY = (
    ConcretizationTypeError,
    NonConcreteBooleanIndexError,
    TracerArrayConversionError,
    TracerIntegerConversionError,
)


@jax.tree_util.register_static
class _Rest:
    """What of a value is no array: words, and `None`."""

    def __init__(self, tree: Any):
        self.tree = tree


def _read(compute: Any, metric: Any) -> tuple[Any, _Rest]:
    arrays, rest = eqx.partition(in_order(compute(metric, (), {})), eqx.is_array)
    return arrays, _Rest(rest)


_program = jax.jit(_read, static_argnums=0)
_untraceable: set[Any] = set()


def in_one_program(compute: Any, metric: Any, args: Any, kwargs: Any) -> Any:
    """`compute(metric, args, kwargs)`. Op by op it would take a kernel, an array and 20 us for each
    operation."""
    leaves, treedef = jax.tree.flatten(metric)
    _, compiles = kind_of(metric, treedef)
    here = compiles and not (args or kwargs) and treedef not in _untraceable
    if not here or not _are_together(leaves):
        return compute(metric, args, kwargs)
    try:
        arrays, rest = as_plain(_program, compute, metric)
    except HOST_ONLY:
        _untraceable.add(treedef)
        return compute(metric, args, kwargs)
    return plain_dicts(eqx.combine(arrays, rest.tree))


def _are_together(leaves: list[Any]) -> bool:
    """Whether all are arrays with values, on the same devices."""
    if not all(isinstance(x, jax.Array) and not isinstance(x, Tracer) for x in leaves):
        return False
    if len({x.sharding for x in leaves}) <= 1:
        return True
    return len({frozenset(x.sharding.device_set) for x in leaves}) <= 1
