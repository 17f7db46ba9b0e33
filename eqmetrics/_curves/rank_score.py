"""Readouts of curves, and scores that depend on the order of rows alone: a value, and bounds that
the cells prove."""

import abc
import functools as ft
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._decisions.average import (
    average_classes,
    AverageKind,
    check_average,
    Scope,
    scope_of,
)
from .._decisions.task import AbstractTask, Binary
from .._metric.bounds import AbstractBounded
from .._metric.readout import AbstractReadout
from .._metric.wrapped import nan_where_left_out
from .._reduction.pair import divide, inlined, lift, multiply, Pair, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.row_mean import Empty
from .._rows.rows import undefined_as
from .score_buffer import ScoreBuffer
from .score_histogram import ScoreHistogram
from .score_statistic import AbstractScores, Cells


def scores_of_all(
    task: AbstractTask, resolution: int | None, exact: int | None, pairs: bool = False
) -> AbstractScores:
    """The statistic of a readout: cells, or the rows themselves if `exact` is given."""
    if exact is None:
        return ScoreHistogram(task, resolution=resolution, pairs=pairs)
    if resolution is not None:
        raise ValueError("`exact` keeps rows and no cells: leave out `resolution`.")
    return ScoreBuffer(task, exact)


class AbstractClassCurve(AbstractReadout):
    """A score of each class that is read from its curve, and its averages."""

    task: AbstractTask = eqx.field(static=True)
    average: AverageKind = eqx.field(static=True)
    scope: Scope = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: AbstractScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        average: AverageKind = "macro",
        include: Sequence[int] | None = None,
        empty: Empty = "skip",
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        check_average(average)
        self.task = task
        self.average = average
        self.scope = scope_of(task, include, empty)
        self.undefined = undefined
        self.statistic = scores_of_all(task, resolution, exact)

    @property
    def joined(self) -> tuple[int, ...] | None:
        """The classes that a micro average takes as one."""
        if self.average != "micro":
            return None
        return tuple(np.flatnonzero(self.scope.part(self.task)).tolist())

    def averaged(
        self, values: Array, defined: Bool[Array, "classes"], positives: Array
    ) -> Float32[Array, "..."]:
        return average_classes(
            values, defined, positives, self.task, self.average, self.undefined, self.scope
        )


class Interval(NamedTuple):
    """What a layout knows of each class: `low <= exact value <= high`, and the likeliest value."""

    low: Float32[Array, "classes"]
    value: Float32[Array, "classes"]
    high: Float32[Array, "classes"]

    def meet(self, other: Self) -> "Interval":
        """What two layouts know together: the value is that of the narrower one."""
        low, high = jnp.maximum(self.low, other.low), jnp.minimum(self.high, other.high)
        narrower = self.high - self.low <= other.high - other.low
        value = jnp.where(narrower, self.value, other.value)
        return Interval(low, jnp.clip(value, low, high), high)


# More than rounding a number of at most 1 to float32, and adding this, can change.
ROUNDING = 1e-7


@ft.partial(inlined, static_argnames=("undefined", "least"))
def mean_between(
    found: Interval, weights: Pair, undefined: float | None, least: float
) -> Interval:
    """The weighted mean over the classes whose weight isn't 0: in pairs, and widened last of all,
    since the rounded mean of two bounds needn't be a bound."""
    each = jnp.stack([jnp.where(weights[0] > 0, x, 0) for x in found])
    sums = sum_pairs(jnp.moveaxis(multiply(lift(each), weights[:, None]), -1, 1))
    total = sum_pairs(jnp.moveaxis(weights, -1, 1))
    nothing = total[0] == 0
    safe = jnp.where(nothing, lift(jnp.ones((), jnp.float32)), total)
    low, value, high = to_float(divide(sums, safe[:, None]))
    low, high = jnp.maximum(low - ROUNDING, least), jnp.minimum(high + ROUNDING, 1)
    return Interval(*(undefined_as(x, nothing, undefined) for x in (low, value, high)))


@ft.partial(inlined, static_argnames=("interval", "joined"))
def _read(
    statistic: AbstractScores,
    interval: Callable[[Cells], Interval],
    joined: tuple[int, ...] | None,
) -> tuple[Interval, Pair, Pair]:
    layouts = statistic.layouts(joined)
    both = ft.reduce(Interval.meet, map(interval, layouts))
    mixed = statistic.mixed()
    if joined is not None:
        pairs = (sum_pairs(jnp.moveaxis(x, -1, 1)) for x in layouts[0][:2])
    else:
        pairs = statistic.totals()
    negatives, positives = pairs
    return Interval(*(jnp.where(mixed, jnp.nan, x) for x in both)), negatives, positives


class AbstractRankScore(AbstractClassCurve, AbstractBounded, init=False):
    """A score of each class that depends on the order of its rows alone. A subclass writes
    `interval` and `defined`, and sets `least`, the smallest value; 1 is the largest."""

    least: ClassVar[float]

    @staticmethod
    @abc.abstractmethod
    def interval(cells: Cells) -> Interval:
        """What the cells of one layout prove."""

    @staticmethod
    @abc.abstractmethod
    def defined(negatives: Array, positives: Array) -> Bool[Array, "classes"]:
        """Whether the score is defined, by the weights of negatives and positives."""

    @abc.abstractmethod
    def intervals(self) -> Interval:
        """The value and bounds of the average: `each_against_the_others(self)` for most scores."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        return self.intervals().value

    def bounds(self) -> tuple[Float32[Array, "..."], Float32[Array, "..."]]:
        """`(low, high)`, of the shape of `compute()`: the score of the rows that were seen lies
        between them, and the state proves it."""
        found = self.intervals()
        return nan_where_left_out(self, (found.low, found.high))


def each_against_the_others(score: AbstractRankScore) -> Interval:
    found, negatives, positives = _read(
        score.statistic, interval=type(score).interval, joined=score.joined
    )
    defined = score.defined(to_float(negatives), to_float(positives))
    if isinstance(score.task, Binary) or score.average in ("micro", None):
        return Interval(*(score.averaged(x, defined, to_float(positives)) for x in found))
    part = jnp.asarray(score.scope.part(score.task))
    weights = positives if score.average == "weighted" else lift(jnp.ones_like(positives[0]))
    if score.scope.empty != "skip":
        instead = 1.0 if score.scope.empty == "one" else 0.0
        found, defined = Interval(*(jnp.where(defined, x, instead) for x in found)), part
    defined &= part
    return mean_between(found, jnp.where(defined, weights, 0), score.undefined, least=score.least)
