from typing import final

from jaxtyping import Array, Bool

from .._reduction.pair import to_float
from .curve_points import AbstractCurve, Points


@final
class PrecisionRecallCurve(AbstractCurve, init=False):
    r"""Precision and recall at all thresholds. Where nothing is predicted as positive the precision
    is 1, as in scikit-learn. The area under its steps is [`eqmetrics.AveragePrecision`][].

    Every point is one of the exact curve, whatever the resolution: thresholds lie at the edges
    of the cells of [`eqmetrics.ScoreHistogram`][], where it is known which rows are above. The
    number of points is fixed, so a point may come several times.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is taken
        against all others, or [`eqmetrics.Multilabel`][].
    - `points`: how many points, evenly spread along the ROC curve; all of them,
        $2^{\mathrm{resolution}} + 3$ or one more than the capacity, if not given.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces undefined rates; NaN if not given.

    The gradient is 0: rates jump, and thresholds are known by their cells.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: `recall`, if no row is positive; `precision`, if no row was seen.
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

    def rates(self, points: Points) -> dict[str, tuple[Array, Bool[Array, "classes"]]]:
        some = to_float(points.predicted)[:, -1] != 0
        return {"recall": points.recall(), "precision": (points.precision(), some)}
