"""Two layouts of cells for scores, and how they merge.

A score is known by its key, an integer in the order of the floats. The cells of *bits* are its
leading bits: fine near 0 at any scale. The cells of a *line* have one width, the power of 2
that makes the finite scores seen so far fit: fine around any offset. A cell of a line that is
twice as wide holds exactly two narrower ones, so both layouts are functions of the scores seen
and not of their order or batches.
"""

import functools as ft

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32

from .._metric.node import vary_like
from .._reduction.base import AbstractReduction
from .._reduction.limbs import exponent, from_limbs, to_limbs
from .._reduction.pair import add, inlined
from .._reduction.pair_sums import sum_pairs


Keys = Int32[Array, "..."]
NONE = -(2**31)  # below every key: of a cell without rows
_SIGN, _HALF, _TINY = 0x7FFFFFFF, 0x3F000000, 0x10000000  # bits of NaN, 0.5 and 2^-95
INFINITY = 0x7F800000


def keys_of(scores: Float32[Array, "..."]) -> Keys:
    """Integers in the order of the scores; 0.0 and -0.0 have one key, subnormals their own."""
    bits = lax.bitcast_convert_type(scores, jnp.int32)
    bits = jnp.where(bits << 1 == 0, 0, bits)
    return jnp.where(bits < 0, bits ^ _SIGN, bits)


def once(x: Int32[Array, "..."]) -> Int32[Array, "..."]:
    """The same integers, computed once. XLA's CPU recomputes what leads to an array in each kernel
    that reads it, and drops an `optimization_barrier` before it fuses; but it doesn't fuse a sum
    over windows, here of one entry and padding. (AUROC of ten classes, 256 rows: 360 us to
    240 us.)"""
    ones, none = (1,) * x.ndim, ((0, 0),) * x.ndim
    zero = jnp.zeros((), x.dtype)
    return lax.reduce_window(x[None], zero, lax.add, (2, *ones), (1, *ones), ((0, 1), *none))[0]


def scores_of_keys(keys: Keys) -> Float32[Array, "..."]:
    return lax.bitcast_convert_type(jnp.where(keys < 0, keys ^ _SIGN, keys), jnp.float32)


def is_finite(keys: Keys) -> Array:
    return (keys < INFINITY) & (keys > ~INFINITY)


def bit_index(keys: Keys, are_logits: bool, cells: int) -> Keys:
    resolution = cells.bit_length() - 1
    if are_logits:
        return (keys >> (32 - resolution)) + cells // 2
    # Cells near 1 are as fine as those near 0: 1 - p is exact from 0.5 on, and 0 or at least
    # 2^-24. Below 2^-95 one cell takes the place of eight, so that all fit.
    rest = lax.bitcast_convert_type(1 - scores_of_keys(keys), jnp.int32)
    keys = jnp.where(keys < _HALF, keys, jnp.minimum(2 * _HALF - rest, 150 << 23))
    fine = (keys - _TINY >> (30 - resolution)) + (_TINY >> (33 - resolution))
    return jnp.where(keys < _TINY, keys >> (33 - resolution), fine)


def infinite_bits(cells: int) -> tuple[int, int]:
    """The cells of minus and of plus infinity, among those of logits."""
    shift = 33 - cells.bit_length()
    return (~INFINITY >> shift) + cells // 2, (INFINITY >> shift) + cells // 2


# ---- the line


def _parts(keys: Keys) -> tuple[Array, Array]:
    """Integers `m` and `e` such that the score is `m * 2^(e - 150)`, also of subnormals."""
    size = jnp.where(keys < 0, keys ^ _SIGN, keys) & _SIGN
    biased = size >> 23
    m = (size & 0x7FFFFF) | jnp.where(biased > 0, 0x800000, 0)
    return jnp.where(keys < 0, -m, m), jnp.maximum(biased, 1)


def line_index(keys: Keys, e: Array) -> Keys:
    """The number of the cell of width `2^(e - 150)`: the score divided by that, rounded down.
    Exact, since `e` is at least the exponent of the largest score."""
    m, own = _parts(keys)
    return m >> jnp.clip(e - own, 0, 31)


def is_empty(extremes: Int32[Array, "2 classes"]) -> Array:
    return extremes[0] == NONE


def width(extremes: Int32[Array, "2 classes"], cells: int) -> Int32[Array, "classes"]:
    """The smallest exponent of a width with which all scores fit in the cells."""
    keys = jnp.where(is_empty(extremes)[None], 0, jnp.stack([extremes[0], ~extremes[1]]))
    least = jnp.max(_parts(keys)[1], axis=0)
    more = jnp.arange(26, dtype=jnp.int32)[:, None]
    high, low = (line_index(k[None], least[None] + more) for k in keys)
    return least + jnp.argmax(high - low < cells, axis=0).astype(jnp.int32)


