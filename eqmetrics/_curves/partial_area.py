import math
from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._decisions.average import AverageKind
from .._decisions.task import AbstractTask
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .._rows.row_mean import Empty
from .curve_points import AbstractPointScore, Points


def _segments(points: Points, low: float, high: float) -> tuple[Array, ...]:
    """For each straight line of the ROC curve, cut to `low <= fpr <= high`: where it begins and
    ends, the true positive rates at both, and its slope. One outside has the length 0."""
    (y, _), (x, _) = points.recall(), points.fall_out()
    x0, x1, y0, y1 = x[:, :-1], x[:, 1:], y[:, :-1], y[:, 1:]
    slope = jnp.where(x1 > x0, over(y1 - y0, x1 - x0), 0)
    start = jnp.maximum(x0, low)
    end = jnp.maximum(jnp.minimum(x1, high), start)
    return start, end, y0 + slope * (start - x0), y1 + slope * (end - x1), slope


def _sum(x: Array) -> Float32[Array, "classes"]:
    return to_float(sum_rows(x.T))


@final
class PartialAUROC(AbstractPointScore):
    r"""The area under the ROC curve up to a given false positive rate, standardized.

    $\frac12 (1 + \frac{A - m^2 / 2}{m - m^2 / 2})$ for the area $A$ up to the rate $m$: 0.5 is
    chance and 1 perfect, as in scikit-learn's `roc_auc_score(max_fpr=m)`. In a cell of several
    scores the curve is a straight line.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `max_fpr`: the false positive rate, above 0 and at most 1.
    - `standardized`: whether to rescale as above, or to give the area $A$ itself.
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
    Source: McClish, "Analyzing a portion of the ROC curve", 1989.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metric = eqm.PartialAUROC(eqm.Binary(), max_fpr=0.5)
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        assert metric(logits=logits, labels=labels) == jnp.float32(2 / 3)
        ```
    """

    max_fpr: float = eqx.field(static=True)
    standardized: bool = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        max_fpr: float,
        standardized: bool = True,
        average: AverageKind = "macro",
        include: Sequence[int] | None = None,
        empty: Empty = "skip",
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        if not 0 < max_fpr <= 1:
            raise ValueError(f"max_fpr={max_fpr}: expected a rate above 0 and at most 1.")
        self.max_fpr = max_fpr
        self.standardized = standardized
        AbstractPointScore.__init__(
            self,
            task,
            average=average,
            include=include,
            empty=empty,
            resolution=resolution,
            exact=exact,
            undefined=undefined,
        )

    def of_points(self, points: Points) -> Float32[Array, "classes"]:
        start, end, at_start, at_end, _ = _segments(points, 0.0, self.max_fpr)
        # What is lost against a perfect order: exactly 0 of a perfect one.
        lost = _sum((end - start) * 0.5 * ((1 - at_start) + (1 - at_end)))
        area = _sum((end - start) * 0.5 * (at_start + at_end))
        if not self.standardized:
            return jnp.where(area <= lost, area, self.max_fpr - lost)
        least, most = self.max_fpr**2 / 2, self.max_fpr
        small = 0.5 * (1 + (area - least) / (most - least))
        return jnp.where(area <= lost, small, 1 - 0.5 * lost / (most - least))


@final
class LogAUC(AbstractPointScore):
    r"""The mean true positive rate over the logarithm of the false positive rate, between two
    rates: positives that are found early count more.

    $\int_a^b \mathrm{TPR}(x)\,\frac{dx}{x} / \log\frac{b}{a}$, on the ROC curve drawn with straight
    lines. Chance is $(b - a) / \log\frac ba$, 0.0215 by default; a perfect order is 1.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `min_fpr`, `max_fpr`: the two false positive rates, above 0 and at most 1.
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
    Source: Mysinger and Shoichet, "Rapid context-dependent ligand desolvation in molecular
    docking", 2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metric = eqm.LogAUC(eqm.Binary())
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        assert abs(metric(logits=logits, labels=labels) - 0.5) < 1e-6
        ```
    """

    min_fpr: float = eqx.field(static=True)
    max_fpr: float = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        min_fpr: float = 0.001,
        max_fpr: float = 0.1,
        average: AverageKind = "macro",
        include: Sequence[int] | None = None,
        empty: Empty = "skip",
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        if not 0 < np.float32(min_fpr) < np.float32(max_fpr) <= 1:
            raise ValueError(
                f"min_fpr={min_fpr} and max_fpr={max_fpr}: expected 0 < min_fpr < max_fpr <= 1."
            )
        self.min_fpr = min_fpr
        self.max_fpr = max_fpr
        AbstractPointScore.__init__(
            self,
            task,
            average=average,
            include=include,
            empty=empty,
            resolution=resolution,
            exact=exact,
            undefined=undefined,
        )

    def of_points(self, points: Points) -> Float32[Array, "classes"]:
        start, end, at_start, _, slope = _segments(points, self.min_fpr, self.max_fpr)
        log = jnp.log1p((end - start) / start)
        rise = slope * ((end - start) - start * log)
        area, lost = _sum(at_start * log + rise), _sum((1 - at_start) * log - rise)
        # Of the two rates as they are in float32: rounding could move a narrow range by its length.
        low, high = float(np.float32(self.min_fpr)), float(np.float32(self.max_fpr))
        length = math.log1p((high - low) / low)
        return jnp.where(area <= lost, area / length, 1 - lost / length)
