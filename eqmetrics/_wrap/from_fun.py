from collections.abc import Callable
from typing import Any, final, Self

import equinox as eqx

from .._metric import AbstractRelay, Metric
from .._node import rebuild
from .._route import arguments_of, parameters, update_of


@final
class FromFun(AbstractRelay):
    """A metric fed with what a function of the outputs returns; made by
    `metric.from_fun(fn)`. `mask` and `weights` are handed on unless `fn` returns them.

    State: the metric's own. Undefined when: the metric is.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        squares = eqm.Average().from_fun(lambda predictions, targets: (predictions - targets) ** 2)
        value = squares(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([1.0, 1.0]))
        assert value == 2.0
        ```
    """

    fn: Callable[..., Any] = eqx.field(static=True)
    metric: Metric

    def __init__(self, metric: Metric, fn: Callable[..., Any]):
        try:
            named = parameters(fn)
        except (TypeError, ValueError):  # not callable, without a signature, not hashable
            named = {}
        if not named:
            raise TypeError(
                f"`from_fun({fn!r})`: the outputs that it reads are the "
                "names of its parameters, and it has none that can be passed by name. Write "
                "`from_fun(lambda loss: ...)`."
            )
        self.fn = fn
        self.metric = metric

    def arguments(self) -> dict[str, bool]:
        handed_on = {
            name: required
            for name, required in arguments_of(self.metric).items()
            if name in ("mask", "weights")
        }
        return handed_on | parameters(self.fn)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        wanted = parameters(self.fn)
        made = self.fn(**{name: outputs[name] for name in wanted if name in outputs})
        takes = arguments_of(self.metric)
        made = dict(made) if isinstance(made, dict) else {next(iter(takes)): made}
        for name in ("mask", "weights"):
            if name in takes and name in outputs and name not in made:
                made[name] = outputs[name]
        return rebuild(self, {"metric": update(self.metric, made)})

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> Any:
        return self.metric.compute()
