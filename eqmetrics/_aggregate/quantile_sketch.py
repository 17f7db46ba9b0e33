"""Counts of values in two layouts of cells. The cells of the first are the leading bits of a float:
narrow relative to the value. Those of the second have equal width, a power of two that follows from
the smallest and the largest value: narrow relative to the range, at any offset."""

import functools as ft
from typing import final, NamedTuple, Self

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.readout import AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import AbstractReduction, EXACT_SUM
from .._reduction.extremum import MAX
from .._reduction.limbs import bound, exponent
from .._reduction.pair import add, from_integer, inlined, is_wide, Pair, to_float
from .._rows.cells import add_rows, add_weights
from .._rows.rows import Rows, rows


BITS, WIDTH = 17, 15
LINEAR = 2**WIDTH + 2


class Grid(NamedTuple):
    """Equal cells of width `bound(exponent)`; the first begins at `base` times that."""

    exponent: Int32[Array, ""]
    base: Int32[Array, ""]


def grid(ends: Float32[Array, "2"]) -> Grid:
    """The grid for these ends, the largest value and the largest opposite. Its cells are at most
    2^-14 of the range wide, and no narrower than the spacing of floats."""
    some = ends[0] >= -ends[1]
    high, low = jnp.where(some, ends[0], 0), jnp.where(some, -ends[1], 0)
    by_range = exponent(high / 2 - low / 2) + 1 - WIDTH
    by_size = exponent(jnp.maximum(jnp.abs(high), jnp.abs(low))) - 24
    width = jnp.maximum(by_range, by_size)
    return Grid(width, jnp.floor(low / bound(width)).astype(jnp.int32))


def _running(x: Array) -> tuple[Pair, Pair]:
    """The total over the first axis of `(steps, 2, *)`, and the sums up to each step."""
    step = lambda total, new: ((total := add(total, new)), total)
    # Zeros that vary over the devices where `x` does: `shard_map` requires it of a carry.
    return lax.scan(step, jnp.where(x[0] == 0, x[0], 0), x)


def accumulate(cells: Pair) -> Pair:
    """The running sums of an array of pairs: of blocks side by side, and then of their totals. An
    associative scan takes seconds to compile."""
    count, size = cells.shape[1], 256
    padded = jnp.pad(cells, ((0, 0), (0, -count % size)))
    totals, inner = _running(jnp.moveaxis(padded.reshape(2, -1, size), 2, 0))
    _, outer = _running(totals.T)
    before = jnp.concatenate([jnp.zeros((2, 1), jnp.float32), outer.T[:, :-1]], axis=1)
    inner = jnp.moveaxis(inner, 0, 2)
    sums = add(inner, jnp.broadcast_to(before[:, :, None], inner.shape))
    return sums.reshape(2, -1)[:, :count]


def _moved(cells: Pair, old: Grid, new: Grid) -> Pair:
    """The cells of a grid, counted in the cells of a coarser or shifted one that contain them."""
    shift = jnp.clip(new.exponent - old.exponent, 0, 31)
    place = lax.shift_right_arithmetic(
        old.base + jnp.arange(LINEAR, dtype=jnp.int32), jnp.broadcast_to(shift, (LINEAR,))
    )
    ends = jnp.searchsorted(
        jnp.clip(place - new.base, -1, LINEAR), jnp.arange(LINEAR + 1, dtype=jnp.int32)
    )
    sums = jnp.concatenate([jnp.zeros((2, 1), jnp.float32), accumulate(cells)], axis=1)
    at = sums[:, ends]
    counts = add(at[:, 1:], -at[:, :-1])
    return jnp.where((counts[0] <= 0)[None], 0, counts)


def _kept(cells: Pair, old: Grid, new: Grid) -> Pair:
    return cells


@inlined
def on_grid(cells: Pair, ends: Array, new: Grid) -> Pair:
    old = grid(ends)
    same = (old.exponent == new.exponent) & (old.base == new.base)
    # Both branches must vary over devices alike, in `shard_map`.
    cells = jnp.where(new.base == new.base, cells, 0)
    # Empty cells stay too: they have no grid.
    return lax.cond(same | ~(ends[0] >= -ends[1]), _kept, _moved, cells, old, new)


