"""Applies one step to many arrays of rows: narrow ones are put side by side, with the rows as the
last axis."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from .._metric.node import varies_over
from .._reduction.blocks import LONG
from .._reduction.pair_sums import joinable


# Columns of up to so many cells are put side by side; for wider ones a copy costs more than it
# saves.
_NARROW = 32


def joined(arrays: Sequence[Array]) -> Array:
    """Concatenates arrays along the last axis."""
    return arrays[0] if len(arrays) == 1 else jnp.concatenate(arrays, axis=-1)


class SideBySide:
    """Arrays of shape `(rows, *shape)`, the narrow ones joined to `(cells, rows)`."""

    def __init__(self, arrays: Sequence[Shaped[Array, "rows ..."]]):
        self.arrays = arrays
        alike: dict[tuple, list[int]] = {}
        for i, x in enumerate(arrays):
            # Only arrays with the same dtype and the same sharding of rows are put side by side.
            key = *_kind(x), x.shape[0]
            alike.setdefault((*key, i) if _is_wide(x) else key, []).append(i)
        self.alike = list(alike.values())

    def each(
        self,
        reduce: Callable[..., Array],
        reduce_long: Callable[..., Array],
        *beside: Sequence[Array],
    ) -> list[Array]:
        """The result of `reduce(array, axis, ...)` for each array, of shape `(..., cells)`, where
        `axis` is that of the rows; if these are many, of `reduce_long(arrays, ...)` for arrays of
        shape `(cells, rows)`, which aren't joined yet. `beside` are lists with an array of shape
        `shape` for each, which are passed on, too."""
        found: list[Any] = [None] * len(self.arrays)
        for which in self.alike:
            if _is_wide(x := self.arrays[which[0]]):
                total = reduce(x, 0, *(b[which[0]][None] for b in beside))
                found[which[0]] = total.reshape(*total.shape[: total.ndim - x.ndim + 1], -1)
                continue
            if _is_long(x):
                flat = [_rows_last(self.arrays[i]) for i in which]
                total = reduce_long(flat, *([_cells(b, [i]) for i in which] for b in beside))
            else:
                total = reduce(self._joined(which), 1, *(_cells(b, which) for b in beside))
            for i, start, end in self._places(which):
                found[i] = total[..., start:end]
        return found

    def map(self, fn: Callable[..., Array], *beside: Sequence[Array]) -> list[Array]:
        """The result of `fn`, which must be elementwise, for each array and the arrays `beside`
        it."""
        found: list[Any] = [None] * len(self.arrays)
        for which in self.alike:
            if len(which) == 1 or _is_long(self.arrays[which[0]]):
                for i in which:
                    x, *rest = (of[i] for of in (self.arrays, *beside))
                    found[i] = fn(x, *(jnp.broadcast_to(y, x.shape) for y in rest))
                continue
            x = self._joined(which)
            x = fn(x, *(jnp.broadcast_to(_cells(b, which), x.shape) for b in beside))
            for i, start, end in self._places(which):
                found[i] = x[start:end].T.reshape(self.arrays[i].shape)
        return found

    def products(self, pairs: Sequence[tuple[int, int]]) -> list[Array]:
        """The products of pairs of arrays, with one multiplication for a run of adjacent pairs."""
        found: dict[tuple[int, int], Array] = {}
        for which in self.alike:
            places = {i: (start, end) for i, start, end in self._places(which)}
            here = [(i, j) for i, j in pairs if i in places and j in places]
            if len(which) == 1 or len(here) == 1 or _is_long(self.arrays[which[0]]):
                continue
            x = self._joined(which)
            for run in _runs(here, places):
                (a, b), size = run[0], sum(places[i][1] - places[i][0] for i, _ in run)
                a, b = places[a][0], places[b][0]
                product, start = x[a : a + size] * x[b : b + size], 0
                for i, j in run:
                    end = start + places[i][1] - places[i][0]
                    found[i, j] = product[start:end].T.reshape(self.arrays[i].shape)
                    start = end
        one = lambda i, j: found[i, j] if (i, j) in found else self.arrays[i] * self.arrays[j]
        return [one(*pair) for pair in pairs]

    def _joined(self, which: list[int]) -> Array:
        flat = [_rows_last(self.arrays[i]) for i in which]
        return flat[0] if len(flat) == 1 else jnp.concatenate(flat)

    def _places(self, which: list[int]) -> Iterator[tuple[int, int, int]]:
        """The arrays that are joined, each with its first cell and the cell after its last."""
        start = 0
        for i in which:
            end = start + math.prod(self.arrays[i].shape[1:])
            yield i, start, end
            start = end


def _runs(
    pairs: Sequence[tuple[int, int]], places: dict[int, tuple[int, int]]
) -> list[list[tuple[int, int]]]:
    """Groups pairs into runs: both arrays of a pair follow those of the pair before it."""
    runs: list[list[tuple[int, int]]] = []
    for i, j in sorted(pairs, key=lambda p: (places[p[1]][0] - places[p[0]][0], places[p[0]])):
        last = runs[-1][-1] if runs else None
        if last and [places[k][1] for k in last] == [places[k][0] for k in (i, j)]:
            runs[-1].append((i, j))
        else:
            runs.append([(i, j)])
    return runs


def _cells(beside: Sequence[Array], which: list[int]) -> Array:
    return joined([jnp.ravel(beside[i]) for i in which])[:, None]


def _kind(x: Array) -> tuple:
    return x.dtype, jax.typeof(x).sharding.spec[:1], varies_over(x)


def _rows_last(x: Array) -> Array:
    return x[None] if x.ndim == 1 else x.reshape(x.shape[0], math.prod(x.shape[1:])).T


def _is_long(x: Array) -> bool:
    """Whether there are so many rows that arrays aren't joined; none may be on another device.
    XLA's CPU computes the entries of joined arrays in one loop with a branch for each array, so
    without vectors: the sums of ten losses of a million rows take 38 ms, and 4 ms one by one."""
    rows = x.shape[0]
    return isinstance(rows, int) and rows >= LONG and joinable(x) == rows


def _is_wide(x: Array) -> bool:
    """Whether an array has many cells, or its cells are sharded over an explicit mesh axis."""
    spread = any(axis is not None for axis in jax.typeof(x).sharding.spec[1:])
    return math.prod(x.shape[1:]) > _NARROW or spread
