import abc
from collections.abc import Callable
from typing import Any, Self

import equinox as eqx

from .._collection.route import arguments_of, update_of
from .metric import AbstractRelay, Metric
from .node import rebuild


class AbstractStatistic(Metric):
    """A statistic that readouts, and members of a `MetricDict`, share: it holds no arrays that
    are configuration, so equal structure means the same."""


class AbstractPartialStatistic(AbstractStatistic):
    """A statistic that can be read from a larger one; a `MetricDict` that holds both keeps the
    larger alone."""

    @abc.abstractmethod
    def larger(self) -> AbstractStatistic | None:
        """The next larger statistic, empty, that holds all that this one does; `None` if
        there is none of this configuration."""

    @classmethod
    @abc.abstractmethod
    def read(cls, larger: Any) -> Self:
        """This statistic from the state of the larger one."""


class AbstractReadout(AbstractRelay):
    """A value read from a statistic that other metrics may read too.

    A subclass has a field `statistic` and writes `compute`. Freshly built members of a
    `MetricDict` whose statistics have equal structure keep, update and reduce it once.
    """

    statistic: eqx.AbstractVar[Metric]

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.statistic)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        return rebuild(self, {"statistic": update(self.statistic, outputs)})

    def update(self, *args: Any, **outputs: Any) -> Self:
        """Updates the statistic; see there for the arguments. Those by position have their names by
        now."""
        return self.relay(outputs, update_of)

    @abc.abstractmethod
    def compute(self) -> Any:
        """The value, read from the statistic."""
