from typing import final

import equinox as eqx
from jaxtyping import Array, Float32

from .._readout import AbstractReadout
from .._rows import undefined_as
from .._task import AbstractTask
from .curve_points import check_points, per_class, points_of
from .score_histogram import ScoreHistogram


@final
class ROC(AbstractReadout):
    r"""The receiver operating characteristic: the true positive rate over the false positive
    rate, for all thresholds.

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
    Undefined when: no row is positive, `tpr`; none is negative, `fpr`.
    Source: Fawcett, "An introduction to ROC analysis", 2006.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        curve = eqm.ROC(eqm.Binary(), points=3)
        logits, labels = jnp.array([1.0, 2.0, 2.0]), jnp.array([0, 0, 1])
        roc = curve(logits=logits, labels=labels)
        assert roc["fpr"].tolist() == [0, 0.5, 1] and roc["tpr"].tolist() == [0, 1, 1]
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
        """`fpr`, `tpr` and `thresholds`, of shape `(points,)`; `(classes, points)` if the
        task isn't binary. A row is positive if its score is at least the threshold; the first
        threshold is infinite."""
        points = points_of(self.statistic, number=self.points)
        (tpr, known), (fpr, known_too) = points.recall(), points.fall_out()
        found = {
            "fpr": undefined_as(fpr, ~known_too[:, None], self.undefined),
            "tpr": undefined_as(tpr, ~known[:, None], self.undefined),
            "thresholds": points.thresholds,
        }
        return {name: per_class(x, self.task) for name, x in found.items()}


@final
class DET(AbstractReadout):
    r"""The detection error tradeoff: the false negative rate over the false positive rate, for
    all thresholds.

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
    Undefined when: no row is positive, `fnr`; none is negative, `fpr`.
    Source: Martin et al., "The DET curve in assessment of detection task performance", 1997.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        curve = eqm.DET(eqm.Binary(), points=3)
        logits, labels = jnp.array([1.0, 2.0, 2.0]), jnp.array([0, 0, 1])
        det = curve(logits=logits, labels=labels)
        assert det["fpr"].tolist() == [0, 0.5, 1] and det["fnr"].tolist() == [1, 0, 0]
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
        """`fpr`, `fnr` and `thresholds`, of shape `(points,)`; `(classes, points)` if the
        task isn't binary. A row is positive if its score is at least the threshold; the first
        threshold is infinite."""
        points = points_of(self.statistic, number=self.points)
        (_, known), (fpr, known_too) = points.recall(), points.fall_out()
        # not 1 - tpr, which cancels where it is small
        fnr = points.fn / points.tp[:, -1:]
        found = {
            "fpr": undefined_as(fpr, ~known_too[:, None], self.undefined),
            "fnr": undefined_as(fnr, ~known[:, None], self.undefined),
            "thresholds": points.thresholds,
        }
        return {name: per_class(x, self.task) for name, x in found.items()}
