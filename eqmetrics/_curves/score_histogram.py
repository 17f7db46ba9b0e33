from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._decisions.inputs import Inputs
from .._decisions.scores import log_odds_of_classes, scores_of
from .._decisions.task import AbstractTask, Binary, Multiclass
from .._metric.field import state
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import add, Pair
from .._reduction.pair_sums import sum_pairs
from .._rows.cells import add_rows, add_weights
from .score_cells import (
    as_one_class,
    bit_index,
    first_cell,
    infinite_bits,
    is_finite,
    keys_of,
    line_index,
    NONE,
    once,
    SCORE_CELLS,
    State,
    widened,
    width,
)
from .score_statistic import AbstractScores, Cells


_PROMISE = "promise_in_bounds"


def _counted(counts, keys, index, key, group, taken, weights):
    """The counts and extreme keys of a layout, with more rows; `index` is of shape (rows,
    classes)."""
    classes, cells = counts.shape[2:]
    flat = index + cells * jnp.arange(classes, dtype=jnp.int32)[None, :]
    flat = jnp.where(taken, flat, 0)
    labelled = flat + jnp.where(taken, group * (classes * cells), 0)
    largest, smallest = (jnp.where(taken, k, NONE) for k in (key, ~key))
    flat, labelled, largest, smallest, taken = (
        x.ravel() for x in (flat, labelled, largest, smallest, taken)
    )
    if weights is None:
        new = add_rows(counts, labelled, taken)
    else:
        new = add_weights(counts.reshape(2, -1), labelled, jnp.where(taken, weights.ravel(), 0))
    both = keys.reshape(-1).at[flat].max(largest, mode=_PROMISE)
    both = both.at[flat + classes * cells].max(smallest, mode=_PROMISE)
    return new.reshape(counts.shape), both.reshape(keys.shape)


def _largest_of_both(x, y):
    """The largest of both over the rows. For one class in one pass: of two separate maxima XLA's
    CPU makes two trees."""
    if x.shape[1] > 1:
        return [jnp.max(z, axis=0, initial=NONE) for z in (x, y)]
    none = jnp.int32(NONE)
    return lax.reduce((x, y), (none, none), lambda a, b: [*map(jnp.maximum, a, b)], (0,))


def _updated(
    old: dict[str, Array], inputs: Inputs, task: AbstractTask, pairs: bool
) -> dict[str, Array]:
    s = scores_of(task, inputs)
    group, taken = s.each()
    if pairs:
        group = jnp.broadcast_to(s.labels[:, None], s.scores.shape)
    group = group.astype(jnp.int32)
    x, weights = s.scores, s.weights()
    if s.are_logits and s.labels.ndim == 1:
        x = log_odds_of_classes(x)
    key, cells = once(keys_of(x)), old["line_counts"].shape[-1]
    bits = bit_index(key, s.are_logits, cells)
    bit_counts, bit_keys = _counted(
        old["bit_counts"], old["bit_keys"], bits, key, group, taken, weights
    )
    # Infinities have cells of their own among the bits, and none on the line.
    finite = taken & is_finite(key)
    new = _largest_of_both(*(jnp.where(finite, k, NONE) for k in (key, ~key)))
    extremes = jnp.maximum(old["extremes"], jnp.stack(new))
    e = width(extremes, cells)
    line_counts, line_keys = widened(old["extremes"], e, old["line_counts"], old["line_keys"])
    line = line_index(jnp.where(finite, key, 0), e[None, :]) & (cells - 1)
    line_counts, line_keys = _counted(line_counts, line_keys, line, key, group, finite, weights)
    some = jnp.any(taken)
    return {
        "extremes": extremes,
        "bit_counts": bit_counts,
        "bit_keys": bit_keys,
        "line_counts": line_counts,
        "line_keys": line_keys,
        "kinds": old["kinds"] | (jnp.array([s.are_logits, not s.are_logits]) & some),
        "invalid": plus_invalid(old["invalid"], s.batch),
    }


def _cells(arrays: State, are_logits: Array) -> tuple[Cells, ...]:
    """The layout by bits; and the line from low scores to high ones, with the cells of the
    infinities at its ends."""
    extremes, bits, bit_keys, line, line_keys = arrays
    cells = line.shape[-1]
    first = first_cell(extremes, width(extremes, cells))
    place = (first[:, None] + jnp.arange(cells, dtype=jnp.int32)[None, :]) & (cells - 1)

    def between(line: Array, bits: Array, empty: int) -> Array:
        index = place.reshape(*(1,) * (line.ndim - 2), *place.shape)
        index = jnp.broadcast_to(index, line.shape)
        ends = (bits[..., i : i + 1] for i in infinite_bits(cells))
        minus, plus = (jnp.where(are_logits, x, empty) for x in ends)
        middle = jnp.take_along_axis(line, index, axis=-1)
        return jnp.concatenate([minus, middle, plus], axis=-1)

    both = (bits, bit_keys), (between(line, bits, 0), between(line_keys, bit_keys, NONE))
    return tuple(Cells(x[:, 0], x[:, 1], ~keys[1], keys[0]) for x, keys in both)


CELLS = "extremes", "bit_counts", "bit_keys", "line_counts", "line_keys"


