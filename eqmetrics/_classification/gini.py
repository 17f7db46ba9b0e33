from typing import final

import equinox as eqx
from jaxtyping import Array, Bool

from .._task import AbstractTask
from .auroc import AUROC
from .average import AverageKind, check_average
from .rank_score import AbstractRankScore, Interval
from .score_histogram import Cells, ScoreHistogram


@final
class Gini(AbstractRankScore):
    r"""How far the order of rows is from chance: $2\,\mathrm{AUROC} - 1$, from -1 to 1.

    The Gini coefficient of credit scoring, also called accuracy ratio or Somers' D; not that of
    incomes. `bounds()` gives an interval in which the exact value lies for certain.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their positives; `None`, of each class.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.ScoreHistogram`][], shared.
    Undefined when: no row is positive, or none is negative.
    Source: Somers, "A new asymmetric measure of association for ordinal variables", 1962.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        gini = eqm.Gini(eqm.Binary())
        value = gini(logits=jnp.array([1.0, 2.0, 2.0]), labels=jnp.array([0, 0, 1]))
        assert value == 0.5
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
        return Interval(*(2 * x - 1 for x in AUROC.interval(cells)))

    @staticmethod
    def defined(negatives: Array, positives: Array) -> Bool[Array, "classes"]:
        return (negatives > 0) & (positives > 0)
