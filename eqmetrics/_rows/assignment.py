"""The best one-to-one assignment of rows to columns, by shortest augmenting paths, under `jit`.

Source: Crouse, "On implementing 2D rectangular assignment algorithms", 2016; after Jonker and
Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems",
1987.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.node import vary_like


class _Matched(NamedTuple):
    prices: tuple[Float32[Array, "rows"], Float32[Array, "columns"]]
    column: Int32[Array, "rows"]  # the column of each row; -1 if it has none yet
    row: Int32[Array, "columns"]


class _Paths(NamedTuple):
    """Shortest paths from one row, through columns that are already assigned, to all columns."""

    length: Float32[Array, "columns"]
    before: Int32[Array, "columns"]  # the row before this column on its path
    done: Bool[Array, "columns"]
    passed: Bool[Array, "rows"]
    row: Int32[Array, ""]  # the row that is visited next
    least: Float32[Array, ""]
    end: Int32[Array, ""]  # the free column where the path ends, or -1


def assign(cost: Float32[Array, "rows columns"]) -> Int32[Array, "rows"]:
    """The column for each row, all different, such that the sum of the costs is smallest. There
    must be at least as many columns as rows, and all costs must be finite. For the largest sum,
    pass `-cost`.

    The time is at worst cubic in the size. The result has no derivative: index `cost` with it, and
    the gradient of the sum of these entries is that of the smallest sum.
    """
    rows, columns = cost.shape
    if rows > columns:
        raise ValueError(f"{rows} rows don't fit {columns} columns: give the transpose.")
    cost = lax.stop_gradient(cost)
    start = _Matched(
        (jnp.zeros(rows, jnp.float32), jnp.zeros(columns, jnp.float32)),
        jnp.full(rows, -1, jnp.int32),
        jnp.full(columns, -1, jnp.int32),
    )
    start = vary_like(start, cost)
    return lax.fori_loop(0, rows, lambda i, matched: _with(cost, matched, i), start).column


def _with(cost: Array, matched: _Matched, start: Array) -> _Matched:
    """Assigns one more row, along the shortest path from it to a free column."""
    (u, v), column, row = matched
    rows, columns = cost.shape
    paths = _Paths(
        jnp.full(columns, jnp.inf, jnp.float32),
        jnp.full(columns, -1, jnp.int32),
        jnp.zeros(columns, bool),
        jnp.zeros(rows, bool),
        jnp.asarray(start, jnp.int32),
        jnp.zeros((), jnp.float32),
        jnp.full((), -1, jnp.int32),
    )

    def further(p: _Paths) -> _Paths:
        reached = p.least + ((cost[p.row] - u[p.row][None]) - v)
        better = ~p.done & (reached < p.length)
        length = jnp.where(better, reached, p.length)
        before = jnp.where(better, p.row, p.before)
        left = jnp.where(p.done, jnp.inf, length)
        least = jnp.min(left)
        # Among equal lengths, choose a free column, which ends the path.
        free = row < 0
        ties = left <= least
        near = jnp.argmax(jnp.where(ties, jnp.where(free, 2, 1), 0).astype(jnp.int32))
        near = near.astype(jnp.int32)
        ended = row[near] < 0
        return _Paths(
            length,
            before,
            p.done.at[near].set(True),
            p.passed.at[p.row].set(True),
            jnp.where(ended, p.row, row[near]),
            least,
            jnp.where(ended, near, -1),
        )

    paths = lax.while_loop(lambda p: p.end < 0, further, vary_like(paths, (cost, matched)))
    own = jnp.where(column < 0, 0, column)
    passed = paths.passed & (jnp.arange(rows, dtype=jnp.int32) != start)
    u = jnp.where(passed, u + paths.least - paths.length[own], u).at[start].add(paths.least)
    v = jnp.where(paths.done, v - (paths.least - paths.length), v)

    def turn(state: tuple) -> tuple:
        """Walks the path back from its end: each row gets the column after it on the path."""
        column, row, place, _ = state
        i = paths.before[place]
        column, place = column.at[i].set(place), column[i]
        return column, row.at[column[i]].set(i), place, i

    state = turn((column, row, paths.end, jnp.asarray(start, jnp.int32)))
    column, row, *_ = lax.while_loop(lambda s: s[3] != start, turn, state)
    return _Matched((u, v), column, row)
