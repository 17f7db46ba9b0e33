import abc
from typing import Any, Self

import equinox as eqx

from ._metric import AbstractWrapper, Metric
from ._route import arguments_of


class AbstractReadout(AbstractWrapper):
    """A value read from a statistic that other metrics may read too.

    A subclass has a field `statistic` and writes `compute`. Freshly built members of a
    `MetricDict` whose statistics have equal structure keep, update and reduce it once.
    """

    statistic: eqx.AbstractVar[Metric]

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.statistic)

    def update(self, *args: Any, **outputs: Any) -> Self:
        """Updates the statistic; see there for the arguments."""
        return self.replace(statistic=type(self.statistic).update(self.statistic, *args, **outputs))

    @abc.abstractmethod
    def compute(self) -> Any:
        """The value, read from the statistic."""
