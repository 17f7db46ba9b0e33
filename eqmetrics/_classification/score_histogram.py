import functools as ft
from typing import final, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Float32, Int32

from .._cells import add_rows, add_weights
from .._custom_types import Input, Labels, Mask, Weights
from .._field import state
from .._metric import AbstractExact
from .._readout import AbstractStatistic
from .._reduction import EXACT_SUM
from .._reduction.pair import fused, Pair, sum_pairs, to_float
from .._task import AbstractTask, Binary
from .inputs import Inputs
from .score_cells import (
    bit_index,
    first_cell,
    infinite_bits,
    is_finite,
    keys_of,
    line_index,
    NONE,
    SCORE_CELLS,
    widened,
    width,
)
from .scores import log_odds_of_classes, scores_of


_PROMISE = "promise_in_bounds"


class Cells(NamedTuple):
    """The cells of one layout, from low scores to high ones."""

    negatives: Pair  # (2, classes, cells)
    positives: Pair
    smallest: Int32[Array, "classes cells"]
    largest: Int32[Array, "classes cells"]

    @classmethod
    def of(cls, counts: Float32[Array, "2 2 classes cells"], keys: Array) -> Self:
        return cls(counts[:, 0], counts[:, 1], ~keys[1], keys[0])

    @property
    def tied(self) -> Bool[Array, "classes cells"]:
        """Whether all rows of a cell have one score."""
        return self.smallest == self.largest


def _counted(counts, keys, index, key, positive, taken, weights):
    """The counts and extreme keys of a layout, with more rows; `index` is of shape (rows,
    classes)."""
    classes, cells = counts.shape[2:]
    flat = index + cells * jnp.arange(classes, dtype=jnp.int32)[None, :]
    flat = jnp.where(taken, flat, 0)
    labelled = flat + jnp.where(positive, classes * cells, 0)
    largest, smallest = (jnp.where(taken, k, NONE) for k in (key, ~key))
    # Otherwise XLA's CPU computes all of this row by row, inside of each scatter.
    rows = lax.optimization_barrier((flat, labelled, largest, smallest, taken))
    flat, labelled, largest, smallest, taken = (x.ravel() for x in rows)
    if weights is None:
        new = add_rows(counts.reshape(2, -1), labelled, taken)
    else:
        new = add_weights(counts.reshape(2, -1), labelled, jnp.where(taken, weights.ravel(), 0))
    both = keys.reshape(-1).at[flat].max(largest, mode=_PROMISE)
    both = both.at[flat + classes * cells].max(smallest, mode=_PROMISE)
    return new.reshape(counts.shape), both.reshape(keys.shape)


@ft.partial(fused, static_argnames="task")
def _updated(old: "dict[str, Array]", inputs: Inputs, task: AbstractTask) -> dict[str, Array]:
    s = scores_of(task, inputs)
    positive, taken = s.each()
    x, weights = s.scores, s.weights()
    if s.are_logits and s.labels.ndim == 1:
        x = log_odds_of_classes(x)
    key, cells = keys_of(x), old["line_counts"].shape[-1]
    bits = bit_index(key, s.are_logits, cells)
    bit_counts, bit_keys = _counted(
        old["bit_counts"], old["bit_keys"], bits, key, positive, taken, weights
    )
    # Infinities have cells of their own among the bits, and none on the line.
    finite = taken & is_finite(key)
    new = [jnp.max(jnp.where(finite, k, NONE), axis=0, initial=NONE) for k in (key, ~key)]
    extremes = jnp.maximum(old["extremes"], jnp.stack(new))
    e = width(extremes, cells)
    line_counts, line_keys = widened(old["extremes"], e, old["line_counts"], old["line_keys"])
    line = line_index(jnp.where(finite, key, 0), e[None, :]) & (cells - 1)
    line_counts, line_keys = _counted(line_counts, line_keys, line, key, positive, finite, weights)
    some = jnp.any(taken)
    return {
        "extremes": extremes,
        "bit_counts": bit_counts,
        "bit_keys": bit_keys,
        "line_counts": line_counts,
        "line_keys": line_keys,
        "kinds": old["kinds"] | (jnp.array([s.are_logits, not s.are_logits]) & some),
        "invalid": s.batch.left_out(old["invalid"]),
    }


