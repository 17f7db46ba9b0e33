"""Scores of forecasts of events, from the counts of classes."""

import abc
from typing import ClassVar, final

from jaxtyping import Array, Float32

from .._decisions.average import AbstractClassAverage, AbstractClassScore, average_classes
from .._decisions.stat_scores import Counts
from .._rows.quotient import over


@final
class FalseAlarmRatio(AbstractClassScore, init=False):
    r"""The share of predicted events that didn't happen: $1 -$ precision, false alarms /
    (hits + false alarms).

    It isn't the false alarm *rate*, false alarms / (false alarms + correct negatives), which is 1
    minus [`eqmetrics.Specificity`][].

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their support; `"micro"`, the value of all counts together; `None`, that of
        each class. A binary task has only the class 1, and ignores it.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: no row is predicted as the
    event. Source: Jolliffe and Stephenson, Forecast Verification, 2012.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        ratio = eqm.fields.FalseAlarmRatio(eqm.Binary())
        forecast, observed = jnp.array([1, 1, 1, 1, 0]), jnp.array([1, 0, 1, 1, 1])
        assert ratio(predicted_labels=forecast, labels=observed) == 0.25
        ```
    """

    def ratio(self, counts: Counts) -> tuple[Array, Array]:
        return counts.fp, counts.tp + counts.fp


@final
class FrequencyBias(AbstractClassScore, init=False):
    r"""How often an event is predicted, relative to how often it happens: (hits + false alarms) /
    (hits + misses). Above 1 it is predicted too often.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their support; `"micro"`, the value of all counts together; `None`, that of
        each class. A binary task has only the class 1, and ignores it.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: no row is of the event.
    Source: Jolliffe and Stephenson, Forecast Verification, 2012.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        bias = eqm.fields.FrequencyBias(eqm.Binary())
        forecast, observed = jnp.array([1, 1, 1, 0]), jnp.array([1, 0, 1, 0])
        assert bias(predicted_labels=forecast, labels=observed) == 1.5
        ```
    """

    def ratio(self, counts: Counts) -> tuple[Array, Array]:
        return counts.tp + counts.fp, counts.tp + counts.fn


class _AbstractByChance(AbstractClassAverage, init=False):
    """A score that compares the counts with those of a random forecast: a quotient of products of
    counts, which has no micro average."""

    micro: ClassVar[bool] = False

    @abc.abstractmethod
    def score(self, beyond: Array, wrong: Array) -> tuple[Array, Array]:
        """The numerator and the denominator, from $ad - bc$ and the sum of false alarms and misses,
        of counts whose sum is 1."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        counts = self.statistic.counts().floats()
        total = counts.tp + counts.fp + counts.fn + counts.tn
        tp, fp, fn, tn = (over(x, total) for x in counts)
        top, bottom = self.score(tp * tn - fp * fn, fp + fn)
        defined = bottom != 0
        support = counts.tp + counts.fn
        how = self.task, self.average, self.undefined, self.scope
        return average_classes(over(top, bottom), defined, support, *how)


@final
class EquitableThreat(_AbstractByChance, init=False):
    r"""The equitable threat score, or Gilbert's skill score: the threat score adjusted for chance,
    $(a - r) / (a + b + c - r)$ with hits $a$, false alarms $b$, misses $c$ and
    $r = (a + b)(a + c) / n$. From $-1/3$ to 1; 0 is chance.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, `"weighted"` by support, or `None` for each class; there is no micro
        average.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: all rows are events and
    predicted to be, or no row is either.
    Source: Gilbert, "Finley's tornado predictions", 1884; Jolliffe and Stephenson, Forecast
    Verification, 2012.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        ets = eqm.fields.EquitableThreat(eqm.Binary())
        forecast, observed = jnp.array([1, 1, 0, 0]), jnp.array([1, 0, 0, 0])
        assert ets(predicted_labels=forecast, labels=observed) == jnp.float32(1 / 3)
        ```
    """

    def score(self, beyond: Array, wrong: Array) -> tuple[Array, Array]:
        return beyond, beyond + wrong


@final
class HeidkeSkill(_AbstractByChance, init=False):
    r"""The Heidke skill score of an event: the share of right forecasts adjusted for chance,
    $2 (ad - bc) / ((a + c)(c + d) + (a + b)(b + d))$. From -1 to 1; 0 is chance.

    For a binary task it is [`eqmetrics.CohenKappa`][]; here each class or label, such as one for
    each threshold, has its own. That of several classes at once is `CohenKappa`, too.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, `"weighted"` by support, or `None` for each class; there is no micro
        average.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: all rows are events and
    predicted to be, or no row is either.
    Source: Heidke, "Berechnung des Erfolges und der Güte der Windstärkevorhersagen im
    Sturmwarnungsdienst", 1926.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        skill = eqm.fields.HeidkeSkill(eqm.Binary())
        forecast, observed = jnp.array([1, 1, 0, 0]), jnp.array([1, 0, 0, 0])
        assert skill(predicted_labels=forecast, labels=observed) == 0.5
        ```
    """

    def score(self, beyond: Array, wrong: Array) -> tuple[Array, Array]:
        return 2 * beyond, 2 * beyond + wrong
