from collections.abc import Callable
from typing import Any, final, Self

import equinox as eqx

from .._collection.metric_dict import MetricDict
from .._collection.route import arguments_of, update_of
from .._metric.metric import AbstractRelay, Metric
from .._metric.node import is_metric, rebuild


@final
class Compose(AbstractRelay):
    """A function of the values of several metrics.

    Outputs are passed to the metrics as in a [`eqmetrics.MetricDict`][], and equal statistics are
    stored once.

    **Arguments:**

    - `fn`: called with the values, in the order of the metrics. Define it once, outside the loop:
        another function is another configuration.
    - `metrics`: the metrics.

    State: that of the metrics, a shared statistic once. Undefined when: `fn` returns NaN.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        task = eqm.Binary()
        mean = eqm.Compose(lambda p, r: (p + r) / 2, eqm.Precision(task), eqm.Recall(task))
        value = mean(predicted_labels=jnp.array([1, 1, 0]), labels=jnp.array([1, 0, 0]))
        assert value == 0.75
        ```
    """

    fn: Callable[..., Any] = eqx.field(static=True)
    metrics: MetricDict

    def __init__(self, fn: Callable[..., Any], *metrics: Metric):
        if not callable(fn) or is_metric(fn) or not metrics:
            raise TypeError(
                f"`Compose({fn!r}, ...)`: expected a function, and then at least one metric."
            )
        self.fn = fn
        self.metrics = MetricDict({str(i): m for i, m in enumerate(metrics)})

    def arguments(self) -> dict[str, bool]:
        return arguments_of(self.metrics)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        return rebuild(self, {"metrics": update(self.metrics, outputs)})

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> Any:
        """The result of `fn`."""
        return self.fn(*self.metrics.compute().values())
