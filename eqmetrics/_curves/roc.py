from typing import final

from jaxtyping import Array, Bool

from .curve_points import AbstractCurve, Points


@final
class ROC(AbstractCurve, init=False):
    r"""The receiver operating characteristic: the true positive rate against the false positive
    rate, at all thresholds.

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
    Undefined when: `tpr`, if no row is positive; `fpr`, if none is negative.
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

    def rates(self, points: Points) -> dict[str, tuple[Array, Bool[Array, "classes"]]]:
        return {"fpr": points.fall_out(), "tpr": points.recall()}


@final
class DET(AbstractCurve, init=False):
    r"""The detection error tradeoff: the false negative rate against the false positive rate, at
    all thresholds.

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
    Undefined when: `fnr`, if no row is positive; `fpr`, if none is negative.
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

    def rates(self, points: Points) -> dict[str, tuple[Array, Bool[Array, "classes"]]]:
        # Not 1 - tpr, which loses digits where it is small.
        return {"fpr": points.fall_out(), "fnr": points.miss_rate()}
