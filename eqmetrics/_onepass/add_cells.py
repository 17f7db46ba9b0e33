import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from .._reduction.pair import add, Pair
from .._rows.cells import add_rows, add_values, add_weights
from .operation import AbstractOperation, of_each, register
from .sum_apart import sum_by_replicate
from .sum_columns import as_pairs


class AddCells(AbstractOperation):
    """`add_cells(pairs, index, values)`: each row adds `values`, of shape `(rows, places)`, to the
    cells at `index`, of the same shape. Values are as in the columns of `SumRows`; where a value is
    0 the index may be any number."""

    operands = "state", "rows"
    results = ("state",)

    def placeholder(self, *operands):
        return operands[:1]

    def alone(self, *operands):
        pairs, index, values = operands
        return (_to_cells(pairs, index, values),)

    @classmethod
    def together(cls, many):
        return [op.alone(*operands) for op, operands in many]

    def by_group(self, groups, *operands):
        pairs, index, values = operands
        stack, _, cells = pairs.shape
        flat = jnp.moveaxis(pairs, 0, 1).reshape(2, stack * cells)
        values = jnp.where(groups.taken[:, None], values, jnp.zeros_like(values))
        own = jnp.where(groups.taken, groups.group, 0)[:, None] * jnp.int32(cells) + index
        some = values if values.dtype == jnp.bool_ else values != 0
        new = _to_cells(flat, jnp.where(some, own, 0), values)
        return (jnp.moveaxis(new.reshape(2, stack, cells), 1, 0),)

    def by_replicate(self, weights, *operands):
        pairs, index, values = operands
        if values.dtype == jnp.bool_ and values.shape[0] * pairs.shape[-1] <= _AT_ONCE:
            place = jnp.arange(pairs.shape[-1], dtype=jnp.int32)
            hits = [
                v[:, None] & (i[:, None] == place[None])
                for v, i in zip(values.T, index.T, strict=True)
            ]
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

    def by_row(self, rows, *operands):
        pairs, index, values = operands
        own = jnp.arange(rows, dtype=jnp.int32)[:, None, None]
        index, values = (of_each(x, rows) for x in (index, values.astype(jnp.float32)))
        high = pairs[:, 0].at[own, index].add(values)
        return (jnp.stack([high, pairs[:, 1]], axis=1),)


_AT_ONCE = 2**22


def _to_cells(pairs: Pair, index: Array, values: Array) -> Pair:
    # Place by place, not row by row, since this is how they were put side by side.
    index, values = index.T.ravel(), values.T
    if values.dtype == jnp.bool_:
        return add_rows(pairs, index, values.ravel())
    if jnp.issubdtype(values.dtype, jnp.floating):
        return add_weights(pairs, index, values.astype(jnp.float32).ravel())
    both = as_pairs(values.ravel())
    return add_values(pairs, index, both, both[0] != 0)


ADD_CELLS = register(AddCells())
