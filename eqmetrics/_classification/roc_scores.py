from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._readout import AbstractReadout
from .._task import AbstractTask
from .average import average_classes, AverageKind, check_average
from .curve_points import Points, points_of
from .score_histogram import ScoreHistogram


def averaged(
    values: Array, points: Points, task: AbstractTask, average: AverageKind, undefined: float | None
) -> Float32[Array, "..."]:
    positives, negatives = points.tp[:, -1], points.fp[:, -1]
    defined = (positives > 0) & (negatives > 0)
    return average_classes(values, defined, positives, task, average, undefined)


@final
class EqualErrorRate(AbstractReadout):
    r"""The rate at which false positives and false negatives are equally frequent, on the ROC
    curve drawn with straight lines.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their positives; `None`, of each class.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.ScoreHistogram`][], shared.
    Undefined when: no row is positive, or none is negative.
    Source: Martin et al., "The DET curve in assessment of detection task performance", 1997.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metric = eqm.EqualErrorRate(eqm.Binary())
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        assert metric(logits=logits, labels=labels) == 0.5
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

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        points = points_of(self.statistic)
        fpr, _ = points.fall_out()
        gap = points.fn / points.tp[:, -1:] - fpr  # from 1 down to -1
        index = jnp.argmax(gap <= 0, axis=-1)[:, None]
        before, after = (
            [jnp.take_along_axis(x, i, axis=-1)[:, 0] for x in (gap, fpr)]
            for i in (jnp.maximum(index - 1, 0), index)
        )
        share = before[0] / (before[0] - after[0])
        values = before[1] + share * (after[1] - before[1])
        return averaged(values, points, self.task, self.average, self.undefined)


@final
class KolmogorovSmirnov(AbstractReadout):
    r"""The largest distance between the distributions of the scores of positives and of
    negatives: $\max_s |\mathrm{TPR}(s) - \mathrm{FPR}(s)|$.

    Of the thresholds at the edges of the cells, so never too large.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `average`: `"macro"`, the mean over the classes where it is defined; `"weighted"`, that
        weighted by their positives; `None`, of each class.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.ScoreHistogram`][], shared.
    Undefined when: no row is positive, or none is negative.
    Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metric = eqm.KolmogorovSmirnov(eqm.Binary())
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        assert metric(logits=logits, labels=labels) == 0.5
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

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        points = points_of(self.statistic)
        (tpr, _), (fpr, _) = points.recall(), points.fall_out()
        values = jnp.max(jnp.abs(tpr - fpr), axis=-1)
        return averaged(values, points, self.task, self.average, self.undefined)
