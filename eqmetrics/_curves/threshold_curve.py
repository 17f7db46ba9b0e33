from typing import Any, final, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._decisions.stat_scores import StatScores
from .._decisions.task import AbstractTask, Binary, has_thresholds
from .._metric.messages import describe
from .._metric.node import rebuild
from .._metric.readout import AbstractPartialStatistic, AbstractReadout
from .._reduction.pair import add
from .._rows.rows import undefined_as
from .curve_points import check_points, per_class, Points, points_of
from .rank_score import scores_of_all
from .score_statistic import AbstractScores


def _of_counts(score: Any) -> Any:
    """The score without its state, which isn't read."""
    statistic = getattr(score, "statistic", None)
    if isinstance(statistic, AbstractPartialStatistic) and not isinstance(statistic, StatScores):
        statistic = statistic.larger()
    task = statistic.task if isinstance(statistic, StatScores) else None
    if not isinstance(task, Binary) or has_thresholds(task):
        raise TypeError(
            f"`score` is {describe(score)}, expected a score of the counts of a binary task, such "
            "as `eqm.F1(eqm.Binary())`. Each class of several is scored against all others."
        )
    value = jax.eval_shape(score.reset().compute)
    if not isinstance(value, jax.ShapeDtypeStruct) or value.shape != ():
        raise TypeError(f"`score` is {describe(score)}, expected one whose value is one number.")
    return eqx.filter(score, False)


def _at_points(score: Any, points: Points) -> Float32[Array, "classes points"]:
    """The score of the counts at each point."""
    support, predicted = add(points.tp, points.fn), points.predicted
    total = add(support, add(points.fp, points.tn))
    cells = jnp.stack([support, predicted, points.tp, total], axis=1)  # (2, 4, classes, points)

    def one(cells: Float32[Array, "2 4"]) -> Float32[Array, ""]:
        counts = StatScores(Binary())
        counts = counts.replace(sums=counts.sums.plus(cells=cells[..., None]))
        own = type(score.statistic)
        statistic = counts if own is StatScores else own.read(counts)
        return rebuild(score, {"statistic": statistic}).compute()

    return jax.vmap(jax.vmap(one, -1, -1), -1, -1)(cells)


class AbstractThresholds(AbstractReadout):
    """A score of counts at the thresholds of a curve."""

    task: AbstractTask = eqx.field(static=True)
    score: AbstractReadout = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: AbstractScores

    def __init__(
        self,
        task: AbstractTask,
        score: AbstractReadout,
        *,
        resolution: int | None,
        exact: int | None,
        undefined: float | None,
    ):
        self.task = task
        self.score = _of_counts(score)
        self.undefined = undefined
        self.statistic = scores_of_all(task, resolution, exact)


@final
class ThresholdCurve(AbstractThresholds):
    r"""A score of counts, such as F1, at all thresholds.

    Every point is exact, whatever the resolution: thresholds lie at the edges of the cells of
    [`eqmetrics.ScoreHistogram`][], where it is known which rows are above. At thresholds of your
    own, a score of [`eqmetrics.Binary`][]`(threshold=(0.1, 0.5))` needs no curve.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `score`: a score of `eqm.Binary()` that reads its counts, as [`eqmetrics.F1`][],
        [`eqmetrics.Accuracy`][], [`eqmetrics.MatthewsCorrelation`][] or one of your own.
    - `points`: how many points, evenly spread along the ROC curve; all of them,
        $2^{\mathrm{resolution}} + 3$ or one more than the capacity, if not given.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: scores jump, and thresholds are known by their cells.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: the score is, at a point.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        curve = eqm.ThresholdCurve(eqm.Binary(), eqm.F1(eqm.Binary()), points=4)
        logits, labels = jnp.array([1.0, 2.0, 3.0]), jnp.array([0, 0, 1])
        f1 = curve(logits=logits, labels=labels)
        assert f1["thresholds"].tolist()[1:] == [3, 2, 1] and f1["values"][1] == 1
        ```
    """

    points: int | None = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        score: AbstractReadout,
        *,
        points: int | None = None,
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        check_points(points)
        AbstractThresholds.__init__(
            self, task, score, resolution=resolution, exact=exact, undefined=undefined
        )
        self.points = points

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`values` and `thresholds`, of shape `(points,)`; `(classes, points)` if the task isn't
        binary. A row is positive if its score is at least the threshold; the first threshold is
        infinite."""
        points = points_of(self.statistic, number=self.points)
        values = _at_points(self.score, points)
        values = undefined_as(values, jnp.isnan(values), self.undefined)
        found = {"thresholds": points.thresholds, "values": values}
        return {name: per_class(x, self.task) for name, x in found.items()}


@final
class BestThreshold(AbstractThresholds):
    r"""The threshold at which a score of counts has its best value, and that value: the highest F1,
    say.

    The value is exactly that of the threshold. Only thresholds at the edges of the cells of the
    [`eqmetrics.ScoreHistogram`][] are tried: few scores share a cell. Of several thresholds with
    the best value it is the highest. On the rows on which the threshold was chosen the value is
    too good: measure it on others.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is scored
        against all others, or [`eqmetrics.Multilabel`][].
    - `score`: a score of `eqm.Binary()` that reads its counts, as [`eqmetrics.F1`][],
        [`eqmetrics.BalancedAccuracy`][], [`eqmetrics.MatthewsCorrelation`][] or one of your own.
    - `mode`: `"max"` if larger values are better, or `"min"`.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to so many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: scores jump, and thresholds are known by their cells.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: no threshold has a value.
    Source: Lipton, Elkan and Naryanaswamy, "Optimal thresholding of classifiers to maximize F1
    measure", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        best = eqm.BestThreshold(eqm.Binary(), eqm.F1(eqm.Binary()))
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        value = best(logits=logits, labels=labels)
        assert value["threshold"] == 2 and value["value"] == jnp.float32(0.8)
        ```
    """

    mode: Literal["max", "min"] = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        score: AbstractReadout,
        *,
        mode: Literal["max", "min"] = "max",
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        if mode not in ("max", "min"):
            raise ValueError(f"mode={mode!r}: expected 'max' or 'min'.")
        AbstractThresholds.__init__(
            self, task, score, resolution=resolution, exact=exact, undefined=undefined
        )
        self.mode = mode

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`value` and `threshold`: scalars, or of shape `(classes,)` if the task isn't binary. A
        row is positive if its score is at least the threshold."""
        points = points_of(self.statistic)
        values = _at_points(self.score, points)
        known = ~jnp.isnan(values)
        height = values if self.mode == "max" else -values
        index = jnp.argmax(jnp.where(known, height, -jnp.inf), axis=-1)[:, None]
        at = lambda x: jnp.take_along_axis(x, index, axis=-1)[:, 0]
        some = jnp.any(known, axis=-1)
        found = {
            "threshold": jnp.where(some, at(points.thresholds), jnp.nan),
            "value": undefined_as(at(values), ~some, self.undefined),
        }
        return {name: per_class(x, self.task) for name, x in found.items()}
