from collections.abc import Callable
from typing import ClassVar, final

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._decisions.task import Multiclass
from .._reduction.pair import add, to_float
from .._rows.nearest_quotient import quotient
from .._rows.quotient import over, xlogy
from .probability_losses import AbstractLosses, ProbabilityLosses
from .proper_scores import AbstractProperScore, average_problems


def _shares(statistic: AbstractLosses) -> Float32[Array, "classes problems"]:
    """How often each class occurs (first axis); for a yes or no, both."""
    weight, positives = statistic.sums.read("weight", "positives")
    if isinstance(statistic.task, Multiclass):
        return quotient(positives[:, None], weight[None, :])
    both = statistic.exact()
    negatives = to_float(add(both["weight"], -both["positives"]))
    return quotient(jnp.stack([positives, negatives]), weight[None, :])


def _entropy(shares: Array) -> Array:
    return -jnp.sum(xlogy(shares, shares), axis=0)


def _impurity(shares: Array) -> Array:
    # Not 1 - sum of squares, which cancels where one class is rare.
    return jnp.sum(shares * (1 - shares), axis=0)


def _relative(
    score: AbstractProperScore, name: str, of_constant: Callable[[Array], Array], complement: bool
) -> Float32[Array, "..."]:
    """A mean loss relative to that of the best constant prediction, the class frequencies."""
    statistic = score.statistic
    sums, shares = statistic.compute(), _shares(statistic)
    weight, least = sums["weight"], of_constant(shares)
    if name == "squared_error" and not isinstance(statistic.task, Multiclass):
        least = least / 2  # a yes or no has the error of one of its two classes alone
    relative = over(over(sums[name], weight), least)
    defined = (weight > 0) & (least > 0)
    values = 1 - relative if complement else relative
    return average_problems(values, defined, score.task, score.average, score.undefined)


class AbstractRelativeScore(AbstractProperScore, init=False):
    """A mean loss relative to that of the best constant prediction."""

    reads: ClassVar[type[AbstractLosses]] = ProbabilityLosses


@final
class NormalizedEntropy(AbstractRelativeScore, init=False):
    r"""The log loss over that of the best constant prediction: below 1 is better than predicting
    the class frequencies.

    $\mathrm{LogLoss} / -\sum_c \pi_c \log \pi_c$, where $\pi_c$ is the share of class $c$ among the
    rows seen.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: for a multilabel task, `"macro"`, the mean over the labels where it is defined,
        or `None`, for each label.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.ProbabilityLosses`][], shared.
    Undefined when: all rows are of one class, or none was seen.
    Source: He et al., "Practical lessons from predicting clicks on ads at Facebook", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        entropy = eqm.NormalizedEntropy(eqm.Binary())
        value = entropy(probabilities=jnp.array([0.25, 0.75]), labels=jnp.array([0, 1]))
        assert abs(value - jnp.log(0.75) / jnp.log(0.5)) < 1e-6
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(labels,)` if `average` is `None` and the task is multilabel."""
        return _relative(self, "log_loss", _entropy, complement=False)


@final
class D2LogLoss(AbstractRelativeScore, init=False):
    r"""The share of the log loss of the best constant prediction that is explained: 1 is perfect, 0
    is as good as predicting the class frequencies.

    $1 - \mathrm{LogLoss} / -\sum_c \pi_c \log \pi_c$, the complement of
    [`eqmetrics.NormalizedEntropy`][].

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: for a multilabel task, `"macro"`, the mean over the labels where it is defined,
        or `None`, for each label.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.ProbabilityLosses`][], shared.
    Undefined when: all rows are of one class, or none was seen.
    Source: McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        d2 = eqm.D2LogLoss(eqm.Binary())
        value = d2(probabilities=jnp.array([0.25, 0.75]), labels=jnp.array([0, 1]))
        assert abs(value - (1 - jnp.log(0.75) / jnp.log(0.5))) < 1e-6
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(labels,)` if `average` is `None` and the task is multilabel."""
        return _relative(self, "log_loss", _entropy, complement=True)


@final
class D2Brier(AbstractRelativeScore, init=False):
    r"""The Brier skill score, the share of the Brier score of the best constant prediction that is
    explained: 1 is perfect, 0 is as good as predicting the class frequencies.

    $1 - \mathrm{Brier} / B$, where $B$ is $\pi (1 - \pi)$ if the task is binary, else
    $\sum_c \pi_c (1 - \pi_c)$.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: for a multilabel task, `"macro"`, the mean over the labels where it is defined,
        or `None`, for each label.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.ProbabilityLosses`][], shared.
    Undefined when: all rows are of one class, or none was seen.
    Source: Murphy, "Hedging and skill scores for probability forecasts", 1973.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        d2 = eqm.D2Brier(eqm.Binary())
        value = d2(probabilities=jnp.array([0.25, 0.75]), labels=jnp.array([0, 1]))
        assert abs(value - 0.75) < 1e-6
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(labels,)` if `average` is `None` and the task is multilabel."""
        return _relative(self, "squared_error", _impurity, complement=True)
