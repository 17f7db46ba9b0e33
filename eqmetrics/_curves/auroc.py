import functools as ft
from collections.abc import Sequence
from typing import ClassVar, final, get_args, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool

from .._decisions.average import AverageKind, check_average, Scope, scope_of
from .._decisions.task import AbstractTask, Multiclass
from .._reduction.pair import add, inlined, lift, Pair, to_float
from .._rows.row_mean import Empty
from .._rows.rows import undefined_as
from .pairs_in_order import shares_of_cells
from .rank_score import (
    AbstractRankScore,
    each_against_the_others,
    Interval,
    mean_between,
    ROUNDING,
    scores_of_all,
)
from .score_statistic import AbstractScores, Cells


MultiClass = Literal["ovr", "ovo"]


@inlined
def _of_pairs(statistic: AbstractScores) -> tuple[Interval, Pair]:
    """The AUROC of all pairs of classes, in both orders, and the weight of each class."""

    def one(other):
        return ft.reduce(Interval.meet, map(AUROC.interval, statistic.against(other)))

    weights = statistic.totals()[1]
    found = lax.map(one, jnp.arange(weights.shape[1], dtype=jnp.int32))
    return Interval(*(jnp.where(statistic.mixed(), jnp.nan, x) for x in found)), weights


@final
class AUROC(AbstractRankScore):
    r"""The area under the ROC curve: the probability that a positive has a higher score than a
    negative, where ties count one half.

    $\frac{1}{PN} \sum_{i \in +} \sum_{j \in -} [s_i > s_j] + \tfrac12 [s_i = s_j]$

    In constant memory, for any number of rows and scores of any range. `compute()` gives the
    value, `bounds()` an interval in which the exact area lies for certain. Only the order of rows
    that share a cell and aren't known to be tied is left open.

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
    - `multi_class`: `"ovr"`, each class against all others, or `"ovo"`, each class against each
        other: with `average="macro"` the mean over the pairs of classes that have rows, with
        `"weighted"` that weighted by their rows, with `None` the value of each pair, of shape
        `(classes, classes)`. A pair has the mean of two areas, by the scores of either class.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.ScoreHistogram`][], with `pairs` for ovo; or of
    [`eqmetrics.ScoreBuffer`][]; shared.
    Undefined when: no row is positive, or none is negative.
    Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", 1982; Hand and Till, "A simple generalisation of the area under the
    ROC curve for multiple class classification problems", 2001, for ovo.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        auroc = eqm.AUROC(eqm.Binary())
        auroc = auroc.update(logits=jnp.array([1.0, 2.0, 2.0]), labels=jnp.array([0, 0, 1]))
        low, high = auroc.bounds()
        assert auroc.compute() == 0.75 and low <= 0.75 <= high
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    least: ClassVar[float] = 0.0
    average: AverageKind = eqx.field(static=True)
    scope: Scope = eqx.field(static=True)
    multi_class: MultiClass = eqx.field(static=True)
    statistic: AbstractScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        average: AverageKind = "macro",
        include: Sequence[int] | None = None,
        empty: Empty = "skip",
        multi_class: MultiClass = "ovr",
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        if multi_class not in get_args(MultiClass):
            raise ValueError(f"multi_class={multi_class!r}: expected 'ovr' or 'ovo'.")
        ovo = multi_class == "ovo"
        check_average(average)
        if ovo and (not isinstance(task, Multiclass) or average == "micro"):
            raise ValueError(
                f"multi_class='ovo' is for a multiclass task and the averages 'macro', "
                f"'weighted' and None, not for {task} and average={average!r}."
            )
        if ovo and empty != "skip":
            raise ValueError(
                f"empty={empty!r} and multi_class='ovo': a pair of which one class has no rows is "
                "no pair, and left out. Each class against all others is multi_class='ovr'."
            )
        self.task = task
        self.average = average
        self.scope = scope_of(task, include, empty)
        self.multi_class = multi_class
        self.undefined = undefined
        self.statistic = scores_of_all(task, resolution, exact, pairs=ovo)

    def intervals(self) -> Interval:
        if self.multi_class == "ovr":
            return each_against_the_others(self)
        found, weights = _of_pairs(self.statistic)
        part = self.scope.part(self.task)
        pairs = jnp.asarray(part[:, None] & part & ~np.eye(len(part), dtype=bool))
        some = weights[0] > 0
        defined = pairs & some[:, None] & some[None, :]
        if self.average is None:
            low, value, high = (0.5 * x + 0.5 * x.T for x in found)  # by the one class, the other
            low, high = jnp.maximum(low - ROUNDING, 0), jnp.minimum(high + ROUNDING, 1)
            replaced = (undefined_as(x, ~defined, self.undefined) for x in (low, value, high))
            return Interval(*(jnp.where(pairs, x, jnp.nan) for x in replaced))
        rows = lift(jnp.ones(defined.shape, jnp.float32))
        if self.average == "weighted":
            both = weights[:, :, None], weights[:, None]
            rows = add(*(jnp.broadcast_to(x, rows.shape) for x in both))
        rows = jnp.where(defined, rows, 0).reshape(2, -1)
        return mean_between(
            Interval(*(x.ravel() for x in found)), rows, self.undefined, least=self.least
        )

    @staticmethod
    def interval(cells: Cells) -> Interval:
        if cells.in_order is not None:
            low, open_ = cells.in_order, jnp.zeros_like(cells.in_order)
        else:
            low, open_ = shares_of_cells(cells.negatives, cells.positives, cells.tied)
        return Interval(
            jnp.maximum(to_float(low) - ROUNDING, 0),
            to_float(add(low, 0.5 * open_)),
            jnp.minimum(to_float(add(low, open_)) + ROUNDING, 1),
        )

    @staticmethod
    def defined(negatives: Array, positives: Array) -> Bool[Array, "classes"]:
        return (negatives > 0) & (positives > 0)
