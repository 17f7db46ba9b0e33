from typing import final

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._rows.quotient import over
from .curve_points import AbstractPointScore, Points


@final
class EqualErrorRate(AbstractPointScore, init=False):
    r"""The rate at which the false positive rate equals the false negative rate, on the ROC curve
    drawn with straight lines.

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
    Source: Martin et al., "The DET curve in assessment of detection task performance", 1997.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metric = eqm.EqualErrorRate(eqm.Binary())
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        assert metric(logits=logits, labels=labels) == 0.5
        ```
    """

    def of_points(self, points: Points) -> Float32[Array, "classes"]:
        (fnr, _), (fpr, _) = points.miss_rate(), points.fall_out()
        gap = fnr - fpr  # from 1 down to -1
        index = jnp.argmax(gap <= 0, axis=-1)[:, None]
        before, after = (
            [jnp.take_along_axis(x, i, axis=-1)[:, 0] for x in (gap, fpr)]
            for i in (jnp.maximum(index - 1, 0), index)
        )
        share = over(before[0], before[0] - after[0])
        between = before[1] + share * (after[1] - before[1])
        return jnp.where(after[0] == 0, after[1], between)


@final
class KolmogorovSmirnov(AbstractPointScore, init=False):
    r"""The largest distance between the distributions of the scores of positives and of
    negatives: $\max_s |\mathrm{TPR}(s) - \mathrm{FPR}(s)|$.

    Only thresholds at the edges of the cells are tried, so it is never too large.

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
    Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metric = eqm.KolmogorovSmirnov(eqm.Binary())
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        assert metric(logits=logits, labels=labels) == 0.5
        ```
    """

    def of_points(self, points: Points) -> Float32[Array, "classes"]:
        (tpr, _), (fpr, _) = points.recall(), points.fall_out()
        return jnp.max(jnp.abs(tpr - fpr), axis=-1)
