import abc
from typing import final, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._decisions.task import AbstractTask
from .._metric.readout import AbstractReadout
from .._reduction.pair import share_reaches
from .._rows.rows import undefined_as
from .curve_points import per_class, Points, points_of
from .rank_score import scores_of_all
from .score_statistic import AbstractScores


def _rate(name: str, value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"{name}={value}: expected a rate above 0 and at most 1.")
    return value


class Choice(NamedTuple):
    """For each point the value, what decides between points of equal value, and whether the point
    reaches the rate; and the classes for which this is defined."""

    values: Float32[Array, "classes points"]
    others: Float32[Array, "classes points"]
    allowed: Bool[Array, "classes points"]
    defined: Bool[Array, "classes"]


class AbstractOperatingPoint(AbstractReadout):
    """The best threshold of those that reach a rate. A subclass writes `choose`.

    Some threshold always does: infinity, where nothing is predicted as positive, has a specificity
    of 1 and a precision of 1; the lowest threshold has a recall of 1."""

    task: AbstractTask = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: AbstractScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        resolution: int | None,
        exact: int | None,
        undefined: float | None,
    ):
        self.task = task
        self.undefined = undefined
        self.statistic = scores_of_all(task, resolution, exact)

    @abc.abstractmethod
    def choose(self, points: Points) -> Choice:
        """The values at all points, and which of them reach the rate."""

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`value` and `threshold`: scalars, or of shape `(classes,)` if the task isn't binary. A
        row is positive if its score is at least the threshold."""
        points = points_of(self.statistic)
        values, others, allowed, defined = self.choose(points)
        allowed_values = jnp.where(allowed, values, -jnp.inf)
        best = allowed_values == jnp.max(allowed_values, axis=-1, keepdims=True)
        # Where both are equal the first one, which has the highest threshold.
        index = jnp.argmax(jnp.where(best, others, -jnp.inf), axis=-1)[:, None]
        at = lambda x: jnp.take_along_axis(x, index, axis=-1)[:, 0]
        threshold = jnp.where(defined, at(points.thresholds), jnp.nan)
        value = undefined_as(at(values), ~defined, self.undefined)
        return {
            "threshold": per_class(threshold, self.task),
            "value": per_class(value, self.task),
        }


@final
class PrecisionAtRecall(AbstractOperatingPoint):
    r"""The highest precision of all thresholds with at least a given recall, and the threshold that
    has it; of several, the one with the highest recall.

    The value is exactly that of the threshold. Only thresholds at the edges of the cells of the
    [`eqmetrics.ScoreHistogram`][] are tried: few scores share a cell.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `min_recall`: the recall to be reached, above 0 and at most 1.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: rates jump, and thresholds are known by their cells.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: no row is positive. The lowest threshold has recall 1, so one always reaches
    `min_recall`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        best = eqm.PrecisionAtRecall(eqm.Binary(), min_recall=1.0)
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([1, 0, 0, 1])
        assert best(logits=logits, labels=labels) == {"value": 0.5, "threshold": 1.0}
        ```
    """

    min_recall: float = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        min_recall: float,
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        AbstractOperatingPoint.__init__(
            self, task, resolution=resolution, exact=exact, undefined=undefined
        )
        self.min_recall = _rate("min_recall", min_recall)

    def choose(self, points: Points) -> Choice:
        recall, defined = points.recall()
        allowed = share_reaches(points.tp, self.min_recall, points.positives)
        return Choice(points.precision(), recall, allowed, defined)


@final
class RecallAtPrecision(AbstractOperatingPoint):
    r"""The highest recall of all thresholds with at least a given precision, and the threshold that
    has it; of several, the one with the highest precision.

    The value is exactly that of the threshold. Only thresholds at the edges of the cells of the
    [`eqmetrics.ScoreHistogram`][] are tried: few scores share a cell.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `min_precision`: the precision to be reached, above 0 and at most 1.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: rates jump, and thresholds are known by their cells.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: no row is positive. Where no finite threshold reaches the precision, the value
    is recall 0 at the threshold infinity: nothing is predicted as positive.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        best = eqm.RecallAtPrecision(eqm.Binary(), min_precision=0.75)
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([1, 0, 0, 1])
        assert best(logits=logits, labels=labels) == {"value": 0.5, "threshold": 4.0}
        ```
    """

    min_precision: float = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        min_precision: float,
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        AbstractOperatingPoint.__init__(
            self, task, resolution=resolution, exact=exact, undefined=undefined
        )
        self.min_precision = _rate("min_precision", min_precision)

    def choose(self, points: Points) -> Choice:
        recall, defined = points.recall()
        allowed = share_reaches(points.tp, self.min_precision, points.predicted)
        return Choice(recall, points.precision(), allowed, defined)


@final
class SensitivityAtSpecificity(AbstractOperatingPoint):
    r"""The highest sensitivity (recall) of all thresholds with at least a given specificity, and
    the threshold that has it; of several, the one with the highest specificity.

    The value is exactly that of the threshold. Only thresholds at the edges of the cells of the
    [`eqmetrics.ScoreHistogram`][] are tried: few scores share a cell.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `min_specificity`: the specificity to be reached, above 0 and at most 1.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: rates jump, and thresholds are known by their cells.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: no row is positive, or none is negative. Where no finite threshold reaches the
    specificity, the value is sensitivity 0 at the threshold infinity.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        best = eqm.SensitivityAtSpecificity(eqm.Binary(), min_specificity=0.75)
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([1, 0, 0, 1])
        assert best(logits=logits, labels=labels) == {"value": 0.5, "threshold": 4.0}
        ```
    """

    min_specificity: float = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        min_specificity: float,
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        AbstractOperatingPoint.__init__(
            self, task, resolution=resolution, exact=exact, undefined=undefined
        )
        self.min_specificity = _rate("min_specificity", min_specificity)

    def choose(self, points: Points) -> Choice:
        (recall, some), (specificity, more) = points.recall(), points.specificity()
        allowed = share_reaches(points.tn, self.min_specificity, points.negatives)
        return Choice(recall, specificity, allowed, some & more)


@final
class SpecificityAtSensitivity(AbstractOperatingPoint):
    r"""The highest specificity of all thresholds with at least a given sensitivity (recall), and
    the threshold that has it; of several, the one with the highest sensitivity.

    The value is exactly that of the threshold. Only thresholds at the edges of the cells of the
    [`eqmetrics.ScoreHistogram`][] are tried: few scores share a cell.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `min_sensitivity`: the sensitivity to be reached, above 0 and at most 1.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: rates jump, and thresholds are known by their cells.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: no row is positive, or none is negative. The lowest threshold has sensitivity
    1, so one always reaches `min_sensitivity`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        best = eqm.SpecificityAtSensitivity(eqm.Binary(), min_sensitivity=0.5)
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([1, 0, 0, 1])
        assert best(logits=logits, labels=labels) == {"value": 1.0, "threshold": 4.0}
        ```
    """

    min_sensitivity: float = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        min_sensitivity: float,
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        AbstractOperatingPoint.__init__(
            self, task, resolution=resolution, exact=exact, undefined=undefined
        )
        self.min_sensitivity = _rate("min_sensitivity", min_sensitivity)

    def choose(self, points: Points) -> Choice:
        (recall, some), (specificity, more) = points.recall(), points.specificity()
        allowed = share_reaches(points.tp, self.min_sensitivity, points.positives)
        return Choice(specificity, recall, allowed, some & more)
