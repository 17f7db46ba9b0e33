"""The accumulator of nearly every metric: named sums over rows."""

import math
from collections.abc import Sequence
from typing import Any, final, overload, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.field import state
from .._metric.messages import describe, nearest
from .._metric.metric import AbstractAccumulator
from .._reduction import EXACT_SUM
from .._reduction.pair import add, from_integer, Pair, to_float
from .._rows.rows import as_column, Rows, trailing
from .operations import ADD_CELLS, Block, sum_rows


_LEAST = 2.0**-126  # the smallest normal float


def weight_column(batch: Rows) -> list[Array]:
    """The weight of each row, as a list of one column; an empty list if every weight is 1."""
    weight = batch.mask if batch.weights is None else batch.weights
    return [] if weight is None else [weight]


def column(x: Any, batch: Rows) -> list[Array]:
    """The terms of a sum, of shape `(rows, ...)`: 0 for a masked row, else times its weight. A
    second array follows if a float doesn't hold them."""
    mask = None if batch.mask is None else as_column(batch.mask, x)
    if batch.weights is None:
        return [x if mask is None else jnp.where(mask, x, jnp.zeros_like(x))]
    weights = as_column(batch.weights, x)
    if x.dtype == jnp.bool_:
        return [jnp.where(x if mask is None else x & mask, weights, 0)]
    low = None
    if jnp.issubdtype(x.dtype, jnp.integer) and x.dtype.itemsize >= 4:
        high, low = from_integer(x)
    else:
        high = x.astype(jnp.float32)
    product = high * weights
    # A product that underflows becomes the smallest normal float, so that it differs from 0, such
    # as the square of a tiny number.
    lost = (product == 0) & (high != 0) & (weights != 0)
    product = jnp.where(lost, jnp.where(high < 0, -_LEAST, _LEAST).astype(jnp.float32), product)
    products = [product] if low is None else [product, low * weights]
    return products if mask is None else [jnp.where(mask, p, 0) for p in products]


def plus_count(count: Pair, hits: Bool[Array, "rows"]) -> Pair:
    """A count plus the number of `True` rows."""
    (new,) = sum_rows(((1, "column"),), hits.shape[0], True)(count[:, None], hits)
    return new[:, 0]


def plus_invalid(count: Pair, batch: Rows) -> Pair:
    """A count of invalid rows plus those of this batch."""
    return count if batch.invalid is None else plus_count(count, batch.invalid)


