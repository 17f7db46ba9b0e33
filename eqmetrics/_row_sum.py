"""Metrics that are sums over rows. What a row adds is written once; the update follows from
it, and so does the update of a thousand groups in one pass."""

import functools as ft
import math
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, Shaped

from ._cells import add_rows, add_values, add_weights
from ._checks import nearest
from ._field import layout
from ._metric import Metric
from ._reduction import EXACT_SUM
from ._reduction.pair import add, from_integer, fused, lift, Pair
from ._rows import Rows, weighted_sum


class Part(NamedTuple):
    """What rows add to a state array of pairs, of shape `(2, *cells)`.

    **Arguments:**

    - `values`: of shape `(rows, *cells)`; a boolean counts.
    - `mask`: of shape `(rows,)`; rows outside of it add nothing, whatever they hold.
    - `weights`: of shape `(rows,)`, not negative; they multiply the values.
    - `at`: which of the flattened cells each row adds to, in range, of shape
        `(rows, places)`; `values` then have that shape. Without it a row adds to every cell.
    """

    values: Shaped[Array, "rows ..."]
    mask: Bool[Array, "rows"] | None = None
    weights: Float32[Array, "rows"] | None = None
    at: Int32[Array, "rows places"] | None = None


Parts = Mapping[str, Part | tuple[Part, ...] | None]
"""What the rows of a batch add to each state array, by its name."""

_M = TypeVar("_M", bound="AbstractRowSum")
_P = ParamSpec("_P")


def total_of(batch: Rows) -> Part:
    return Part(batch.values, batch.mask, batch.weights)


def weight_of(batch: Rows) -> Part:
    if batch.weights is not None:
        return Part(batch.weights, batch.mask)
    if batch.mask is not None:
        return Part(batch.mask)
    return Part(jnp.ones(batch.values.shape[0], bool))


def invalid_of(batch: Rows) -> Part | None:
    return None if batch.invalid is None else Part(batch.invalid)


class AbstractRowSum(Metric):
    """A metric whose state is a sum over rows: each array is declared with
    `eqm.state(reduce=eqm.exact_sum)`, and what a row adds depends on that row alone.

    Its `update` says what the rows add, by the names of the arrays, and
    [`eqmetrics.row_sum`][] makes it one: so [`eqmetrics.PerGroup`][] can add the rows of all
    groups in one pass.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        from jaxtyping import Array, Bool, Float, Float32

        class MeanSquare(eqm.AbstractRowSum):
            total: Float32[Array, "2"] = eqm.state(reduce=eqm.exact_sum)
            count: Float32[Array, "2"] = eqm.state(reduce=eqm.exact_sum)

            def __init__(self):
                self.total, self.count = jnp.zeros(2), jnp.zeros(2)

            @eqm.row_sum
            def update(
                self, values: Float[Array, "rows"], *, mask: Bool[Array, "rows"] | None = None
            ) -> eqm.Parts:
                ones = jnp.ones(values.shape, bool)
                return {"total": eqm.Part(values**2, mask), "count": eqm.Part(ones, mask)}

            def compute(self) -> Float[Array, ""]:
                return self.total.sum() / self.count.sum()

        groups = eqm.PerGroup(MeanSquare(), 2)
        value = groups(values=jnp.array([1.0, 3.0, 5.0]), group=jnp.array([0, 1, 1]))
        assert value.tolist() == [1.0, 17.0]
        ```
    """


def row_sum(parts: Callable[Concatenate[_M, _P], Parts]) -> Callable[Concatenate[_M, _P], _M]:
    """Makes an `update` of a function that says what the rows add to each state array, by its
    name: an [`eqmetrics.Part`][], several in a tuple as the last axis of the array, or `None`
    for nothing."""

    @ft.wraps(parts)
    def update(self: _M, *args: _P.args, **kwargs: _P.kwargs) -> _M:
        return self.replace(**_updated(self, args, kwargs))

    vars(update)["parts"] = parts
    return update


def check_parts(metric: AbstractRowSum) -> Callable[..., Parts]:
    """The function that says what the rows add, or an error."""
    parts = vars(type(metric).update).get("parts")
    if parts is None:
        raise TypeError(
            f"`{type(metric).__qualname__}` is an `AbstractRowSum`, and its `update` doesn't say "
            "what the rows add. Let it return them, and decorate it: `@eqm.row_sum`."
        )
    return parts


