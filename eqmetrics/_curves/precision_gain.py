from typing import final

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .curve_points import AbstractPointScore, Points


@final
class PrecisionRecallGain(AbstractPointScore, init=False):
    r"""The area under the precision-recall-gain curve, AUPRG: 1 is perfect, 0 is that of a random
    order, and it may be compared between data sets with different shares of positives.

    $\int_0^1 \mathrm{pg}\,d\,\mathrm{rg}$ with the gains
    $\mathrm{pg} = 1 - \frac{\pi}{1 - \pi} \frac{\mathrm{FP}}{\mathrm{TP}}$ and
    $\mathrm{rg} = 1 - \frac{\pi}{1 - \pi} \frac{\mathrm{FN}}{\mathrm{TP}}$, where $\pi$ is the
    share of positives. It is piecewise linear where the ROC curve is, also in a cell of several
    scores.

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
    Source: Flach and Kull, "Precision-recall-gain curves: PR analysis done right", 2015.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        gain = eqm.PrecisionRecallGain(eqm.Binary())
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        assert abs(gain(logits=logits, labels=labels) - 0.25) < 1e-6
        ```
    """

    def of_points(self, points: Points) -> Float32[Array, "classes"]:
        tp, fp = to_float(points.tp), to_float(points.fp)
        p, n = to_float(points.positives), to_float(points.negatives)
        odds, first = over(p, n), p * over(p, p + n)  # the recall gain is 0 at this TP
        t0, t1, f0, f1 = tp[:, :-1], tp[:, 1:], fp[:, :-1], fp[:, 1:]
        slope = jnp.where(t1 > t0, over(f1 - f0, t1 - t0), 0)
        start = jnp.maximum(t0, first)
        end = jnp.maximum(t1, start)
        wrong = f0 + slope * (start - t0), f1 + slope * (end - t1)
        lost = odds * over(wrong[0], start) + odds * over(wrong[1], end)
        length = odds * over(p, start) * over(end - start, end)
        # What is lost against a perfect order, whose area is 1.
        each = jnp.where(end > start, 0.5 * length * lost, 0)
        return 1 - to_float(sum_rows(each.T))
