"""A score of each class, and its averages. Undefined classes, and an ignored one, are skipped."""

import abc
from collections.abc import Callable, Sequence
from typing import ClassVar, get_args, Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._metric.readout import AbstractReadout
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.nearest_quotient import quotient, quotient_or
from .._rows.row_mean import check_empty, Empty
from .._rows.rows import undefined_as
from .stat_scores import Counts, StatScores
from .task import AbstractTask, Binary, has_thresholds


AverageKind = Literal["micro", "macro", "weighted"] | None


def check_average(average: AverageKind, micro: bool = True) -> None:
    kinds = get_args(get_args(AverageKind)[0])[0 if micro else 1 :]
    if average is not None and average not in kinds:
        raise ValueError(f"average={average!r}: expected one of {kinds}, or None.")


def included(task: AbstractTask, include: Sequence[int] | None) -> tuple[int, ...]:
    """The classes that take part in averages: those asked for, less an ignored one."""
    part = task.takes_part()
    if include is None:
        return tuple(int(c) for c in np.flatnonzero(part))
    asked = sorted(int(c) for c in include)
    if isinstance(task, Binary):
        raise ValueError(f"include={include!r}: a binary task has one class, and no choice.")
    if not asked or len(set(asked)) < len(asked) or asked[0] < 0 or asked[-1] >= task.classes:
        raise ValueError(
            f"include={include!r}: expected different classes in [0, {task.classes}), at least "
            f"one; `include=range(1, {task.classes})` leaves out the background."
        )
    left_out = [c for c in asked if not part[c]]
    if left_out:
        raise ValueError(f"include={include!r}: class {left_out[0]} is the task's `ignore_index`.")
    return tuple(asked)


class Scope(NamedTuple):
    """What an average is taken over: the classes asked for, all if `include` is `None`, and what an
    undefined class counts as."""

    include: tuple[int, ...] | None = None
    empty: Empty = "skip"

    def part(self, task: AbstractTask) -> np.ndarray:
        """Which classes take part."""
        if self.include is None:
            return task.takes_part()
        return np.isin(np.arange(task.classes), self.include)


ALL = Scope()


def scope_of(
    task: AbstractTask, include: Sequence[int] | None, empty: Empty = "skip"
) -> Scope:
    check_empty(empty)
    return Scope(None if include is None else included(task, include), empty)


def mean_of(values: Array, weights: Array, undefined: float | None) -> Float32[Array, ""]:
    """The weighted mean over the classes whose weight isn't 0."""
    kept = jnp.where(weights > 0, values, 0) * weights
    total = _total(weights)
    return quotient_or(_total(kept), total, undefined)


def _total(x: Float32[Array, "classes"]) -> Float32[Array, ""]:
    # Of a few classes a plain sum is right to the last place or two; and XLA joins it with others
    # of a collection, unlike a compensated sum.
    return jnp.sum(x) if x.shape[0] <= 256 else to_float(sum_rows(x))


def average_of(
    ratio: Callable[[Counts], tuple[Array, Array]],
    statistic: StatScores,
    average: AverageKind,
    undefined: float | None,
    scope: Scope = ALL,
) -> Float32[Array, "..."]:
    """`ratio` returns the numerator and the denominator, both linear in the counts, so that the
    micro average is the ratio of the totals."""
    counts, task = statistic.counts(), statistic.task
    part = jnp.asarray(scope.part(task))
    if average == "micro" and not has_thresholds(task):
        top, bottom = ratio(counts.total(part).floats())
        return quotient_or(top, bottom, undefined)
    each = counts.floats()
    top, bottom = ratio(each)
    return average_classes(
        quotient(top, bottom), bottom != 0, each.tp + each.fn, task, average, undefined, scope
    )


def average_classes(
    values: Float32[Array, "classes"],
    defined: Bool[Array, "classes"],
    support: Float32[Array, "classes"],
    task: AbstractTask,
    average: AverageKind,
    undefined: float | None,
    scope: Scope = ALL,
) -> Float32[Array, "..."]:
    if has_thresholds(task):
        return undefined_as(values, ~defined, undefined)
    part = jnp.asarray(scope.part(task))
    if isinstance(task, Binary) or average == "micro":  # there is one value
        return undefined_as(values, ~defined, undefined)[0]
    if average is None:
        return jnp.where(part, undefined_as(values, ~defined, undefined), jnp.nan)
    weights = support if average == "weighted" else jnp.ones_like(values)
    if scope.empty != "skip":
        values = jnp.where(defined, values, 1.0 if scope.empty == "one" else 0.0)
        return mean_of(values, jnp.where(part, weights, 0), undefined)
    return mean_of(values, jnp.where(part & defined, weights, 0), undefined)


def each_problem(
    values: Array, defined: Bool[Array, "problems"], task: AbstractTask, undefined: float | None
) -> Float32[Array, "..."]:
    """The mean over the problems of a task for which a score is defined: its labels, if it has
    several. Of several thresholds each has its value."""
    if has_thresholds(task):
        return undefined_as(values, ~defined, undefined)
    return mean_of(values, defined.astype(jnp.float32), undefined)


class AbstractClassAverage(AbstractReadout):
    """Scores of each class that are read from its counts, and their averages."""

    micro: ClassVar[bool]  # whether there is a score of all counts together

    task: AbstractTask = eqx.field(static=True)
    average: AverageKind = eqx.field(static=True)
    scope: Scope = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: StatScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        average: AverageKind = "macro",
        include: Sequence[int] | None = None,
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        check_average(average, micro=self.micro)
        self.task = task
        self.average = average
        self.scope = scope_of(task, include, empty)
        self.undefined = undefined
        self.statistic = StatScores(task)


class AbstractClassScore(AbstractClassAverage, init=False):
    """A score of each class that is a ratio of its counts. A subclass writes `ratio`."""

    micro: ClassVar[bool] = True

    @abc.abstractmethod
    def ratio(self, counts: Counts) -> tuple[Array, Array]:
        """The numerator and the denominator, linear in the counts; 0/0 is undefined."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary, and
        `(thresholds,)` for a binary task that has several."""
        return average_of(
            self.ratio, self.statistic, self.average, self.undefined, self.scope
        )
