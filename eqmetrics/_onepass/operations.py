"""What is done with all rows of a batch: a few operations.

An `update` is ordinary code that calls them, so it is right wherever it runs: in eager code, below
`jit`, `vmap`, `grad`, `scan` and `shard_map`. Whoever traces an `update` to a jaxpr while
`gathering` finds marks in it in their place, and does them in another way: those of a whole
collection at once (`together.py`), or for each of a thousand groups or replicates (`apart.py`).
That is what the methods of an operation are for.
"""

import abc
import contextlib
import functools as ft
import math
import threading
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import get_opaque_trace_state
from jaxtyping import Array, Bool, Float32, Int32

from .._cells import add_rows, add_values, add_weights
from .._reduction.base import MAX
from .._reduction.pair import add, from_integer, lift, minus, Pair, settled
from .sum_columns import SideBySide, sum_columns


Level = Literal["rows", "state"]


class Groups(NamedTuple):
    """Of each row the group, and whether it is of any."""

    group: Int32[Array, "rows"]
    taken: Bool[Array, "rows"]
    count: int


class AbstractOperation(abc.ABC):
    """One operation. `state` operands and results belong to the metric, the others have a row of
    the batch in each entry of their first axis."""

    operands: ClassVar[tuple[Level, ...]]  # the last stands for all that follow
    results: ClassVar[tuple[Level, ...]]
    name: str
    marked: Any

    def __call__(self, *operands: Array) -> tuple[Array, ...]:
        return (self.marked if is_gathering() else self.alone)(*operands)

    @abc.abstractmethod
    def alone(self, *operands: Array) -> tuple[Array, ...]:
        """What the operation is, on its own."""

    @classmethod
    @abc.abstractmethod
    def together(cls, many: list[tuple[Any, list[Array]]]) -> list[tuple[Array, ...]]:
        """Several of this class, each with its operands, in fewer steps."""

    @abc.abstractmethod
    def by_group(self, groups: Groups, *operands: Array) -> tuple[Array, ...]:
        """For each group with its rows alone. All that is of the state has a leading axis."""

    @abc.abstractmethod
    def by_replicate(
        self, weights: Float32[Array, "samples rows"], *operands: Array
    ) -> tuple[Array, ...]:
        """For each replicate with weights of its own. All that is of the state has a leading
        axis."""

    @abc.abstractmethod
    def typed(self, *operands: Array) -> tuple[Array, ...]:
        """Anything of the types of the results, as cheap as can be."""

    def level(self, i: int) -> Level:
        return self.operands[min(i, len(self.operands) - 1)]


_KNOWN: dict[str, AbstractOperation] = {}
_here = threading.local()


@contextlib.contextmanager
def gathering() -> Iterator[None]:
    """Within, and at the same level of tracing, operations leave a mark in the jaxpr instead of
    being done; below another `jit`, `vmap`, `grad` or loop they are done."""
    old, _here.trace = getattr(_here, "trace", None), get_opaque_trace_state(convention="nnx")
    try:
        yield
    finally:
        _here.trace = old


def is_gathering() -> bool:
    trace = getattr(_here, "trace", None)
    return trace is not None and trace == get_opaque_trace_state(convention="nnx")


def made(operation: Any) -> Any:
    """Gives the operation its mark: a function whose name says in a jaxpr which it is."""

    def mark(*operands: Array) -> Any:
        return operation.typed(*operands)

    operation.name = f"eqmetrics.{type(operation).__name__}.{len(_KNOWN)}"
    mark.__name__ = mark.__qualname__ = operation.name
    operation.marked = jax.jit(mark)
    _KNOWN[operation.name] = operation
    return operation


def operation_of(eqn: Any) -> AbstractOperation | None:
    """The operation that an equation of a jaxpr is the mark of."""
    return _KNOWN.get(eqn.params.get("name", "")) if eqn.primitive.name in ("jit", "pjit") else None


# ---- sums of columns