@final
class ScoreHistogram(AbstractStatistic, AbstractExact):
    r"""How many positives and negatives have which score: the statistic that [`eqmetrics.AUROC`][]
    and all other readouts of curves share, in constant memory and for scores of any range.

    Rows are counted in two layouts of $2^r$ cells: by the leading bits of the float (of $1 - p$
    for a probability $p \geq 0.5$), and on a line that covers the finite scores seen, with cells
    as wide as the smallest power of 2 that fits. The smallest and the largest score of a cell
    are kept too: where they are equal its rows are known to be tied. The state is a function of
    the rows, whatever their order and batches.

    Of several classes, each is counted against all others. Logits of a multiclass task are
    ordered by the log-odds of their softmax, which don't saturate.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `resolution`: $r$, from 9 to 20; 16 if the task is binary, else 12, if not given.

    State: $12 \cdot 2^r$ numbers a class (3 MiB if $r = 16$, 192 KiB if $r = 12$), and a few.
    Undefined when: never; empty counts are 0, and NaN if it was given logits and
    probabilities, which have no common order.

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
    # The largest key of a finite score and the complement of the smallest: both are maxima.
    extremes: Int32[Array, "2 classes"] = state(reduce=SCORE_CELLS)
    # Pairs of the weight of negatives and positives.
    bit_counts: Float32[Array, "2 2 classes cells"] = state(reduce=SCORE_CELLS)
    bit_keys: Int32[Array, "2 classes cells"] = state(reduce=SCORE_CELLS)
    line_counts: Float32[Array, "2 2 classes cells"] = state(reduce=SCORE_CELLS)
    line_keys: Int32[Array, "2 classes cells"] = state(reduce=SCORE_CELLS)
    kinds: Bool[Array, "2"] = state(reduce="max")  # logits were seen, and probabilities
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.task.valid}")

    def __init__(self, task: AbstractTask, *, resolution: int | None = None):
        if resolution is None:
            resolution = 16 if isinstance(task, Binary) else 12
        if not isinstance(resolution, int) or not 9 <= resolution <= 20:
            # Below, infinities would have no cells of their own.
            raise ValueError(f"resolution={resolution!r}: expected a whole number from 9 to 20.")
        self.task = task
        self.resolution = resolution
        counts, keys = (2, 2, task.classes, 2**resolution), (2, task.classes, 2**resolution)
        self.extremes = jnp.full((2, task.classes), NONE, jnp.int32)
        self.bit_counts, self.line_counts = (jnp.zeros(counts, jnp.float32) for _ in range(2))
        self.bit_keys, self.line_keys = (jnp.full(keys, NONE, jnp.int32) for _ in range(2))
        self.kinds = jnp.zeros(2, jnp.bool_)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits` and `probabilities`, the same one in all updates; their
        shapes are the task's. `mask` and `weights` have the shape of the rows."""
        names = "extremes bit_counts bit_keys line_counts line_keys kinds invalid".split()
        old = {name: getattr(self, name) for name in names}
        inputs = Inputs(labels, logits, probabilities, None, mask, weights)
        return self.replace(**_updated(old, inputs, task=self.task))

    def mixed(self) -> Bool[Array, ""]:
        """Whether both logits and probabilities were given."""
        return jnp.all(self.kinds)

    def layouts(self) -> tuple[Cells, Cells]:
        """The bits, and the line between cells of minus and plus infinity."""
        cells = 2**self.resolution
        first = first_cell(self.extremes, width(self.extremes, cells))
        place = (first[:, None] + jnp.arange(cells, dtype=jnp.int32)[None, :]) & (cells - 1)
        low, high = infinite_bits(cells)

        def between(line: Array, bits: Array, empty: int) -> Array:
            index = place.reshape(*(1,) * (line.ndim - 2), *place.shape)
            index = jnp.broadcast_to(index, line.shape)
            ends = (jnp.where(self.kinds[0], bits[..., i : i + 1], empty) for i in (low, high))
            minus, plus = ends
            middle = jnp.take_along_axis(line, index, axis=-1)
            return jnp.concatenate([minus, middle, plus], axis=-1)

        counts = between(self.line_counts, self.bit_counts, 0)
        keys = between(self.line_keys, self.bit_keys, NONE)
        return Cells.of(self.bit_counts, self.bit_keys), Cells.of(counts, keys)

    def totals(self) -> tuple[Pair, Pair]:
        """The weight of negatives and of positives, of each class."""
        both = sum_pairs(jnp.moveaxis(self.bit_counts, -1, 1))
        return both[:, 0], both[:, 1]

    def exact(self) -> dict[str, Pair]:
        negatives, positives = self.totals()
        bad = self.mixed()
        return {
            "negatives": jnp.where(bad, jnp.nan, negatives),
            "positives": jnp.where(bad, jnp.nan, positives),
        }

    def compute(self) -> dict[str, Float32[Array, "classes"]]:
        """The weight of `negatives` and of `positives`, of each class."""
        return {name: to_float(x) for name, x in self.exact().items()}