def parts_of(metric: AbstractRowSum, *args: Any, **kwargs: Any) -> Parts:
    found = check_parts(metric)(metric, *args, **kwargs)
    cls, sizes = type(metric).__qualname__, {name: shape for name, shape, _ in metric._built}
    sums = [n for r, names in layout(type(metric)).groups if r is EXACT_SUM for n in names]
    for name, part in found.items():
        if name not in sums:
            raise TypeError(
                f"`{cls}.update` gives a part for `{name}`; rows add to what is declared with "
                f"`eqm.state(reduce=eqm.exact_sum)`: {', '.join(sums)}.{nearest(name, sums)}"
            )
        what, cells = f"`{cls}.update`: the part `{name}`", sizes[name][1:]
        if isinstance(part, Part):
            _check_part(what, part, cells)
        elif part is not None:
            for each in part:
                _check_part(what, each, cells[:-1])
    return found


def _check_part(what: str, part: Part, cells: tuple[int, ...]) -> None:
    """Arrays of other shapes would be broadcast."""
    rows = part.values.shape[0]
    wanted = (rows, *cells) if part.at is None else part.at.shape
    if part.values.shape != wanted:
        raise TypeError(
            f"{what} has values of shape {part.values.shape}, expected "
            + (f"(rows, *{cells})." if part.at is None else f"{wanted}, that of `at`.")
        )
    for name, x in (("mask", part.mask), ("weights", part.weights)):
        if x is not None and x.shape != (rows,):
            raise TypeError(f"{what} has a {name} of shape {x.shape}, expected ({rows},).")


@fused
def _updated(metric: AbstractRowSum, args: Any, kwargs: Any) -> dict[str, Array]:
    parts = parts_of(metric, *args, **kwargs)
    # Unchanged arrays go through too: a buffer that the old metric has as well must not be
    # donated with the new one.
    return {n: _plus(getattr(metric, n), p) for n, p in parts.items()}


def _plus(cells: Pair, part: Part | tuple[Part, ...] | None) -> Pair:
    if part is None:
        return cells
    if not isinstance(part, Part):
        return add(cells, jnp.stack([_total(p) for p in part], axis=-1))
    if part.at is None:
        return add(cells, _total(part))
    return _scattered(cells.reshape(2, -1), part.at, part).reshape(cells.shape)


def _total(part: Part) -> Pair:
    assert part.at is None
    return weighted_sum(part.values, part.mask, part.weights)


def _scattered(cells: Float32[Array, "2 cells"], index: Array, part: Part) -> Pair:
    values = part.values.reshape(index.shape)
    taken = jnp.ones(index.shape, bool)
    if part.mask is not None:
        taken &= part.mask[:, None]
    integers = jnp.issubdtype(values.dtype, jnp.integer)
    # Place after place and not row after row: so they were put side by side.
    if values.dtype == jnp.bool_:
        taken, index = (taken & values).T, index.T.ravel()
        if part.weights is None:
            return add_rows(cells, index, taken.ravel())
        each = part.weights
        if values.shape[1] <= 8:
            # XLA's CPU keeps what is concatenated, and computes the rest anew in each scatter.
            places = [jnp.where(row, each, 0) for row in taken]
            return add_weights(cells, index, jnp.concatenate(places))
        return add_weights(cells, index, jnp.where(taken, each[None, :], 0).ravel())
    pairs = from_integer(values) if integers else lift(values.astype(jnp.float32))
    if part.weights is not None:
        pairs = pairs * part.weights[None, :, None]
    pairs = jnp.swapaxes(pairs, 1, 2).reshape(2, -1)
    return add_values(cells, index.T.ravel(), pairs, taken.T.ravel())


def plus_by_group(
    cells: Float32[Array, "2 groups ..."],
    part: Part | tuple[Part, ...],
    group: Int32[Array, "rows"],
    taken: Bool[Array, "rows"],
) -> Float32[Array, "2 groups ..."]:
    """The arrays of all groups, with what the rows that are taken add to that of their own."""
    if not isinstance(part, Part):
        each = [plus_by_group(cells[..., i], p, group, taken) for i, p in enumerate(part)]
        return jnp.stack(each, axis=-1)
    group, taken = (_as_rows(x, part) for x in (group, taken))
    size = math.prod(cells.shape[2:])
    at = jnp.arange(size, dtype=jnp.int32)[None, :] if part.at is None else part.at
    part = part._replace(mask=taken if part.mask is None else part.mask & taken)
    new = _scattered(cells.reshape(2, -1), (group * size)[:, None] + at, part)
    return new.reshape(cells.shape)


def _as_rows(x: Array, part: Part) -> Array:
    """For each of the rows of a part, which may have more axes than what says their group."""
    rows = part.values.shape[0]
    if rows == x.shape[0]:
        return x
    if x.shape[0] == 0 or rows % x.shape[0]:
        raise TypeError(f"There are {x.shape[0]} groups for {rows} rows: each row has one.")
    return jnp.repeat(x, rows // x.shape[0], total_repeat_length=rows)
