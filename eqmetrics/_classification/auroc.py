from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool

from .._reduction.pair import add, divide, multiply, sum_pairs, to_float
from .._task import AbstractTask
from .average import AverageKind, check_average
from .rank_score import AbstractRankScore, cumulated, Interval
from .score_histogram import Cells, ScoreHistogram


# What rounding a ratio of pairs to float32, and moving it, can add.
ROUNDING = 1e-7


@final
class AUROC(AbstractRankScore):
    r"""The area under the ROC curve: how often a positive has a higher score than a negative,
    ties counting one half.

    $\frac{1}{PN} \sum_{i \in +} \sum_{j \in -} [s_i > s_j] + \tfrac12 [s_i = s_j]$

    In constant memory, for any number of rows and scores of any range. `compute()` gives the
    value, `bounds()` an interval in which the exact area lies for certain: pairs of rows in one
    cell that aren't known to be tied are all that it leaves open.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their positives; `None`, of each class.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.ScoreHistogram`][], shared.
    Undefined when: no row is positive, or none is negative.
    Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", 1982.

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
    average: AverageKind = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: ScoreHistogram

    def __init__(
        self,
        task: AbstractTask,
        *,
        average: AverageKind = "macro",
        resolution: int | None = None,
        undefined: float | None = None,
    ):
        check_average(average, micro=False)
        self.task = task
        self.average = average
        self.undefined = undefined
        self.statistic = ScoreHistogram(task, resolution=resolution)

    @staticmethod
    def interval(cells: Cells) -> Interval:
        negatives, positives = cells.negatives, cells.positives
        below = cumulated(negatives)
        inside = multiply(positives, negatives)
        sure = add(multiply(positives, below[..., :-1]), jnp.where(cells.tied, 0.5 * inside, 0))
        low, open_ = (
            sum_pairs(jnp.moveaxis(x, -1, 1)) for x in (sure, jnp.where(cells.tied, 0, inside))
        )
        total = multiply(below[..., -1], cumulated(positives)[..., -1])
        low, open_ = divide(low, total), divide(open_, total)
        return Interval(
            jnp.maximum(to_float(low) - ROUNDING, 0),
            to_float(add(low, 0.5 * open_)),
            jnp.minimum(to_float(add(low, open_)) + ROUNDING, 1),
        )

    @staticmethod
    def defined(negatives: Array, positives: Array) -> Bool[Array, "classes"]:
        return (negatives > 0) & (positives > 0)
