import functools as ft
import math
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float32, Shaped

from .._reduction.pair import add, from_integer, Pair, two_sum
from .operation import AbstractOperation, of_each, register
from .side_by_side import joined
from .sum_apart import sum_by_group, sum_by_replicate
from .sum_columns import as_pairs, sum_columns


Block = tuple[int, Literal["column", "rows", "nothing"]]


class SumRows(AbstractOperation):
    """`sum_rows(blocks, rows, onto)(*columns)`: the sums over the rows as pairs of shape
    `(2, cells)`. With `onto=True` the first operand are pairs to which they are added.

    A column has shape `(rows, *shape)` and is added to as many cells as `shape` has entries.
    Booleans count, integers are added exactly, floats are compensated; a row that is left out must
    contain 0.

    **Arguments:**

    - `blocks`: for each block of cells their number, and what is added to them: a `"column"`,
        `"rows"` (each row adds 1), or `"nothing"`.
    - `rows`: the number of rows.
    - `onto`: whether the first operand are pairs to add to.
    """

    results = ("state",)
    last = True

    def __init__(self, blocks: tuple[Block, ...], rows: int, onto: bool):
        self.blocks, self.rows, self.onto = blocks, rows, onto
        self.operands = ("state", "rows") if onto else ("rows",)
        self.cells = sum(width for width, _ in blocks)

    def placeholder(self, *operands):
        return operands[:1] if self.onto else (jnp.zeros((2, self.cells), jnp.float32),)

    def columns(self, operands: Any) -> Any:
        return operands[1:] if self.onto else operands

    def spread(self, sums: Any, count: Any) -> Pair:
        """The sums of all blocks in order, of shape `(*stack, 2, cells)`. `sums` are those of the
        columns; `count` returns the number of rows as a pair of shape `(*stack, 2, 1)`."""
        found, each, like = iter(sums), [], count()
        for width, what in self.blocks:
            if what == "column":
                each.append(next(found))
            else:
                none = jnp.zeros((*like.shape[:-1], width), jnp.float32)
                each.append(like if what == "rows" else none)
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
        # Counts of invalid rows come last, as in the packed array of a collection, so that the
        # result is one slice of it.
        onto = [i for i, (op, _) in enumerate(many) if op.onto]
        onto.sort(key=lambda i: many[i][0].blocks == ((1, "column"),))
        if onto:
            olds = [many[i][1][0] for i in onto]
            whole, start = add(joined(olds), joined([news[i] for i in onto])), 0
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

    def by_row(self, rows, *operands):
        sums = [_of_rows(of_each(x, rows)) for x in self.columns(operands)]
        each = self.rows // max(rows, 1)
        count = lambda: jnp.broadcast_to(jnp.array([[each], [0]], jnp.float32), (rows, 2, 1))
        new = self.spread(sums, count)
        if not self.onto:
            return (new,)
        old = operands[0]
        high, rest = two_sum(old[:, 0], new[:, 0])
        return (jnp.stack([high, rest + old[:, 1] + new[:, 1]], axis=1),)


def _of_rows(x: Shaped[Array, "rows many ..."]) -> Float32[Array, "rows 2 cells"]:
    x = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    if x.dtype == jnp.bool_ or x.shape[1] != 1:
        high = jnp.sum(x.astype(jnp.float32), axis=1)
        return jnp.stack([high, jnp.zeros_like(high)], axis=1)
    return jnp.moveaxis(as_pairs(x[:, 0]), 0, 1)


@ft.cache
def sum_rows(blocks: tuple[Block, ...], rows: int, onto: bool) -> SumRows:
    return register(SumRows(blocks, rows, onto))
