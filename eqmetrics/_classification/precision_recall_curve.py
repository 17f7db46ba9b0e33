from typing import final

import equinox as eqx
from jaxtyping import Array, Float32

from .._readout import AbstractReadout
from .._rows import undefined_as
from .._task import AbstractTask
from .curve_points import check_points, per_class, points_of
from .score_histogram import ScoreHistogram


@final
class PrecisionRecallCurve(AbstractReadout):
    r"""Precision and recall for all thresholds. Where nothing is predicted the precision is 1, as
    in scikit-learn; its area in steps is [`eqmetrics.AveragePrecision`][].

    Every point is one of the exact curve, whatever the resolution: thresholds lie at the edges
    of the cells of [`eqmetrics.ScoreHistogram`][], where it is known which rows are above. The
    number of points is fixed, so a point may come several times.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is taken
        against all others, or [`eqmetrics.Multilabel`][].
    - `points`: how many points, evenly spread along the ROC curve; all of them,
        $2^{\mathrm{resolution}} + 3$, if not given.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `undefined`: what replaces undefined rates; NaN if not given.

    State: that of [`eqmetrics.ScoreHistogram`][], shared.
    Undefined when: no row is positive, `recall`; no row was seen, `precision`.
    Source: Davis and Goadrich, "The relationship between precision-recall and ROC curves", 2006.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        curve = eqm.PrecisionRecallCurve(eqm.Binary(), points=3)
        logits, labels = jnp.array([1.0, 2.0, 2.0]), jnp.array([0, 0, 1])
        both = curve(logits=logits, labels=labels)
        assert both["recall"].tolist() == [0, 1, 1] and both["precision"][1] == 0.5
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    points: int | None = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: ScoreHistogram

    def __init__(
        self,
        task: AbstractTask,
        *,
        points: int | None = None,
        resolution: int | None = None,
        undefined: float | None = None,
    ):
        check_points(points)
        self.task = task
        self.points = points
        self.undefined = undefined
        self.statistic = ScoreHistogram(task, resolution=resolution)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`recall`, `precision` and `thresholds`, of shape `(points,)`; `(classes, points)` if the
        task isn't binary. A row is positive if its score is at least the threshold; the first
        threshold is infinite."""
        points = points_of(self.statistic, number=self.points)
        recall, known = points.recall()
        nothing = points.tp[:, -1:] + points.fp[:, -1:] == 0
        found = {
            "recall": undefined_as(recall, ~known[:, None], self.undefined),
            "precision": undefined_as(points.precision(), nothing, self.undefined),
            "thresholds": points.thresholds,
        }
        return {name: per_class(x, self.task) for name, x in found.items()}
