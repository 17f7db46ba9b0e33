"""A score of the order of rows, read from cells: a value, and bounds that the cells prove."""

import abc
import functools as ft
from collections.abc import Callable
from typing import NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._node import vary_like
from .._readout import AbstractReadout
from .._reduction.pair import add, fused, Pair, to_float
from .._task import AbstractTask
from .average import average_classes, AverageKind
from .score_histogram import Cells, ScoreHistogram


class Interval(NamedTuple):
    """Of each class, what a layout knows: `low <= truth <= high`, and the likeliest value."""

    low: Float32[Array, "classes"]
    value: Float32[Array, "classes"]
    high: Float32[Array, "classes"]

    def meet(self, other: Self) -> "Interval":
        """What two layouts know together: the value is that of the narrower one."""
        low, high = jnp.maximum(self.low, other.low), jnp.minimum(self.high, other.high)
        narrower = self.high - self.low <= other.high - other.low
        value = jnp.where(narrower, self.value, other.value)
        return Interval(low, jnp.clip(value, low, high), high)


def cumulated(x: Pair) -> Pair:
    """The sums of all entries before each, along the last axis, and of all as one more."""
    cells = x.shape[-1]
    size = 1 << (cells.bit_length() // 2)
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -cells % size)])
    # Over blocks side by side, and then over their sums: the root of so many steps.
    sums, inner = _before(x.reshape(*x.shape[:-1], -1, size))
    total, outer = _before(sums)
    whole = add(inner, outer[..., None]).reshape(x.shape)[..., :cells]
    return jnp.concatenate([whole, total[..., None]], axis=-1)


def _before(x: Pair) -> tuple[Pair, Pair]:
    """The sum over the last axis, and of what comes before each entry."""
    x = jnp.moveaxis(x, -1, 0)
    start = vary_like(jnp.zeros(x.shape[1:], x.dtype), x)
    total, before = lax.scan(lambda total, y: (add(total, y), total), start, x)
    return total, jnp.moveaxis(before, 0, -1)


@ft.partial(fused, static_argnames="interval")
def _read(
    statistic: ScoreHistogram, interval: Callable[[Cells], Interval]
) -> tuple[Interval, Array, Array]:
    bits, line = (interval(cells) for cells in statistic.layouts())
    both = bits.meet(line)
    unknown = statistic.mixed() | jnp.any(statistic.invalid != 0)
    negatives, positives = (to_float(x) for x in statistic.totals())
    return Interval(*(jnp.where(unknown, jnp.nan, x) for x in both)), negatives, positives


class AbstractRankScore(AbstractReadout):
    """A score of each class that depends on the order of its rows alone. A subclass writes
    `interval` and `defined`."""

    task: eqx.AbstractVar[AbstractTask]
    average: eqx.AbstractVar[AverageKind]
    undefined: eqx.AbstractVar[float | None]
    statistic: eqx.AbstractVar[ScoreHistogram]

    @staticmethod
    @abc.abstractmethod
    def interval(cells: Cells) -> Interval:
        """What the cells of one layout prove."""

    @staticmethod
    @abc.abstractmethod
    def defined(negatives: Array, positives: Array) -> Bool[Array, "classes"]:
        """Whether the score is defined, by the weights of negatives and positives."""

    def _averaged(self, *kinds: str) -> tuple[Float32[Array, "..."], ...]:
        found, negatives, positives = _read(self.statistic, interval=type(self).interval)
        defined = self.defined(negatives, positives)
        return tuple(
            average_classes(
                getattr(found, kind), defined, positives, self.task, self.average, self.undefined
            )
            for kind in kinds
        )

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        return self._averaged("value")[0]

    def bounds(self) -> tuple[Float32[Array, "..."], Float32[Array, "..."]]:
        """`(low, high)`, of the shape of `compute()`: the score of the rows that were seen lies
        between them, and the state proves it."""
        low, high = self._averaged("low", "high")
        return low, high
