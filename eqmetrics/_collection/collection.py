import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast, final, Self

import equinox as eqx
import jax

from .._metric.field import layout
from .._metric.frames import said
from .._metric.metric import AbstractCollection, AbstractWrapper, Metric
from .._metric.node import is_fresh, is_metric, mark_all_fresh, rebuild
from .._metric.readout import AbstractPartialStatistic, AbstractReadout, AbstractStatistic
from .._metric.show import doc_of
from .._wrap.from_output import FromOutput
from .route import route, union, update_of
from .states import refuse_tree_at, States


# A `MetricDict` keeps the states of its members apart from their shells: the wrappers and
# readouts around them, which hold configuration alone. Two shells with one slot share a
# state. Shells are static, so that a member costs no more than its arrays.


class _Slot(eqx.Module):
    """Stands in a shell for the state that the `MetricDict` keeps, or for a smaller statistic
    that is read from it by each of `reads` in turn."""

    index: int = eqx.field(static=True)
    reads: tuple[type[AbstractPartialStatistic], ...] = eqx.field(static=True)


def _inner_field(member: Any) -> str | None:
    """The one field of a wrapper that isn't configuration, if it has just one."""
    if not isinstance(member, AbstractWrapper) or isinstance(member, AbstractCollection):
        return None
    mine = layout(type(member))
    return mine.nested[0] if len(mine.nested) == 1 and not (mine.arrays or mine.stacked) else None


def _innermost(member: Any) -> Any:
    while (field := _inner_field(member)) is not None and is_metric(getattr(member, field)):
        member = getattr(member, field)
    return member


def _with_innermost(shell: Any, state: Any) -> Any:
    """The shell around another state, or around a slot."""
    field = _inner_field(shell)
    if field is None or not isinstance(getattr(shell, field), (Metric, _Slot)):
        return state
    return rebuild(shell, {field: _with_innermost(getattr(shell, field), state)})


def _slot(shell: Any) -> _Slot:
    while not isinstance(shell, _Slot):
        field = _inner_field(shell)
        assert field is not None
        shell = getattr(shell, field)
    return shell


def _statistics(member: Metric) -> list[tuple[Any, tuple[type[AbstractPartialStatistic], ...]]]:
    """The statistic of a member and all larger ones: what two members must have in common to
    share it, and how the member's own is read from it. In common are the structure of a
    statistic that no data has reached, and the names it is read under; never equal values."""
    renames, inner = [], member
    while isinstance(inner, FromOutput):
        renames.append(inner.renames)
        inner = inner.metric
    statistic = inner.statistic if isinstance(inner, AbstractReadout) else inner
    if not is_fresh(member) or not isinstance(inner, (AbstractReadout, AbstractStatistic)):
        return [(object(), ())]
    found, reads = [], ()
    while statistic is not None:
        found.append(((tuple(renames), jax.tree.structure(statistic)), reads))
        if not isinstance(statistic, AbstractPartialStatistic):
            break
        reads = (type(statistic), *reads)
        statistic = jax.eval_shape(statistic.larger)  # its arrays may be large
    return found


def _share(members: Mapping[str, Metric]) -> tuple[tuple[Any, ...], States]:
    statistics = {name: _statistics(member) for name, member in members.items()}
    kept = {found[0][0] for found in statistics.values()}
    slots: dict[Any, int] = {}
    shells, states, names = [], {}, {}
    for name, member in members.items():
        key, reads = [found for found in statistics[name] if found[0] in kept][-1]
        index = slots.setdefault(key, len(slots))
        if not reads:
            states.setdefault(index, _innermost(member))
            names.setdefault(index, name)
        shells.append(_with_innermost(member, _Slot(index, reads)))
    order = range(len(states))
    return tuple(shells), States([str(names[i]) for i in order], [states[i] for i in order])


def _read(states: Any, index: int, reads: tuple, known: dict[Any, Any]) -> Any:
    if not reads:
        return states[index]
    if (index, reads) not in known:
        larger = _read(states, index, reads[:-1], known)
        known[index, reads] = reads[-1].read(larger)
    return known[index, reads]


def _named(name: str, member: Metric) -> contextlib.AbstractContextManager[None]:
    return said(f"In the metric `{name}` ({type(member).__name__}).")


def _merged(name: str, left: Metric, right: Metric) -> Metric:
    with _named(name, left):
        return left.merge(right)


def _computed(members: Mapping[str, Metric]) -> dict[str, Any]:
    values = {}
    for name, member in members.items():
        with _named(name, member):
            values[name] = member.compute()
    return values


def _refuse_class(collection: str, name: str, member: Any) -> None:
    if isinstance(member, type):
        raise TypeError(
            f"`{collection}`: `{name}` is the class `{member.__name__}`, expected a metric. "
            f"Build it: `{name}={member.__name__}()`."
        )