Block = tuple[int, Literal["column", "rows", "nothing"]]


class SumRows(AbstractOperation):
    """`sum_rows(blocks, rows, onto)(*onto, *columns)`: what the rows add to pairs of shape
    `(2, cells)`, or to those that it is given.

    A column has shape `(rows, *shape)` and adds to as many cells as its shape has entries. Booleans
    count, integers are added exactly, floats are compensated; a row that doesn't take part says 0.

    **Arguments:**

    - `blocks`: of each block of cells how many there are, and what adds to it: a `"column"`,
        `"rows"` (each row adds 1), or `"nothing"`.
    - `rows`: how many rows there are.
    - `onto`: whether there are pairs that they are added to.
    """

    results = ("state",)

    def __init__(self, blocks: tuple[Block, ...], rows: int, onto: bool):
        self.blocks, self.rows, self.onto = blocks, rows, onto
        self.operands = ("state", "rows") if onto else ("rows",)
        self.cells = sum(width for width, _ in blocks)

    def typed(self, *operands):
        return operands[:1] if self.onto else (jnp.zeros((2, self.cells), jnp.float32),)

    def columns(self, operands: Any) -> Any:
        return operands[1:] if self.onto else operands

    def spread(self, sums: Any, count: Any) -> Pair:
        """The sums of the columns, and of the others; of shape `(*stack, 2, cells)`. `count` gives
        the number of rows as a pair of shape `(*stack, 2, 1)`."""
        found, each, like = iter(sums), [], count()
        for width, what in self.blocks:
            if what == "column":
                each.append(next(found))
            else:
                each.append(like if what == "rows" else jnp.zeros((*like.shape[:-1], width)))
        return each[0] if len(each) == 1 else jnp.concatenate(each, axis=-1)

    def alone(self, *operands):
        return self.together([(self, list(operands))])[0]

    @classmethod
    def together(cls, many):
        columns = {id(x): x for op, operands in many for x in op.columns(operands)}
        sums = dict(zip(columns, sum_columns(list(columns.values())), strict=True))
        news = [
            op.spread(
                [sums[id(x)] for x in op.columns(operands)],
                lambda op=op: from_integer(jnp.asarray(op.rows, jnp.int32))[:, None],
            )
            for op, operands in many
        ]
        onto = [i for i, (op, _) in enumerate(many) if op.onto]
        if onto:
            olds = [many[i][1][0] for i in onto]
            whole, start = add(_joined(olds), _joined([news[i] for i in onto])), 0
            for i, old in zip(onto, olds, strict=True):
                news[i] = whole[:, start : start + old.shape[1]]
                start += old.shape[1]
        return [(new,) for new in news]

    def _plus(self, operands: Any, new: Pair) -> tuple[Pair]:
        if not self.onto:
            return (new,)
        both = (jnp.moveaxis(x, 1, 0) for x in (operands[0], new))
        return (jnp.moveaxis(add(*both), 0, 1),)

    def by_group(self, groups, *operands):
        sums = sum_by_group(groups, list(self.columns(operands)))
        count = lambda: sum_by_group(groups, [jnp.ones(groups.group.shape, bool)])[0]
        return self._plus(operands, self.spread(sums, count))

    def by_replicate(self, weights, *operands):
        sums = sum_by_replicate(weights, list(self.columns(operands)))
        count = lambda: sum_by_replicate(weights, [jnp.ones(weights.shape[1:], bool)])[0]
        return self._plus(operands, self.spread(sums, count))


@ft.cache
def sum_rows(blocks: tuple[Block, ...], rows: int, onto: bool) -> SumRows:
    return made(SumRows(blocks, rows, onto))


