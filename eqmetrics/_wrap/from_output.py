from collections.abc import Callable
from typing import Any, final, Self

import equinox as eqx

from .._collection.route import arguments_of, update_of
from .._metric.messages import nearest
from .._metric.metric import AbstractRelay, Metric
from .._metric.node import rebuild


@final
class FromOutput(AbstractRelay):
    """A metric that reads outputs under other names; made by `metric.from_output(...)`.

    State: the metric's own. Undefined when: the metric is.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        loss = eqm.Average().from_output("loss", weights="rows")
        assert loss(loss=jnp.array([1.0, 4.0]), rows=jnp.array([2, 1])) == 2.0
        ```
    """

    renames: tuple[tuple[str, str | None], ...] = eqx.field(static=True)
    metric: Metric

    def __init__(self, metric: Metric, names: tuple[str, ...], renames: dict[str, str | None]):
        if isinstance(metric, str):  # `Average.from_output("loss")`, as in clu
            raise TypeError(
                f"`from_output({metric!r})` was called on a class, expected a metric. Build it: "
                f"`Average().from_output({metric!r})`."
            )
        takes = arguments_of(metric)
        required = [name for name, needed in takes.items() if needed]
        if len(names) > len(required):
            raise TypeError(
                f"`from_output` got {len(names)} positional names, but "
                f"`{type(metric).__name__}` requires only {', '.join(required)}; name the rest."
            )
        joined: dict[str, str | None] = dict(zip(required, names, strict=False))
        for name, output in renames.items():
            # `mask=None` is allowed for a metric without a mask: this states it explicitly.
            if (name not in takes and output is not None) or name in joined:
                raise TypeError(
                    f"`from_output({name}={output!r})`: `{type(metric).__name__}` takes "
                    f"{', '.join(takes)}, each renamed at most once.{nearest(name, takes)}"
                )
            joined[name] = output
        self.renames = tuple(joined.items())
        self.metric = metric

    def refuses(self, name: str) -> bool:
        return (name, None) in self.renames

    def arguments(self) -> dict[str, bool]:
        renames = dict(self.renames)
        return {
            output: required
            for name, required in arguments_of(self.metric).items()
            if (output := renames.get(name, name)) is not None
        }

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        renames = dict(self.renames)
        own = {}
        for name in arguments_of(self.metric):
            output = renames.get(name, name)
            if output is not None and output in outputs:
                own[name] = outputs[output]
        return rebuild(self, {"metric": update(self.metric, own)})

    def update(self, *args: Any, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> Any:
        return self.metric.compute()