@final
class MetricDict(AbstractCollection, Mapping[str, Metric]):
    """Metrics by name: a mapping, and itself a metric.

    `update(**outputs)` gives each member the arguments that its `update` names. A missing
    output, one that no member takes, and a `mask` or `weights` that a member would not see
    are errors. Freshly built members that read the same statistic keep it once.

    **Arguments:** a mapping of metrics, keyword arguments, or both; the order is kept.

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
        joined = dict(metrics or {}) | named
        for name, member in joined.items():
            if not is_metric(member):
                _refuse_class("MetricDict", name, member)
                raise TypeError(
                    f"`MetricDict`: `{name}` is {type(member).__name__}, expected a metric."
                )
        self.names = tuple(map(str, joined))  # NumPy has strings of its own
        self.shells, self.states = _share(joined)

    def __getitem__(self, name: str) -> Metric:
        if name not in self.names:
            raise KeyError(f"No metric `{name}`; there are {', '.join(self.names) or 'none'}.")
        refuse_tree_at(name, self.states)
        return self._member(self.shells[self.names.index(name)], self.states, {})

    def _member(self, shell: Any, states: Any, known: dict[Any, Any]) -> Metric:
        slot = _slot(shell)
        member = _with_innermost(shell, _read(states, slot.index, slot.reads, known))
        if is_fresh(self):
            mark_all_fresh(member)
        return member

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __or__(self, other: Mapping[str, Metric]) -> "MetricDict":
        return MetricDict(dict(self) | dict(other))

    def members(self) -> dict[str, Metric]:
        known: dict[Any, Any] = {}
        shells, states = zip(self.names, self.shells, strict=True), self.states.all()
        return {name: self._member(shell, states, known) for name, shell in shells}

    def owners(self) -> dict[str, Metric]:
        """The members with the states that are kept in the place of their own: enough to tell
        what they take, and to update those whose own it is."""
        shells, states = zip(self.names, self.shells, strict=True), self.states.all()
        return {name: _with_innermost(shell, states[_slot(shell).index]) for name, shell in shells}

    def arguments(self) -> dict[str, bool]:
        return union(self.owners())

    def replace_members(self, **members: Metric) -> "MetricDict":
        """A copy with other metrics under some names; those no longer share."""
        for name in members:
            self[name]
        return MetricDict(dict(self) | members)

    def relay(self, outputs: dict[str, Any], update: Callable[[Any, dict[str, Any]], Any]) -> Self:
        members = self.owners()
        routed = route(members, outputs)
        states: dict[int, Any] = {}
        for name, shell in zip(self.names, self.shells, strict=True):
            slot = _slot(shell)
            if not slot.reads and slot.index not in states:
                with _named(name, members[name]):
                    states[slot.index] = _innermost(update(members[name], routed[name]))
        new = self.states.replaced([states[i] for i in range(len(states))])
        return rebuild(self, {"states": new})

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def merge(self, other: Any) -> Self:
        """Merges by name; dicts that share their statistics differently still merge."""
        if not isinstance(other, MetricDict) or set(self.names) != set(other.names):
            raise ValueError(
                f"Cannot merge a `MetricDict` of {', '.join(self.names)} with "
                f"{type(other).__name__} of {', '.join(getattr(other, 'names', ()))}."
            )
        if self.names == other.names and self.shells == other.shells:
            names, pairs = self.states.names, zip(self.states, other.states, strict=True)
            states = [_merged(name, x, y) for name, (x, y) in zip(names, pairs, strict=True)]
            return rebuild(self, {"states": self.states.replaced(states)})
        merged = {name: _merged(name, self[name], other[name]) for name in self.names}
        return cast(Self, MetricDict(merged))

    def compute(self) -> dict[str, Any]:
        return _computed(self.members())

    def __pdoc__(self, **kwargs: Any) -> Any:
        return doc_of(self, **kwargs)


class Collection(AbstractCollection):
    """The typed form of a `MetricDict`: a subclass declares its metrics as fields.

    Its members don't share statistics, as those of a `MetricDict` do: each field is what its
    type says. A field may be a `MetricDict`.

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
            _refuse_class(type(self).__qualname__, name, value)
            if not is_metric(value) and jax.tree.leaves(value, is_leaf=is_metric):
                raise TypeError(
                    f"`{type(self).__qualname__}.{name}` is a {type(value).__name__}, expected a "
                    "metric: no output would reach those inside. Give each a field, or use "
                    f"`{name}: eqm.MetricDict`."
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
            with _named(name, member):
                new[name] = update(member, routed[name])
        return rebuild(self, new)

    def update(self, **outputs: Any) -> Self:
        return self.relay(outputs, update_of)

    def compute(self) -> dict[str, Any]:
        return _computed(type(self).members(self))

    def __pdoc__(self, **kwargs: Any) -> Any:
        return doc_of(self, **kwargs)
