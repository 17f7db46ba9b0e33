import abc
from typing import ClassVar, final

from jaxtyping import Array, Bool, Float32

from .._rows.nearest_quotient import quotient
from .average import AbstractClassAverage, average_classes
from .stat_scores import Counts


class AbstractClassRatios(AbstractClassAverage, init=False):
    """Two scores of each class, which aren't ratios of sums of counts and so have no micro average.
    A subclass writes `ratios`."""

    micro: ClassVar[bool] = False

    @abc.abstractmethod
    def ratios(self, counts: Counts) -> dict[str, tuple[Array, Bool[Array, "classes"]]]:
        """The scores by name, and where each is defined."""

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of both scores: scalars, or of shape `(classes,)` if `average` is `None` and the
        task isn't binary."""
        counts = self.statistic.counts().floats()
        how = self.task, self.average, self.undefined, self.scope
        return {
            name: average_classes(value, defined, counts.tp + counts.fn, *how)
            for name, (value, defined) in self.ratios(counts).items()
        }


@final
class ClassLikelihoodRatios(AbstractClassRatios, init=False):
    r"""The positive and the negative likelihood ratio of each class against all others: how much a
    prediction of the class, or of another, changes the odds of the class.

    `positive` is $\mathrm{recall} / (1 - \mathrm{specificity})$ and `negative`
    $(1 - \mathrm{recall}) / \mathrm{specificity}$.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, `"weighted"` by support, or `None` for each class; ratios have no
        micro average.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: no row is of the class,
    or all are; `positive` also without false positives, and `negative` without true negatives, as
    in scikit-learn.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        ratios = eqm.ClassLikelihoodRatios(eqm.Binary())
        value = ratios(predicted_labels=jnp.array([1, 1, 0, 0]), labels=jnp.array([1, 0, 0, 1]))
        assert value == {"positive": 1.0, "negative": 1.0}
        ```
    """

    def ratios(self, counts: Counts) -> dict[str, tuple[Array, Bool[Array, "classes"]]]:
        tp, fp, fn, tn = counts
        own, others = tp + fn, fp + tn
        both = (own > 0) & (others > 0)
        return {
            "positive": (quotient(quotient(tp, own), quotient(fp, others)), both & (fp > 0)),
            "negative": (quotient(quotient(fn, own), quotient(tn, others)), both & (tn > 0)),
        }


@final
class InformednessMarkedness(AbstractClassRatios, init=False):
    r"""How much better than chance predictions tell the labels, and labels the predictions.

    `informedness` (Youden's J) is $\mathrm{recall} + \mathrm{specificity} - 1$ and
    `markedness` $\mathrm{precision} + \mathrm{npv} - 1$, of each class against all others.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, `"weighted"` by support, or `None` for each class.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: informedness, if no row is
    of the class, or all are; markedness, if none is predicted as it, or all are.
    Source: Powers, "Evaluation: from precision, recall and F-measure to ROC, informedness,
    markedness and correlation", 2011.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        both = eqm.InformednessMarkedness(eqm.Binary())
        value = both(predicted_labels=jnp.array([1, 0, 0, 0]), labels=jnp.array([1, 1, 0, 0]))
        assert value["informedness"] == 0.5
        ```
    """

    def ratios(self, counts: Counts) -> dict[str, tuple[Array, Bool[Array, "classes"]]]:
        tp, fp, fn, tn = counts
        own, others = tp + fn, fp + tn
        predicted, rejected = tp + fp, fn + tn
        # recall - (1 - specificity): a sum near 1 less 1 would cancel.
        return {
            "informedness": (quotient(tp, own) - quotient(fp, others), (own > 0) & (others > 0)),
            "markedness": (
                quotient(tp, predicted) - quotient(fn, rejected), (predicted > 0) & (rejected > 0)
            ),
        }