@final
class ScoreHistogram(AbstractScores):
    r"""How many positives and negatives have scores in each cell: the statistic that
    [`eqmetrics.AUROC`][] and all other readouts of curves share, in constant memory and for scores
    of any range.

    Rows are counted in two layouts of $2^r$ cells: by the leading bits of the float (of $1 - p$
    for a probability $p \geq 0.5$), and on a line that covers the finite scores seen, with cells
    as wide as the smallest power of 2 that fits. The smallest and the largest score of a cell
    are kept too: where they are equal its rows are known to be tied. The state is a function of
    the rows, whatever their order and batches.

    Of several classes, each is counted against all others. Logits of a multiclass task are
    ordered by the log-odds of their softmax probabilities, which don't saturate.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `resolution`: $r$, from 9 to 20; 16 if the task is binary, else 12, if not given.
    - `pairs`: for a multiclass task, whether to count the rows of every class separately, as
        one-vs-one needs, and not only those of a class and of all others.

    The gradient is 0: the value is piecewise constant.
    State: $12 \cdot 2^r$ numbers a class (3 MiB if $r = 16$, 192 KiB if $r = 12$), and a few more;
    with `pairs` and $c$ classes, $4 (c + 1) \cdot 2^r$ a class (704 KiB each for 10 classes if
    $r = 12$). More than $2^{28}$ numbers, 1 GiB, are refused.
    Undefined when: it was given logits and probabilities, which have no common order. Empty
    counts are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = eqm.ScoreHistogram(eqm.Binary())
        counts = scores(logits=jnp.array([-1.0, 0.5, 2.0]), labels=jnp.array([0, 1, 1]))
        assert counts["positives"].tolist() == [2] and counts["negatives"].tolist() == [1]
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    resolution: int = eqx.field(static=True)
    pairs: bool = eqx.field(static=True)
    # The largest key of a finite score and the complement of the smallest: both are maxima.
    extremes: Int32[Array, "2 classes"] = state(reduce=SCORE_CELLS)
    # Pairs of the weight of each group: of negatives and positives, or of each class.
    bit_counts: Float32[Array, "2 groups classes cells"] = state(reduce=SCORE_CELLS)
    bit_keys: Int32[Array, "2 classes cells"] = state(reduce=SCORE_CELLS)
    line_counts: Float32[Array, "2 groups classes cells"] = state(reduce=SCORE_CELLS)
    line_keys: Int32[Array, "2 classes cells"] = state(reduce=SCORE_CELLS)
    kinds: Bool[Array, "2"] = state(reduce="max")
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.task.valid}")

    def __init__(self, task: AbstractTask, *, resolution: int | None = None, pairs: bool = False):
        if resolution is None:
            resolution = 16 if isinstance(task, Binary) else 12
        if not isinstance(resolution, int) or not 9 <= resolution <= 20:
            # Below, infinities would have no cells of their own.
            raise ValueError(f"resolution={resolution!r}: expected a whole number from 9 to 20.")
        if pairs and not isinstance(task, Multiclass):
            raise ValueError("`pairs` is for multiclass tasks: others have no classes to pair.")
        groups, keys = task.classes if pairs else 2, (2, task.classes, 2**resolution)
        size = 4 * (groups + 1) * task.classes * 2**resolution
        if size > 2**28:
            raise ValueError(
                f"The cells of {task} take {size / 2**28:.1f} GiB at resolution={resolution}. "
                "Lower it, 9 is the least, or keep rows instead: `exact=capacity`."
            )
        self.task = task
        self.resolution = resolution
        self.pairs = pairs
        counts = (2, groups, *keys[1:])
        self.extremes = jnp.full((2, task.classes), NONE, jnp.int32)
        self.bit_counts, self.line_counts = (jnp.zeros(counts, jnp.float32) for _ in range(2))
        self.bit_keys, self.line_keys = (jnp.full(keys, NONE, jnp.int32) for _ in range(2))
        self.kinds = jnp.zeros(2, jnp.bool_)
        self.invalid = jnp.zeros(2, jnp.float32)

    def see(self, inputs: Inputs) -> Self:
        names = *CELLS, "kinds", "invalid"
        old = {name: getattr(self, name) for name in names}
        return self.replace(**_updated(old, inputs, task=self.task, pairs=self.pairs))

    def _sides(self, counts: Float32[Array, "2 groups classes cells"]) -> tuple[Pair, Pair]:
        """The weight of all others, and of the class, in each cell."""
        if not self.pairs:
            return counts[:, 0], counts[:, 1]
        own = self._own(counts)
        return add(sum_pairs(counts), -own), own

    def _own(self, counts: Float32[Array, "2 groups classes cells"]) -> Pair:
        classes = jnp.arange(self.task.classes, dtype=jnp.int32).reshape(1, 1, -1, 1)
        return jnp.take_along_axis(counts, classes, axis=1)[:, 0]

    def layouts(self, joined: tuple[int, ...] | None = None) -> tuple[Cells, ...]:
        """By bits; and the line, with the cells of minus and plus infinity at its ends."""
        extremes, bits, bit_keys, line, line_keys = (getattr(self, name) for name in CELLS)
        bits, line = (jnp.stack(self._sides(x), axis=1) for x in (bits, line))
        arrays = extremes, bits, bit_keys, line, line_keys
        if joined is not None:
            arrays = as_one_class(arrays, classes=joined)
        return _cells(arrays, self.kinds[0])

    def against(self, other: Int32[Array, ""]) -> tuple[Cells, ...]:
        assert self.pairs
        two = (
            jnp.stack([jnp.take(x, other, axis=1), self._own(x)], axis=1)
            for x in (self.bit_counts, self.line_counts)
        )
        bits, line = two
        arrays = self.extremes, bits, self.bit_keys, line, self.line_keys
        return _cells(arrays, self.kinds[0])

    def totals(self) -> tuple[Pair, Pair]:
        # over the cells first, which leaves little to do
        both = sum_pairs(jnp.moveaxis(self.bit_counts, -1, 1))
        negatives, positives = self._sides(both[..., None])
        return negatives[..., 0], positives[..., 0]
