from typing import ClassVar, final

import jax.numpy as jnp
from jaxtyping import Array, Bool

from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.cells import cumulated
from .._rows.quotient import over
from .rank_score import AbstractRankScore, each_against_the_others, Interval
from .score_statistic import Cells


# The share of each cell is off by a few roundings of its positives, and the shares add up to 1.
ROUNDING = 6e-7


@final
class AveragePrecision(AbstractRankScore, init=False):
    r"""The mean over the positives of the precision at their score: the area under the
    precision-recall curve, in steps.

    $\frac1P \sum_{i \in +} \mathrm{TP}(s_i) / (\mathrm{TP}(s_i) + \mathrm{FP}(s_i))$, where rows
    of the score $s_i$ and above are predicted as positive. Nothing is interpolated, as in
    scikit-learn; trapezoids, as in other libraries, are too optimistic.

    In constant memory, for any number of rows and scores of any range. `compute()` gives the
    value, `bounds()` an interval in which the exact value lies for certain. Where a cell holds
    several scores the value is the mean over their orders, for which a weight of 1 is one row:
    weights of another scale may move it within the bounds.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their positives; `"micro"`, the value of all classes pooled as
        one; `None`, the value of each class.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: no row is positive. If all scores are tied it is the share of positives.
    Source: Davis and Goadrich, "The relationship between precision-recall and ROC curves", 2006.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        precision = eqm.AveragePrecision(eqm.Binary())
        logits, labels = jnp.array([3.0, 2.0, 1.0]), jnp.array([1, 0, 1])
        assert abs(precision(logits=logits, labels=labels) - (1 + 2 / 3) / 2) < 1e-6
        ```
    """

    least: ClassVar[float] = 0.0

    def intervals(self) -> Interval:
        return each_against_the_others(self)

    @staticmethod
    def interval(cells: Cells) -> Interval:
        above = lambda x: to_float(cumulated(jnp.flip(x, -1)))
        tp, fp = above(cells.positives), above(cells.negatives)
        total = tp[..., -1]
        tp, fp = (jnp.flip(x[..., :-1], -1) for x in (tp, fp))
        p, n = to_float(cells.positives), to_float(cells.negatives)
        tie = p * over(tp + p, tp + p + fp + n)
        highest = p * over(tp + p, tp + p + fp)
        # `lowest` and `likely` integrate TP / (TP + FP) along a line between two points.
        below = fp + n
        lowest = p - below * _log_ratio(p, tp + below)
        # In random order the j-th of the positives has n j / (p + 1) negatives before it.
        slope = 1 + n / (p + 1)
        middle = tp + fp + 0.5 * slope
        likely = (p + (tp - (tp + fp) / slope) * _log_ratio(p * slope, middle)) / slope

        def share(untied: Array) -> Array:
            each = jnp.where(p > 0, jnp.where(cells.tied, tie, untied), 0)
            return over(to_float(sum_rows(each.T)), total)

        low, value, high = share(lowest), share(likely), share(highest)
        low, high = jnp.maximum(low - ROUNDING, 0), jnp.minimum(high + ROUNDING, 1)
        return Interval(low, jnp.clip(value, low, high), high)

    @staticmethod
    def defined(negatives: Array, positives: Array) -> Bool[Array, "classes"]:
        return positives > 0


def _log_ratio(x: Array, y: Array) -> Array:
    """`log((x + y) / y)`; 0 where `y` is 0, where its factor is 0 too."""
    return jnp.where(y > 0, jnp.log1p(x / jnp.where(y > 0, y, 1)), 0)