@inlined
def _merged(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
    ends = jnp.maximum(left[0], right[0])
    new = grid(ends)
    return ends, add(on_grid(left[1], left[0], new), on_grid(right[1], right[0], new))


class _Linear(AbstractReduction):
    """Merges the ends and the cells between them."""

    def identity(self, arrays):
        ends, cells = arrays
        return jnp.full_like(ends, -jnp.inf), jnp.zeros_like(cells)

    def merge(self, left, right):
        return _merged(left, right)

    def across(self, arrays, size):
        ends, cells = arrays
        (all_ends,) = MAX.values((yield "max", MAX.keys((ends,))), (ends,))
        (total,) = yield from EXACT_SUM.across((on_grid(cells, ends, grid(all_ends)),), size)
        return all_ends, total

    def check(self, dtype):
        return EXACT_SUM.check(dtype)

    def __repr__(self):
        return "linear cells"


_LINEAR = _Linear()


def key_of(x: Float32[Array, "..."]) -> Int32[Array, "..."]:
    """Integers in the order of the floats."""
    bits = lax.bitcast_convert_type(jnp.where(x == 0, 0, x), jnp.int32)
    return jnp.where(bits < 0, bits ^ jnp.int32(0x7FFFFFFF), bits)


def of_key(key: Int32[Array, "..."]) -> Float32[Array, "..."]:
    bits = jnp.where(key < 0, key ^ jnp.int32(0x7FFFFFFF), key)
    return lax.bitcast_convert_type(bits, jnp.float32)


def _counted(cells: Pair, index: Array, batch: Rows) -> Pair:
    taken = jnp.ones(index.shape, bool) if batch.mask is None else batch.mask
    if batch.weights is None:
        return add_rows(cells, index, taken)
    return add_weights(cells, index, jnp.where(taken, batch.weights, 0))


def _ends(x: Array) -> tuple[Array, Array]:
    """The float of each value; for an integer that isn't a float, those below and above."""
    if not is_wide(x):
        x = x.astype(jnp.float32)
        return x, x
    high, low = from_integer(x)
    below, above = (jnp.nextafter(high, jnp.float32(side)) for side in (-jnp.inf, jnp.inf))
    return jnp.where(low < 0, below, high), jnp.where(low > 0, above, high)


def _some_part(batch: Rows) -> Bool[Array, ""]:
    """Whether a weight isn't whole. A float beyond 2^24 is always whole, and doesn't count as
    such."""
    if batch.weights is None:
        return jnp.zeros((), bool)
    w = batch.weights
    part = (w != jnp.floor(w)) | (w > 2.0**24)
    return jnp.any(part if batch.mask is None else part & batch.mask)


@final
class QuantileSketch(AbstractStatistic):
    """The weight of the values in each cell: the statistic that `Quantile` and `Median` read, and
    share in a `MetricDict`. It merges exactly, in any order.

    The gradient is 0: the state has only the cells of the values.
    State: 327 688 floats (1.3 MB), the counts of cells 0.39 % of the value wide and of cells 6.1e-5
    of the range wide; and a boolean, whether a weight wasn't whole. Undefined when: never. Values
    that aren't finite, and negative weights, are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        sketch = eqm.QuantileSketch()(jnp.array([1.0, 3.0, 2.0]))
        assert sketch == {"weight": 3.0, "smallest": 1.0, "largest": 3.0}
        ```
    """

    bits: Float32[Array, "2 cells"] = state(reduce=EXACT_SUM)
    ends: Float32[Array, "2"] = state(reduce=_LINEAR)  # the largest value, and of the opposites
    linear: Float32[Array, "2 others"] = state(reduce=_LINEAR)
    parts: Bool[Array, ""] = state(reduce="max")  # whether a weight wasn't whole
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="finite values, weights >= 0 and finite"
    )

    def __init__(self):
        self.bits = jnp.zeros((2, 2**BITS), jnp.float32)
        self.ends = jnp.full(2, -jnp.inf, jnp.float32)
        self.linear = jnp.zeros((2, LINEAR), jnp.float32)
        self.parts = jnp.zeros((), jnp.bool_)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        batch = rows(values, mask, weights)
        # No gradient: the cell of a value doesn't say where it lies, and that of the ends alone
        # would be wrong, not 0.
        x, above = _ends(lax.stop_gradient(batch.values))
        batch = batch.without(~jnp.isfinite(x))
        assert batch.mask is not None
        x = jnp.where(batch.mask, x, 0)
        index = lax.shift_right_arithmetic(key_of(x), jnp.full(x.shape, 32 - BITS, jnp.int32))
        both = jnp.where(batch.mask[None], jnp.stack([above, -x]), -jnp.inf)
        ends = jnp.maximum(self.ends, jnp.max(both, axis=1, initial=-jnp.inf))
        new = grid(ends)
        place = jnp.floor(x / bound(new.exponent)).astype(jnp.int32) - new.base
        linear = on_grid(self.linear, self.ends, new)
        return self.replace(
            bits=_counted(self.bits, index + 2 ** (BITS - 1), batch),
            ends=ends,
            linear=_counted(linear, jnp.clip(place, 0, LINEAR - 1), batch),
            parts=self.parts | _some_part(batch),
            invalid=plus_invalid(self.invalid, batch),
        )

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict of scalars: `weight`, and the `smallest` and `largest` value, NaN if there is
        none."""
        some = self.ends[0] >= -self.ends[1]
        return {
            "weight": jnp.sum(to_float(self.linear)),
            "smallest": jnp.where(some, -self.ends[1], jnp.nan),
            "largest": jnp.where(some, self.ends[0], jnp.nan),
        }


class Cells(NamedTuple):
    """The weights of several sketches in the same cells, and what the values of a cell lie between:
    for empty cells too these are in order, and within the range of all values."""

    weights: list[Pair]
    low: Float32[Array, "cells"]
    high: Float32[Array, "cells"]


def layouts(*sketches: QuantileSketch) -> tuple[Cells, Cells]:
    """Both layouts, common to several sketches."""
    ends = ft.reduce(jnp.maximum, [s.ends for s in sketches])
    # Without values all cells have the width 0, and don't reach from infinity to infinity.
    smallest, largest = (jnp.where(jnp.isfinite(x), x, 0) for x in (-ends[1], ends[0]))
    g, width = grid(ends), bound(grid(ends).exponent)
    place = (g.base + jnp.arange(LINEAR, dtype=jnp.int32)).astype(jnp.float32)
    linear = [on_grid(s.linear, s.ends, g) for s in sketches]
    first = (jnp.arange(2**BITS, dtype=jnp.int32) - 2 ** (BITS - 1)) << (32 - BITS)
    last = first + (2 ** (32 - BITS) - 1)

    def inside(x: Array, key: Array) -> Array:
        # Beyond infinity there are the bits of NaN.
        x = jnp.where(jnp.isnan(x), jnp.where(key < 0, smallest, largest), x)
        return jnp.clip(x, smallest, largest)

    return (
        Cells(linear, *(jnp.clip(x * width, smallest, largest) for x in (place, place + 1))),
        Cells([s.bits for s in sketches], *(inside(of_key(k), k) for k in (first, last))),
    )


def _place(sums: Pair, rank: Pair) -> Int32[Array, "ranks"]:
    """The cell of the row of each rank, of shape `(2, ranks)`: the first whose running sum is
    larger."""
    rest = add(sums[:, None, :], jnp.broadcast_to(-rank[:, :, None], (*rank.shape, sums.shape[1])))
    return jnp.sum(rest[0] <= 0, axis=1, dtype=jnp.int32)


@jax.jit
def bracket(sketch: QuantileSketch, rank: Pair) -> tuple[Array, Array]:
    """Bounds of the order statistics at these ranks, which are pairs of shape `(2, ranks)`."""
    cell = _place(accumulate(sketch.bits), rank)
    first = (jnp.clip(cell, 0, 2**BITS - 1) - 2 ** (BITS - 1)) << (32 - BITS)
    low, high = of_key(first), of_key(first + (2 ** (32 - BITS) - 1))
    g = grid(sketch.ends)
    width = bound(g.exponent)
    place = _place(accumulate(sketch.linear), rank) + g.base
    low = jnp.maximum(low, place.astype(jnp.float32) * width)
    high = jnp.minimum(high, (place + 1).astype(jnp.float32) * width)
    smallest, largest = -sketch.ends[1], sketch.ends[0]
    return jnp.clip(low, smallest, largest), jnp.clip(high, smallest, largest)