@final
class Sums(AbstractAccumulator):
    """Named sums over rows, and the count of invalid rows: the state of a metric that is a function
    of sums. Each sum is as accurate as `math.fsum`.

    A metric whose state consists of accumulators reads each row once, however many groups
    ([`eqmetrics.PerGroup`][]) or replicates ([`eqmetrics.Bootstrap`][]) there are, and shares one
    pass with the other metrics of a [`eqmetrics.MetricDict`][].

    **Arguments:**

    - `valid`: which rows are valid, in words: `"labels in [0, 10)"`.
    - `shapes`: the name of each sum, and its shape: `loss=()`, `hits=10`.

    State: two floats for each number, and 2 for the invalid rows. Undefined when: never; an empty
    sum is 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        batch = eqm.rows(jnp.array([1.0, 3.0]))
        sums = eqm.Sums(total=(), weight=()).add(batch, total=batch.values, weight=1)
        assert sums.read("total", "weight") == (4.0, 2.0)
        ```
    """

    valid: str = eqx.field(static=True)
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = eqx.field(static=True)
    pairs: Float32[Array, "2 cells"] = state(reduce=EXACT_SUM)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.valid}")

    def __init__(self, valid: str = "weights >= 0 and finite", /, **shapes: int | Sequence[int]):
        self.valid = valid
        self.shapes = tuple((name, trailing(shape)) for name, shape in shapes.items())
        size = sum(math.prod(shape) for _, shape in self.shapes)
        self.pairs = jnp.zeros((2, size), jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def add(self, batch: Rows, **what: Any) -> Self:
        """Adds the terms of each row that isn't masked, times its weight. The terms of a sum have
        shape `(rows, *shape)`; booleans count, and 1 stands for the weight itself. A sum that isn't
        named doesn't change."""
        self._check_names(what)
        count = batch.values.shape[0]
        blocks: list[Block] = []
        columns: list[list[Array]] = []
        for name, shape in self.shapes:
            width = math.prod(shape)
            x = what.get(name)
            if isinstance(x, int) and shape == ():
                columns.append(weight_column(batch))
                blocks.append((1, "column" if columns[-1] else "rows"))
                continue
            blocks.append((width, "nothing" if x is None else "column"))
            columns.append([])
            if x is not None:
                if jnp.shape(x) != (count, *shape):
                    raise TypeError(
                        f"`Sums.add`: `{name}` is {describe(x)}, expected {(count, *shape)}: what "
                        "each of the rows adds."
                    )
                columns[-1] = column(x, batch)
        (new,) = sum_rows(tuple(blocks), count, True)(self.pairs, *(c[0] for c in columns if c))
        if any(len(c) > 1 for c in columns):
            # The second column of terms that a float doesn't hold is then added to the same cells.
            rest = tuple(
                (width, "column" if len(c) > 1 else "nothing")
                for (width, _), c in zip(blocks, columns, strict=True)
            )
            (new,) = sum_rows(rest, count, True)(new, *(c[1] for c in columns if len(c) > 1))
        return self.replace(pairs=new, invalid=plus_invalid(self.invalid, batch))

    def add_at(
        self, batch: Rows, name: str, index: Int32[Array, "rows places"], values: Any
    ) -> Self:
        """Adds the values of each row, of shape `(rows, places)`, times the weight of the row, to
        the entries of one sum at `index`. An index must be in range, and counts the entries of the
        flattened sum."""
        self._check_names((name,))
        start = 0
        for known, shape in self.shapes:
            if known == name:
                break
            start += math.prod(shape)
        new = self.pairs
        for x in column(values, batch):
            (new,) = ADD_CELLS(new, index + jnp.int32(start), x)
        return self.replace(pairs=new, invalid=plus_invalid(self.invalid, batch))

    def _check_names(self, names: Any) -> None:
        known = [name for name, _ in self.shapes]
        for name in names:
            if name not in known:
                raise TypeError(
                    f"`Sums` has no sum `{name}`; there are {', '.join(known)}."
                    f"{nearest(name, known)}"
                )

    def plus(self, **pairs: Pair) -> Self:
        """Adds sums that are given as pairs, of shape `(2, *shape)`."""
        self._check_names(pairs)
        zeros = lambda shape: jnp.zeros((2, math.prod(shape)), jnp.float32)
        each = [
            pairs[name].reshape(2, -1) if name in pairs else zeros(shape)
            for name, shape in self.shapes
        ]
        return self.replace(pairs=add(self.pairs, jnp.concatenate(each, axis=1)))

    def read_from(self, larger: "Sums", **pairs: Pair) -> Self:
        """Replaces the sums by these, and the count of invalid rows by that of a larger
        statistic."""
        new = self.replace(pairs=jnp.zeros_like(self.pairs), invalid=larger.invalid)
        return new.plus(**pairs)

    def pair(self, name: str) -> Pair:
        """A sum as a pair, of shape `(2, *shape)`: high, then low."""
        self._check_names((name,))
        end = 0
        for known, shape in self.shapes:
            start, end = end, end + math.prod(shape)
            if known == name:
                return self.pairs[:, start:end].reshape(2, *shape)
        raise AssertionError(name)

    @overload
    def read(self, name: str, /) -> Array: ...
    @overload
    def read(self, name: str, other: str, /, *names: str) -> tuple[Array, ...]: ...
    def read(self, *names: str) -> Any:
        """The float32 nearest to each sum: one array, or a tuple of several."""
        found = tuple(to_float(self.pair(name)) for name in names)
        return found[0] if len(found) == 1 else found

    def update(self) -> Self:
        raise TypeError(
            "A metric holds `Sums`, and its `update` adds to them: `self.sums.add(...)`."
        )

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """All sums by name."""
        return {name: self.read(name) for name, _ in self.shapes}
