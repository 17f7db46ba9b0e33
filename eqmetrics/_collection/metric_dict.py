from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast, final, Self

import equinox as eqx

from .._metric.html import html_of
from .._metric.metric import AbstractCollection, Metric
from .._metric.node import is_fresh, is_metric, mark_all_fresh, rebuild
from .._metric.show import doc_of
from .._metric.wrapped import other_class
from .members import an, as_mapping, computed, holds_metrics, naming, refuse_class
from .route import route, union, update_of
from .sharing import innermost, read, share, slot_of, with_innermost
from .states import refuse_tree_at, States


def _merged(name: str, left: Metric, right: Metric) -> Metric:
    with naming(name, left):
        return left.merge(right)


@final
class MetricDict(AbstractCollection, Mapping[str, Metric]):
    """Metrics by name: a mapping, and itself a metric.

    `update(**outputs)` passes each member the arguments that its `update` names. It is an error if
    an output is missing, if no member takes it, or if a `mask` or `weights` would be ignored by a
    member. Members that are fresh when the dict is built and read the same statistic store it once.

    **Arguments:** a mapping of metrics, keyword arguments, or both; the order is kept.

    `compute()` returns the values in the order of the members. jax sorts the keys of every dict
    that passes through it: those of a result of `jit`, or of a dict of values given to
    `eqm.to_host`. `eqm.to_host(metrics)` keeps the order.

    State: its members', a shared statistic once. Undefined when: each member says so.

    !!! example

        ```python
        import eqmetrics as eqm
        metrics = eqm.MetricDict(
            accuracy=eqm.Accuracy(), loss=eqm.Average().from_output("loss")
        )
        ```
    """

    names: tuple[str, ...] = eqx.field(static=True)
    shells: tuple[Any, ...] = eqx.field(static=True)
    states: States

    def __init__(self, metrics: Mapping[str, Metric] | None = None, /, **named: Metric):
        joined = ({} if metrics is None else as_mapping(metrics)) | named
        for name, member in joined.items():
            if not is_metric(member):
                refuse_class("MetricDict", name, member)
                inside = ": `eqm.MetricDict(...)` is one" if holds_metrics(member) else ""
                raise TypeError(
                    f"`MetricDict`: `{name}` is {an(member)}, expected a metric{inside}."
                )
        self.names = tuple(map(str, joined))  # a `np.str_` becomes a `str`
        self.shells, self.states = share(joined)

    def __getitem__(self, name: str) -> Metric:
        if name not in self.names:
            raise KeyError(f"No metric `{name}`; there are {', '.join(self.names) or 'none'}.")
        refuse_tree_at(name, self.states)
        return self._member(self.shells[self.names.index(name)], self.states, {})

    def _member(self, shell: Any, states: Any, known: dict[Any, Any]) -> Metric:
        slot = slot_of(shell)
        member = with_innermost(shell, read(states, slot.index, slot.reads, known))
        if is_fresh(self):
            mark_all_fresh(member)
        return member

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __or__(self, other: Mapping[str, Metric]) -> "MetricDict":
        return MetricDict(dict(self) | as_mapping(other))

    def members(self) -> dict[str, Metric]:
        known: dict[Any, Any] = {}
        shells, states = zip(self.names, self.shells, strict=True), self.states.all()
        return {name: self._member(shell, states, known) for name, shell in shells}

    def owners(self) -> dict[str, Metric]:
        """The members, each around the state that is stored for it. For a member that reads a
        smaller statistic, this is the larger one: enough to find the arguments that it takes.
        Members whose own statistic is stored can be updated so."""
        shells, states = zip(self.names, self.shells, strict=True), self.states.all()
        return {name: with_innermost(shell, states[slot_of(shell).index]) for name, shell in shells}

    def arguments(self) -> dict[str, bool]:
        return union(self.owners())

    def replace_members(self, **members: Metric) -> "MetricDict":
        """A copy with some members replaced; these no longer share a statistic."""
        for name in members:
            self[name]
        return MetricDict(dict(self) | members)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        members = self.owners()
        routed = route(members, outputs)
        states: dict[int, Any] = {}
        for name, shell in zip(self.names, self.shells, strict=True):
            slot = slot_of(shell)
            if not slot.reads and slot.index not in states:
                with naming(name, members[name]):
                    states[slot.index] = innermost(update(members[name], routed[name]))
        new = self.states.replaced([states[i] for i in range(len(states))])
        return rebuild(self, {"states": new})

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def merge(self, other: Any) -> Self:
        """Merges member by member, by name; two dicts can be merged even if their members share
        statistics differently."""
        if not isinstance(other, MetricDict):
            raise TypeError(other_class(MetricDict, other))
        if set(self.names) != set(other.names):
            raise ValueError(
                f"Cannot merge a `MetricDict` of {', '.join(self.names) or 'nothing'} with "
                f"MetricDict of {', '.join(other.names) or 'nothing'}."
            )
        if self.names == other.names and self.shells == other.shells:
            names, pairs = self.states.names, zip(self.states, other.states, strict=True)
            states = [_merged(name, x, y) for name, (x, y) in zip(names, pairs, strict=True)]
            return rebuild(self, {"states": self.states.replaced(states)})
        merged = {name: _merged(name, self[name], other[name]) for name in self.names}
        return cast(Self, MetricDict(merged))

    def compute(self) -> dict[str, Any]:
        return computed(self.members())

    def __pdoc__(self, **kwargs: Any) -> Any:
        return doc_of(self, **kwargs)

    def _repr_html_(self) -> str:
        return html_of(self)
