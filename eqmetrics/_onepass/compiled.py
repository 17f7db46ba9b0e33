"""Compiles an eager `compute` of the library's own metrics, once for each structure."""

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


# The errors of a `compute` that can't be traced, since it reads the numbers in an array or passes
# an array to another library.
HOST_ONLY = (
    ConcretizationTypeError,
    NonConcreteBooleanIndexError,
    TracerArrayConversionError,
    TracerIntegerConversionError,
)


@jax.tree_util.register_static
class _Rest:
    """The leaves of a value that aren't arrays: strings, and `None`."""

    def __init__(self, tree: Any):
        self.tree = tree


def _read(compute: Any, metric: Any) -> tuple[Any, _Rest]:
    arrays, rest = eqx.partition(in_order(compute(metric, (), {})), eqx.is_array)
    return arrays, _Rest(rest)


_program = jax.jit(_read, static_argnums=0)
_untraceable: set[Any] = set()


def in_one_program(compute: Any, metric: Any, args: Any, kwargs: Any) -> Any:
    """`compute(metric, args, kwargs)`, compiled. Without compilation each operation would be a
    kernel that writes an array, and take 20 us."""
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
    """Whether all leaves are concrete arrays, on the same devices."""
    if not all(isinstance(x, jax.Array) and not isinstance(x, Tracer) for x in leaves):
        return False
    if len({x.sharding for x in leaves}) <= 1:
        return True
    return len({frozenset(x.sharding.device_set) for x in leaves}) <= 1
