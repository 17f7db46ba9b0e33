from collections.abc import Callable
from typing import Any, final, Self

from .._collection.route import arguments_of, update_of
from .._metric.metric import AbstractRelay, Metric
from .._metric.node import rebuild


@final
class Optional(AbstractRelay):
    """A metric that an update without its outputs doesn't change. Such outputs are gradients, for
    example, which exist in training but not in evaluation.

    If all outputs that the metric requires are missing, its state doesn't change; if only some are,
    that is an error. An output that no member of a collection takes is still an error, so that a
    misspelt name is found.

    **Arguments:**

    - `metric`: any metric. In a `MetricDict` it doesn't share its state.

    State: the metric's own. Undefined when: the metric is. The gradient is that of the metric.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metrics = eqm.MetricDict(
            loss=eqm.Average().from_output("loss"),
            norm=eqm.Optional(eqm.training.TreeNorm()),
        )
        metrics = metrics.update(loss=2.0, gradients={"kernel": jnp.array([3.0, 4.0])})
        metrics = metrics.update(loss=4.0)
        assert metrics.compute()["loss"] == 3 and metrics.compute()["norm"]["mean"] == 5
        ```
    """

    metric: Metric

    def __init__(self, metric: Metric):
        self.metric = metric

    def arguments(self) -> dict[str, bool]:
        return dict.fromkeys(arguments_of(self.metric), False)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        required = [name for name, needed in arguments_of(self.metric).items() if needed]
        missing = [name for name in required if name not in outputs]
        if required and missing == required:
            return self
        if missing:
            given = next(name for name in required if name in outputs)
            raise TypeError(
                f"`Optional`: `{type(self.metric).__qualname__}` needs `{missing[0]}`, which was "
                f"not passed, beside `{given}`, which was: pass both, or neither."
            )
        return rebuild(self, {"metric": update(self.metric, outputs)})

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> Any:
        """The value of the metric."""
        return self.metric.compute()
