import dataclasses
from collections.abc import Callable
from typing import Any, Self

import jax

from .._metric.field import layout
from .._metric.html import html_of
from .._metric.metric import AbstractCollection, Metric
from .._metric.node import is_metric, rebuild
from .._metric.show import doc_of
from .members import an, computed, holds_metrics, naming, refuse_class
from .route import route, union, update_of


class Collection(AbstractCollection):
    """The typed form of a `MetricDict`: a subclass declares its metrics as fields.

    Members of a `Collection` don't share statistics, unlike those of a `MetricDict`: the type of
    each field is the type of its metric. A field may be a `MetricDict`.

    State: its members'. Undefined when: each member says so.

    !!! example

        ```python
        import equinox as eqx, eqmetrics as eqm

        class MyMetrics(eqm.Collection):
            accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)
            loss: eqm.Metric = eqx.field(
                default_factory=lambda: eqm.Average().from_output("loss")
            )
        ```
    """

    def __check_init__(self) -> None:
        for name in layout(type(self)).nested:
            value = getattr(self, name)
            refuse_class(type(self).__qualname__, name, value)
            if not is_metric(value) and jax.tree.leaves(value, is_leaf=is_metric):
                inside = (
                    ": no output would reach those inside. Give each a field, or use "
                    f"`{name}: eqm.MetricDict`"
                )
                raise TypeError(
                    f"`{type(self).__qualname__}.{name}` is {an(value)}, expected a metric"
                    f"{inside if holds_metrics(value) else ''}."
                )

    def members(self) -> dict[str, Metric]:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: x for name, x in fields.items() if is_metric(x)}

    def arguments(self) -> dict[str, bool]:
        return union(self.members())

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        members = type(self).members(self)
        routed = route(members, outputs)
        new = {}
        for name, member in members.items():
            with naming(name, member):
                new[name] = update(member, routed[name])
        return rebuild(self, new)

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> dict[str, Any]:
        return computed(type(self).members(self))

    def __pdoc__(self, **kwargs: Any) -> Any:
        return doc_of(self, **kwargs)

    def _repr_html_(self) -> str:
        return html_of(self)
