"""Values as loggers accept them: one number for each name."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey


def _name(key: Any) -> str:
    match key:
        case DictKey(name) | GetAttrKey(name) | FlattenedIndexKey(name):
            return str(name)
        case SequenceKey(place):
            return str(place)
    return str(key)


def _children(tree: Any) -> list[tuple[str, Any]]:
    """The children of a tree, by name. A dict keeps its order; jax would sort its keys."""
    if isinstance(tree, dict):
        return [(str(name), x) for name, x in tree.items()]
    found = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda x: x is not tree)[0]
    return [(_name(path[0]), x) for path, x in found if path]


def _numbers(tree: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, float]]:
    """The numbers in a tree, and the entries of arrays of up to `depth` axes by their indices."""
    if isinstance(tree, (bool, int, float, np.ndarray, np.generic)):
        array = np.asarray(tree)
        if array.dtype.kind in "biuf" and array.ndim <= depth:
            for place, x in np.ndenumerate(array):
                yield "/".join((*path, *map(str, place))), float(x)
        return
    for name, child in _children(tree):
        yield from _numbers(child, (*path, name), depth)


def flattened(tree: Any, name: str, depth: int) -> dict[str, float]:
    """All numbers of a pytree by their paths; a number without a path gets `name`."""
    found: dict[str, float] = {}
    for key, x in _numbers(tree, (), depth):
        key = key or name
        if key in found:
            raise ValueError(
                f"`to_host(..., flat=True)`: two numbers have the name `{key}`. Rename a metric."
            )
        found[key] = x
    return found