def first_cell(extremes: Int32[Array, "2 classes"], e: Array) -> Keys:
    return line_index(jnp.where(is_empty(extremes), 0, ~extremes[1]), e)


def _twice_as_wide(x: Array, first: Array, join) -> Array:
    """The line with cells of twice the width. Cell `k` is at `k` modulo the number of cells."""
    cells = x.shape[-1]
    place, start = jnp.arange(cells, dtype=jnp.int32)[None, :], (first >> 1)[:, None]
    wide = start + ((place - start) & (cells - 1))
    halves = []
    for narrow in (2 * wide, 2 * wide + 1):
        inside = (narrow >= first[:, None]) & (narrow < first[:, None] + cells)
        index = jnp.broadcast_to(narrow & (cells - 1), x.shape)
        empty = NONE if x.dtype == jnp.int32 else 0
        halves.append(jnp.where(inside, jnp.take_along_axis(x, index, axis=-1), empty))
    return join(*halves)


def widened(
    extremes: Int32[Array, "2 classes"],
    to: Int32[Array, "classes"],
    counts: Float32[Array, "2 2 classes cells"],
    keys: Int32[Array, "2 classes cells"],
) -> tuple[Array, Array]:
    """A line with cells of the width `to`."""
    e = jnp.where(is_empty(extremes), to, width(extremes, counts.shape[-1]))

    def step(carry):
        e, counts, keys = carry
        first, grows = first_cell(extremes, e), e < to
        wide = _twice_as_wide(counts, first, add), _twice_as_wide(keys, first, jnp.maximum)
        both = [jnp.where(grows[:, None], x, y) for x, y in zip(wide, (counts, keys), strict=True)]
        return e + grows.astype(e.dtype), *both

    start = vary_like((e, counts, keys), (extremes, to, counts, keys))
    return lax.while_loop(lambda carry: jnp.any(carry[0] < to), step, start)[1:]


State = tuple[Array, Array, Array, Array, Array]


@inlined
def _on_one_line(arrays: State, extremes: Int32[Array, "2 classes"]) -> State:
    old, bits, bit_keys, line, line_keys = arrays
    line, line_keys = widened(old, width(extremes, line.shape[-1]), line, line_keys)
    return extremes, bits, bit_keys, line, line_keys


@inlined
def _merged(left: State, right: State) -> State:
    extremes = jnp.maximum(left[0], right[0])
    (_, *a), (_, *b) = _on_one_line(left, extremes), _on_one_line(right, extremes)
    bits, keys, line, line_keys = (
        f(x, y) for f, x, y in zip([add, jnp.maximum] * 2, a, b, strict=True)
    )
    return extremes, bits, keys, line, line_keys


@ft.partial(inlined, static_argnames="classes")
def as_one_class(arrays: State, classes: tuple[int, ...]) -> State:
    """The cells of all rows of some classes, as if there were one class."""
    part = jnp.asarray(classes, jnp.int32)
    arrays = arrays[0][:, part], *(x[..., part, :] for x in arrays[1:])  # pyright: ignore
    most = jnp.max(arrays[0], axis=1, keepdims=True, initial=NONE)
    _, *rest = _on_one_line(arrays, jnp.broadcast_to(most, arrays[0].shape))
    joined = (
        jnp.max(x, axis=1, keepdims=True)
        if x.dtype == jnp.int32
        else sum_pairs(jnp.moveaxis(x, 2, 1))[:, :, None]
        for x in rest
    )
    return most, *joined  # pyright: ignore[reportReturnType]


class _ScoreCells(AbstractReduction):
    """Merges the arrays `(extremes, bit counts, bit keys, line counts, line keys)`."""

    def identity(self, arrays):
        return tuple(
            jnp.full(x.shape, NONE if x.dtype == jnp.int32 else 0, x.dtype) for x in arrays
        )

    def merge(self, left, right):
        return _merged(left, right)

    def across(self, arrays, size):
        (extremes,) = yield "max", [arrays[0]]
        _, bits, bit_keys, line, line_keys = _on_one_line(arrays, extremes)
        pairs = bits, line
        *tops, bit_keys, line_keys = yield (
            "max",
            [*(exponent(x[0]) for x in pairs), bit_keys, line_keys],
        )
        sums = yield "sum", to_limbs(pairs, tops, size)
        bits, line = from_limbs(sums, tops, size)
        return extremes, bits, bit_keys, line, line_keys

    def check(self, dtype):
        if dtype not in (jnp.float32, jnp.int32):
            return "scores are counted in pairs of float32, their keys are int32"

    def __repr__(self):
        return "score_cells"


SCORE_CELLS = _ScoreCells()
