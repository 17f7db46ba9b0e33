from typing import final, get_args, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._decisions.average import mean_of
from .._decisions.task import AbstractTask
from .._metric.readout import AbstractReadout
from .._reduction.pair import add, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.nearest_quotient import quotient, quotient_or
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .calibration_bins import CalibrationBins
from .proper_scores import check_label_average, LabelAverage


Norm = Literal["l1", "l2", "max"]


def check_norm(norm: Norm) -> None:
    if norm not in get_args(Norm):
        raise ValueError(f"norm={norm!r}: expected one of {get_args(Norm)}.")


def norm_of(
    gap: Float32[Array, "problems bins"], shares: Float32[Array, "problems bins"], norm: Norm
) -> Float32[Array, "problems"]:
    if norm == "max":
        return jnp.max(gap, axis=-1)
    if norm == "l1":
        return jnp.sum(shares * gap, axis=-1)
    return root(jnp.sum(shares * gap**2, axis=-1))


def averaged(
    values: Float32[Array, "problems"],
    defined: Bool[Array, "problems"],
    apart: AbstractTask | None,
    average: LabelAverage,
    undefined: float | None,
) -> Float32[Array, "..."]:
    """The only value; or if labels or classes are apart, that of each, or their mean."""
    if apart is None:
        return undefined_as(values, ~defined, undefined)[0]
    part = jnp.asarray(apart.takes_part())
    if average is None:
        return jnp.where(part, undefined_as(values, ~defined, undefined), jnp.nan)
    return mean_of(values, (part & defined).astype(jnp.float32), undefined)


@final
class CalibrationError(AbstractReadout):
    r"""How far confidence is from accuracy, over bins of equal width.

    With $w_b$ the share of the rows in bin $b$ and $\Delta_b$ their accuracy less their mean
    confidence: `"l1"` is $\sum_b w_b |\Delta_b|$, the expected calibration error (ECE), `"l2"`
    $\sqrt{\sum_b w_b \Delta_b^2}$ and `"max"` $\max_b |\Delta_b|$.

    For a binary task the confidence is the probability of class 1, and right is a label of 1, as in
    torchmetrics. See [`eqmetrics.CalibrationBins`][] for the bins.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which the highest
        probability is the confidence, or [`eqmetrics.Multilabel`][].
    - `norm`: `"l1"`, `"l2"` or `"max"`.
    - `bins`: how many bins there are.
    - `per_class`: for a multiclass task, take each class against all others instead: the
        class-wise error.
    - `average`: for a multilabel task, and per class, `"macro"`, the mean over the labels or
        classes where it is defined, or `None`, for each. An ignored class is skipped.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.CalibrationBins`][], shared.
    Undefined when: no row was seen.
    Source: Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning",
    2015; Kull et al., "Beyond temperature scaling", 2019, for the class-wise one.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.CalibrationError(eqm.Binary(), bins=10)
        value = error(probabilities=jnp.array([0.75, 0.75, 0.25]), labels=jnp.array([1, 1, 0]))
        assert value == 0.25
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    norm: Norm = eqx.field(static=True)
    average: LabelAverage = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: CalibrationBins

    def __init__(
        self,
        task: AbstractTask,
        *,
        norm: Norm = "l1",
        bins: int = 15,
        per_class: bool = False,
        average: LabelAverage = "macro",
        undefined: float | None = None,
    ):
        check_norm(norm)
        check_label_average(average)
        self.task = task
        self.norm = norm
        self.average = average
        self.undefined = undefined
        self.statistic = CalibrationBins(task, bins=bins, per_class=per_class)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; if `average` is `None`, of shape `(labels,)` for a multilabel task, and
        `(classes,)` per class."""
        weight, confidence, right = self.statistic.exact().values()
        # In pairs: the difference of two nearly equal sums would lose the digits of float32.
        gap = jnp.abs(to_float(add(right, -confidence)))
        each, total = to_float(weight), to_float(sum_pairs(jnp.moveaxis(weight, -1, 1)))
        gap = jnp.where(each > 0, over(gap, each), 0)
        shares = quotient(each, total[:, None])
        values = norm_of(gap, shares, self.norm)
        apart = self.task if self.statistic.apart else None
        return averaged(values, total > 0, apart, self.average, self.undefined)


@final
class ReliabilityDiagram(AbstractReadout):
    """The points of a reliability diagram: the confidence and accuracy of each bin of confidence.

    **Arguments:**

    - `task`, `bins`, `per_class`: as for [`eqmetrics.CalibrationBins`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.CalibrationBins`][], shared.
    Undefined when: `confidence` and `accuracy` of a bin, if it has no rows; its weight is 0.
    Source: Murphy and Winkler, "Reliability of subjective probability forecasts of
    precipitation and temperature", 1977.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        diagram = eqm.ReliabilityDiagram(eqm.Binary(), bins=2, undefined=0.0)
        bins = diagram(probabilities=jnp.array([0.75, 0.5, 1.0]), labels=jnp.array([1, 0, 1]))
        assert bins["confidence"].tolist() == [0, 0.75] and bins["weight"].tolist() == [0, 3]
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: CalibrationBins

    def __init__(
        self,
        task: AbstractTask,
        *,
        bins: int = 15,
        per_class: bool = False,
        undefined: float | None = None,
    ):
        self.undefined = undefined
        self.statistic = CalibrationBins(task, bins=bins, per_class=per_class)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of `confidence` and `accuracy`, means over the rows of each bin, and its `weight`:
        of shape `(bins,)`; for a multilabel task, or per class, `(labels, bins)`."""
        sums = self.statistic.compute()
        weight = sums["weight"]
        mean = lambda x: quotient_or(x, weight, self.undefined)
        found = {
            "confidence": mean(sums["confidence"]),
            "accuracy": mean(sums["right"]),
            "weight": weight,
        }
        return found if self.statistic.apart else {name: x[0] for name, x in found.items()}
