"""Arrays of rows that are treated alike, in one step: narrow ones lie side by side, with the rows
as the last axis."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from .._metric.node import varies_over


# Columns of up to so many cells lie side by side; of more, a copy costs more than it spares.
_NARROW = 32


def joined(arrays: Sequence[Array]) -> Array:
    """Side by side along the last axis."""
    return arrays[0] if len(arrays) == 1 else jnp.concatenate(arrays, axis=-1)


class SideBySide:
    """Arrays of shape `(rows, *shape)`, the narrow ones joined to `(cells, rows)`; beside each may
    be others of its shape, which are joined as it is."""

    def __init__(self, *lists: Sequence[Shaped[Array, "rows ..."]]):
        self.lists = lists
        alike: dict[tuple, list[int]] = {}
        for i, each in enumerate(zip(*lists, strict=True)):
            # Only rows that lie on the devices alike are put side by side.
            key = *map(_kind, each), each[0].shape[0]
            alike.setdefault((*key, i) if any(map(_is_wide, each)) else key, []).append(i)
        self.alike = list(alike.values())

    def each(self, reduce: Callable[[Array, int], Array]) -> list[Array]:
        """What `reduce` makes of each of the first, given the axis of the rows: an array
        `(..., cells)`."""
        arrays = self.lists[0]
        found: list[Any] = [None] * len(arrays)
        for which in self.alike:
            if _is_wide(x := arrays[which[0]]):
                total = reduce(x, 0)
                found[which[0]] = total.reshape(*total.shape[: total.ndim - x.ndim + 1], -1)
                continue
            total, start = reduce(_joined([arrays[i] for i in which]), 1), 0
            for i in which:
                size = math.prod(arrays[i].shape[1:])
                found[i] = total[..., start : start + size]
                start += size
        return found

    def map(self, fn: Callable[..., Array]) -> list[Array]:
        """What `fn`, which treats all entries alike, makes of each and what is beside it."""
        found: list[Any] = [None] * len(self.lists[0])
        for which in self.alike:
            lists = [[x[i] for i in which] for x in self.lists]
            if len(which) == 1:
                found[which[0]] = fn(*(x for (x,) in lists))
                continue
            total, start = fn(*map(_joined, lists)), 0
            for i, x in zip(which, lists[0], strict=True):
                size = math.prod(x.shape[1:])
                found[i] = total[start : start + size].T.reshape(x.shape)
                start += size
        return found


def _kind(x: Array) -> tuple:
    return x.dtype, jax.typeof(x).sharding.spec[:1], varies_over(x)


def _joined(arrays: list[Array]) -> Array:
    flat = [_rows_last(x) for x in arrays]
    return flat[0] if len(flat) == 1 else jnp.concatenate(flat)


def _rows_last(x: Array) -> Array:
    return x[None] if x.ndim == 1 else x.reshape(x.shape[0], math.prod(x.shape[1:])).T


def _is_wide(x: Array) -> bool:
    """Whether it has many cells, or cells on several devices of an explicit mesh."""
    spread = any(axis is not None for axis in jax.typeof(x).sharding.spec[1:])
    return math.prod(x.shape[1:]) > _NARROW or spread