def _joined(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else jnp.concatenate(arrays, axis=-1)


# Up to so many groups are summed under a mask each: a scatter costs as much for one as for many.
_FEW = 8


def sum_by_group(groups: Groups, columns: list[Array]) -> list[Pair]:
    """Of each column the sums of all groups, of shape `(groups, 2, cells)`."""
    if groups.count <= _FEW:
        own = [groups.taken & (groups.group == g) for g in range(groups.count)]
        masked = [
            jnp.where(_like(mask, x), x, jnp.zeros_like(x)) for mask in own for x in columns
        ]
        sums = sum_columns(masked)
        each = [sums[i :: len(columns)] for i in range(len(columns))]
        return [jnp.stack(x) for x in each]
    # One scatter for all that is counted, and one for all that is summed.
    found: list[Any] = [None] * len(columns)
    for counted in (True, False):
        which = [i for i, x in enumerate(columns) if (x.dtype == jnp.bool_) is counted]
        if which:
            sums = _scattered(groups, [columns[i] for i in which], counted)
            for i, x in zip(which, sums, strict=True):
                found[i] = x
    return found


def _like(mask: Array, x: Array) -> Array:
    return mask.reshape(mask.shape + (1,) * (x.ndim - 1))


def _scattered(groups: Groups, columns: list[Array], counted: bool) -> list[Pair]:
    widths = [math.prod(x.shape[1:]) for x in columns]
    width, rows = sum(widths), columns[0].shape[0]
    group, taken = groups.group, groups.taken
    # Column after column and not row after row: so they lie side by side.
    flat = [x.reshape(rows, w).T for x, w in zip(columns, widths, strict=True)]
    place = jnp.arange(width, dtype=jnp.int32)
    index = (group[None, :] * jnp.int32(width) + place[:, None]).ravel()
    cells = jnp.zeros((2, groups.count * width), jnp.float32)
    if counted:
        hits = jnp.concatenate(flat) & taken[None]
        cells = add_rows(cells, index, hits.ravel())
    else:
        pairs = jnp.concatenate([_pairs(x) for x in flat], axis=1).reshape(2, -1)
        every = jnp.broadcast_to(taken[None], (width, rows)).ravel()
        cells = add_values(cells, index, pairs, every)
    sums = jnp.moveaxis(cells.reshape(2, groups.count, width), 0, 1)
    out, start = [], 0
    for w in widths:
        out.append(sums[..., start : start + w])
        start += w
    return out


def _pairs(x: Array) -> Pair:
    """Numbers of any kind as pairs."""
    if jnp.issubdtype(x.dtype, jnp.integer) and x.dtype.itemsize >= 4:
        return from_integer(x)
    return lift(x.astype(jnp.float32))


def sum_by_replicate(weights: Float32[Array, "samples rows"], columns: list[Array]) -> list[Pair]:
    """Of each column the sums under the weights of each replicate, of shape `(samples, 2, cells)`.

    A count below 2^24 is exact in a float, and so is a product of counts.
    """
    samples, out = weights.shape[0], []
    for x in columns:
        flat = x.reshape(x.shape[0], math.prod(x.shape[1:]))
        if x.dtype == jnp.bool_:
            counts = jnp.dot(weights, flat.astype(jnp.float32), precision="highest")
            out.append(jnp.stack([counts, jnp.zeros_like(counts)], axis=1))
            continue
        w, total = weights.T[:, :, None], None
        high, low = _pairs(flat)
        # A row of weight 0 isn't there, and may be infinite.
        products = [jnp.where(w > 0, y[:, None, :] * w, 0) for y in (high, low)]
        if not jnp.issubdtype(x.dtype, jnp.integer):
            products = products[:1]
        for y in sum_columns(products):
            total = y if total is None else add(total, y)
        assert total is not None
        out.append(jnp.moveaxis(total.reshape(2, samples, -1), 0, 1))
    return out


# ---- counts and sums in the cells that each row names


class AddCells(AbstractOperation):
    """`add_cells(pairs, index, values)`: each row adds `values`, of shape `(rows, places)`, to the
    cells that `index` of the same shape says. Values as columns; where one is 0 the index may be
    anything."""

    operands = "state", "rows"
    results = ("state",)

    def typed(self, *operands):
        return operands[:1]

    def alone(self, pairs, index, values):
        return (_to_cells(pairs, index, values),)

    @classmethod
    def together(cls, many):
        return [op.alone(*operands) for op, operands in many]

    def by_group(self, groups, pairs, index, values):
        stack, _, cells = pairs.shape
        flat = jnp.moveaxis(pairs, 0, 1).reshape(2, stack * cells)
        values = jnp.where(groups.taken[:, None], values, jnp.zeros_like(values))
        own = jnp.where(groups.taken, groups.group, 0)[:, None] * jnp.int32(cells) + index
        new = _to_cells(flat, jnp.where(values != 0, own, 0), values)
        return (jnp.moveaxis(new.reshape(2, stack, cells), 1, 0),)

    def by_replicate(self, weights, pairs, index, values):
        if values.dtype == jnp.bool_ and values.shape[0] * pairs.shape[-1] <= _AT_ONCE:
            place = jnp.arange(pairs.shape[-1], dtype=jnp.int32)
            hits = [v[:, None] & (i[:, None] == place) for v, i in zip(values.T, index.T, strict=True)]
            each = [sum_by_replicate(weights, [hit])[0] for hit in hits]
            new = jnp.moveaxis(pairs, 1, 0)
            for x in each:
                new = add(new, jnp.moveaxis(x, 1, 0))
            return (jnp.moveaxis(new, 0, 1),)

        def one(both):
            old, w = both
            product = jnp.where(w[:, None] > 0, values.astype(jnp.float32) * w[:, None], 0)
            return _to_cells(old, index, product)

        size = max(1, min(len(weights), _AT_ONCE // max(index.size, 1)))
        return (lax.map(one, (pairs, weights), batch_size=size),)


_AT_ONCE = 2**22


def _to_cells(pairs: Pair, index: Array, values: Array) -> Pair:
    # Place after place and not row after row: so they were put side by side.
    index, values = index.T.ravel(), values.T
    if values.dtype == jnp.bool_:
        return add_rows(pairs, index, values.ravel())
    if jnp.issubdtype(values.dtype, jnp.floating):
        return add_weights(pairs, index, values.astype(jnp.float32).ravel())
    both = _pairs(values.ravel())
    return add_values(pairs, index, both, both[0] != 0)


ADD_CELLS = made(AddCells())


# ---- deviations from a pivot


class Deviate(AbstractOperation):
    """`deviate(x)` or `deviate(x, weights)` gives the deviations of `x`, of shape `(rows, *shape)`,
    from a pivot near its weighted mean, the pivot, and the pivot beside each row. Rows of weight 0
    may hold anything. Those of integers are exact.

    The pivot is a constant to `grad`: no value depends on the choice of it.
    """

    operands = ("rows",)
    results = "rows", "state", "rows"

    def typed(self, x, *weights):
        x = x.astype(jnp.float32)
        return x, jnp.sum(x, axis=0), x

    def alone(self, *operands):
        return self.together([(self, list(operands))])[0]

    @classmethod
    def together(cls, many):
        whole = SideBySide([_times(*operands) for _, operands in many])
        totals = whole.each(lambda x, axis: jnp.sum(x, axis=axis))
        weights = {id(w): w for _, (_, *each) in many for w in each}
        counts = {key: jnp.sum(w, dtype=jnp.float32) for key, w in weights.items()}
        means = [
            total / (counts[id(each[0])] if each else jnp.float32(max(x.shape[0], 1)))
            for (_, (x, *each)), total in zip(many, totals, strict=True)
        ]
        pivots, start, out = _pivot(_joined(means)), 0, []
        for _, (x, *_) in many:
            size = math.prod(x.shape[1:])
            pivot = pivots[start : start + size].reshape(x.shape[1:])
            beside = jnp.broadcast_to(pivot, x.shape)
            out.append((minus(x, beside), pivot, beside))
            start += size
        return out

    def by_group(self, groups, x, *weights):
        rows, size = x.shape[0], math.prod(x.shape[1:])
        w = groups.taken.astype(jnp.float32)
        for each in weights:
            w = jnp.where(groups.taken, each.astype(jnp.float32), 0)
        both = [_times(x, w).reshape(rows, size), w[:, None]]
        sums = jnp.zeros((groups.count, size + 1), jnp.float32)
        sums = sums.at[groups.group].add(jnp.concatenate(both, axis=1))
        pivot = _pivot(sums[:, :-1] / sums[:, -1:]).reshape(groups.count, *x.shape[1:])
        beside = pivot.at[groups.group].get(mode="promise_in_bounds")
        return minus(x, beside), pivot, beside

    def by_replicate(self, weights, *operands):
        # Any pivot will do, and one for all leaves the deviations alone.
        d, pivot, beside = self.alone(*operands)
        return d, jnp.broadcast_to(pivot[None], (weights.shape[0], *pivot.shape)), beside


def _times(x: Array, *weights: Array) -> Array:
    x = x.astype(jnp.float32)
    for each in weights:
        w = _like(each, x)
        x = jnp.where(w > 0, x * w.astype(jnp.float32), 0)
    return x


def _pivot(mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """A mean of few digits: what is left of values near it has few, too."""
    return lax.stop_gradient(settled(jnp.where(jnp.isfinite(mean), mean, 0)))


DEVIATE = made(Deviate())


# ---- the largest


class MaxRows(AbstractOperation):
    """`max_rows(sign, nan)(old, x)` or `(old, x, mask)`: the largest of the old values and of those
    of the rows, times a sign. `x` has shape `(rows, *shape)`, `old` has `shape`; -inf is none.

    **Arguments:**

    - `sign`: 1, or -1 for the largest of the opposites.
    - `nan`: whether NaN is larger than any number, or isn't there.
    """

    operands = "state", "rows"
    results = ("state",)

    def __init__(self, sign: int, nan: bool):
        self.sign, self.nan = sign, nan

    def seen(self, x: Array) -> Array:
        x = x if self.sign > 0 else -x
        return x if self.nan else jnp.where(jnp.isnan(x), -jnp.inf, x)

    def typed(self, *operands):
        return operands[:1]

    def alone(self, *operands):
        return self.together([(self, list(operands))])[0]

    @classmethod
    def together(cls, many):
        # What is joined is the rows as they are; what becomes of them is one step for all.
        found: dict[int, Array] = {}
        for op in {op for op, _ in many}:
            which = [i for i, (each, _) in enumerate(many) if each is op]
            rows = SideBySide([_only(*many[i][1][1:], none=-op.sign * jnp.inf) for i in which])
            largest = rows.each(lambda x, axis, op=op: MAX.of_rows(op.seen(x), axis))
            found.update(zip(which, largest, strict=True))
        olds = [old for _, (old, *_) in many]
        news = _joined([found[i] for i in range(len(many))])
        (merged,) = MAX.merge((_joined([old.ravel() for old in olds]),), (news,))
        start, out = 0, []
        for old in olds:
            out.append((merged[start : start + old.size].reshape(old.shape),))
            start += old.size
        return out

    def by_group(self, groups, old, *rows):
        x = self.seen(_only(*rows, groups.taken, none=-self.sign * jnp.inf))
        return MAX.merge((old,), (MAX.of_groups(x, groups.group, groups.count),))

    def by_replicate(self, weights, old, *rows):
        x = self.seen(_only(*rows, none=-self.sign * jnp.inf))
        most = jax.vmap(lambda w: MAX.of_rows(_only(x, w > 0, none=-jnp.inf)))(weights)
        return MAX.merge((old,), (most,))


def _only(x: Array, *masks: Array, none: float) -> Array:
    for mask in masks:
        x = jnp.where(_like(mask, x), x, none)
    return x


@ft.cache
def max_rows(sign: int, nan: bool) -> MaxRows:
    return made(MaxRows(sign, nan))
