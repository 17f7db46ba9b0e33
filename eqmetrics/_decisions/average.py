"""A score of each class, and its averages. Undefined classes, and an ignored one, are skipped."""

import abc
from collections.abc import Callable
from typing import get_args, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.readout import AbstractReadout
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .._rows.rows import undefined_as
from .stat_scores import Counts, StatScores
from .task import AbstractTask, Binary


AverageKind = Literal["micro", "macro", "weighted"] | None


def check_average(average: AverageKind, micro: bool = True) -> None:
    kinds = get_args(get_args(AverageKind)[0])[0 if micro else 1 :]
    if average is not None and average not in kinds:
        raise ValueError(f"average={average!r}: expected one of {kinds}, or None.")


def mean_of(values: Array, weights: Array, undefined: float | None) -> Float32[Array, ""]:
    """The weighted mean over the classes, of those whose weight isn't 0."""
    kept = jnp.where(weights > 0, values, 0) * weights
    total = _total(weights)
    return undefined_as(over(_total(kept), total), total == 0, undefined)


def _total(x: Float32[Array, "classes"]) -> Float32[Array, ""]:
    # Of a few classes a plain sum is right to the last place or two, and XLA joins it with
    # the others of a collection, as it doesn't a compensated one.
    return jnp.sum(x) if x.shape[0] <= 256 else to_float(sum_rows(x))


def average_of(
    ratio: Callable[[Counts], tuple[Array, Array]],
    statistic: StatScores,
    average: AverageKind,
    undefined: float | None,
) -> Float32[Array, "..."]:
    """`ratio` gives numerator and denominator, both linear in the counts, so that micro is the
    ratio of the totals."""
    counts, task = statistic.counts(), statistic.task
    part = jnp.asarray(task.takes_part())
    if average == "micro":
        top, bottom = ratio(counts.total(part).floats())
        return undefined_as(over(top, bottom), bottom == 0, undefined)
    each = counts.floats()
    top, bottom = ratio(each)
    return average_classes(
        over(top, bottom), bottom != 0, each.tp + each.fn, task, average, undefined
    )


def average_classes(
    values: Float32[Array, "classes"],
    defined: Bool[Array, "classes"],
    support: Float32[Array, "classes"],
    task: AbstractTask,
    average: AverageKind,
    undefined: float | None,
) -> Float32[Array, "..."]:
    part = jnp.asarray(task.takes_part())
    if isinstance(task, Binary) or average == "micro":  # there is one value
        return undefined_as(values, ~defined, undefined)[0]
    if average is None:
        return jnp.where(part, undefined_as(values, ~defined, undefined), jnp.nan)
    weights = support if average == "weighted" else jnp.ones_like(values)
    return mean_of(values, jnp.where(part & defined, weights, 0), undefined)


class AbstractClassScore(AbstractReadout):
    """A score of each class that is a ratio of its counts, and its averages. A subclass writes
    `ratio`."""

    task: AbstractTask = eqx.field(static=True)
    average: AverageKind = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: StatScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        average: AverageKind = "macro",
        undefined: float | None = None,
    ):
        check_average(average)
        self.task = task
        self.average = average
        self.undefined = undefined
        self.statistic = StatScores(task)

    @abc.abstractmethod
    def ratio(self, counts: Counts) -> tuple[Array, Array]:
        """Numerator and denominator, linear in the counts; 0/0 is undefined."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        return average_of(self.ratio, self.statistic, self.average, self.undefined)
