from typing import ClassVar, final

from jaxtyping import Array, Bool

from .auroc import AUROC
from .rank_score import AbstractRankScore, each_against_the_others, Interval
from .score_statistic import Cells


@final
class Gini(AbstractRankScore, init=False):
    r"""The Gini coefficient of a ranking: $2\,\mathrm{AUROC} - 1$, from -1 to 1, where 0 is chance.

    It is used in credit scoring, also as accuracy ratio or Somers' D, and isn't the Gini
    coefficient of incomes. `bounds()` gives an interval in which the exact value lies for certain.

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

    least: ClassVar[float] = -1.0

    def intervals(self) -> Interval:
        return each_against_the_others(self)

    @staticmethod
    def interval(cells: Cells) -> Interval:
        return Interval(*(2 * x - 1 for x in AUROC.interval(cells)))

    @staticmethod
    def defined(negatives: Array, positives: Array) -> Bool[Array, "classes"]:
        return (negatives > 0) & (positives > 0)
