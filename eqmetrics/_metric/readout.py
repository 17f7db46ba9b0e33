import abc
from collections.abc import Callable
from typing import Any, Self

import equinox as eqx

from .._collection.route import arguments_of, update_of
from .metric import AbstractRelay, Metric
from .node import rebuild


class AbstractStatistic(Metric):
    """A statistic that readouts share, and so the members of a `MetricDict`. It has no `constant`
    arrays, so two statistics of equal structure have the same configuration."""


class AbstractPartialStatistic(AbstractStatistic):
    """A statistic that can be read from a larger one. A `MetricDict` that needs both stores only
    the larger one."""

    @abc.abstractmethod
    def larger(self) -> AbstractStatistic | None:
        """The next larger statistic, fresh, from which this one can be read; `None` if there is
        none for this configuration."""

    @classmethod
    @abc.abstractmethod
    def read(cls, larger: Any) -> Self:
        """This statistic, read from the state of the larger one."""


class AbstractReadout(AbstractRelay):
    """A value read from a statistic that other metrics may read too.

    A subclass has a field `statistic` and defines `compute`. If members of a `MetricDict` are fresh
    when it is built and their statistics have equal structure, it stores, updates and reduces the
    statistic once.
    """

    statistic: eqx.AbstractVar[Metric]

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.statistic)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        return rebuild(self, {"statistic": update(self.statistic, outputs)})

    def update(self, *args: Any, **outputs: Any) -> Self:
        """Updates the statistic, whose `update` describes the arguments. (`AbstractWrapper` has
        turned arguments by position into arguments by name.)"""
        return self.relay(outputs, update_of)

    @abc.abstractmethod
    def compute(self) -> Any:
        """The value, read from the statistic."""
