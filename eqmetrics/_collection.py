import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, final, Self

import equinox as eqx
import jax

from ._metric import AbstractCollection, is_fresh, is_metric, mark_fresh, Metric, rebuild
from ._readout import AbstractReadout
from ._route import route, union
from ._wrap.from_output import FromOutput


class _Slot(eqx.Module):
    """Stands for a statistic that a `MetricDict` keeps once for several members."""

    index: int = eqx.field(static=True)


# A member that can share is a readout, or a readout under `from_output`: its statistic,
# with the same renames, can be kept apart from it.


def _statistic(member: Metric) -> Metric | None:
    if isinstance(member, AbstractReadout):
        return member.statistic
    if isinstance(member, FromOutput) and (inner := _statistic(member.metric)) is not None:
        return rebuild(member, {"metric": inner})
    return None


def _with_statistic(member: Any, statistic: Any) -> Any:
    if isinstance(member, FromOutput):
        inner = statistic.metric if isinstance(statistic, FromOutput) else statistic
        return rebuild(member, {"metric": _with_statistic(member.metric, inner)})
    return rebuild(member, {"statistic": statistic})


def _slot(member: Any) -> int | None:
    while isinstance(member, FromOutput):
        member = member.metric
    found = member.statistic if isinstance(member, AbstractReadout) else None
    return found.index if isinstance(found, _Slot) else None


def _share(members: dict[str, Metric]) -> tuple[tuple[Metric, ...], dict[str, Any]]:
    """Equal structure of what no data has reached, never equal values, makes two one."""
    groups: dict[Any, list[str]] = {}
    for name, member in members.items():
        statistic = _statistic(member) if is_fresh(member) else None
        if statistic is not None:
            groups.setdefault(jax.tree.structure(statistic), []).append(name)
    kept: list[Metric] = []
    out: dict[str, Any] = dict(members)
    for names in groups.values():
        if len(names) < 2:
            continue
        first = _statistic(members[names[0]])
        assert first is not None
        for name in names:
            out[name] = _with_statistic(members[name], _Slot(len(kept)))
        kept.append(first)
    return tuple(kept), out


@final
class MetricDict(AbstractCollection, Mapping[str, Metric]):
    """Metrics by name: a mapping, and itself a metric.

    `update(**outputs)` gives each member the arguments that its `update` names. A missing
    output, one that no member takes, and a `mask` or `weights` that a member would not see
    are errors. Freshly built members that read the same statistic keep it once.

    **Arguments:** a mapping of metrics, keyword arguments, or both; the order is kept.

    !!! example

        ```python
        import eqmetrics as eqm
        metrics = eqm.MetricDict(
            accuracy=eqm.Accuracy(), loss=eqm.Average().from_output("loss")
        )
        ```
    """

    names: tuple[str, ...] = eqx.field(static=True)
    statistics: tuple[Any, ...]
    parts: tuple[Any, ...]

    def __init__(self, metrics: Mapping[str, Metric] | None = None, /, **named: Metric):
        joined = dict(metrics or {}) | named
        for name, member in joined.items():
            if not is_metric(member):
                raise TypeError(
                    f"`MetricDict`: `{name}` is {type(member).__name__}, expected a metric."
                    + (" Build it: add `()`." if isinstance(member, type) else "")
                )
        self.statistics, parts = _share(joined)
        self.names = tuple(parts)
        self.parts = tuple(parts.values())

    def __getitem__(self, name: str) -> Metric:
        if name not in self.names:
            raise KeyError(f"No metric `{name}`; there are {', '.join(self.names)}.")
        member = self.parts[self.names.index(name)]
        slot = _slot(member)
        if slot is not None:
            member = _with_statistic(member, self.statistics[slot])
            if is_fresh(self):
                mark_fresh(member)
        return member

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __or__(self, other: Mapping[str, Metric]) -> "MetricDict":
        return MetricDict(dict(self) | dict(other))

    def members(self) -> dict[str, Metric]:
        return dict(self)

    def arguments(self) -> dict[str, bool]:
        return union(self)

    def replace_members(self, **members: Metric) -> "MetricDict":
        """A copy with other metrics under some names; those no longer share."""
        for name in members:
            self[name]
        return MetricDict(dict(self) | members)

    def update(self, **outputs: Any) -> Self:
        routed = route(self, outputs)
        slots = [_slot(part) for part in self.parts]
        statistics = list(self.statistics)
        for i, statistic in enumerate(statistics):
            name = self.names[slots.index(i)]
            statistics[i] = statistic.update(**routed[name])
        parts = tuple(
            part if slot is not None else part.update(**routed[name])
            for name, part, slot in zip(self.names, self.parts, slots, strict=True)
        )
        return rebuild(self, {"statistics": tuple(statistics), "parts": parts})

    def merge(self, other: Any) -> Self:
        """Merges by name; dicts that share their statistics differently still merge."""
        if not isinstance(other, MetricDict) or set(self.names) != set(other.names):
            raise ValueError(
                f"Cannot merge a `MetricDict` of {', '.join(self.names)} with "
                f"{type(other).__name__} of {', '.join(getattr(other, 'names', ()))}."
            )
        slots = [_slot(part) for part in self.parts]
        if self.names == other.names and slots == [_slot(part) for part in other.parts]:
            statistics = [
                x.merge(y) for x, y in zip(self.statistics, other.statistics, strict=True)
            ]
            parts = [
                x if slot is not None else x.merge(y)
                for x, y, slot in zip(self.parts, other.parts, slots, strict=True)
            ]
            return rebuild(self, {"statistics": tuple(statistics), "parts": tuple(parts)})
        apart = tuple(self[name].merge(other[name]) for name in self.names)
        return rebuild(self, {"statistics": (), "parts": apart})

    def compute(self) -> dict[str, Any]:
        return {name: self[name].compute() for name in self.names}


class Collection(AbstractCollection):
    """The typed form of a `MetricDict`: a subclass declares its metrics as fields.

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

    def members(self) -> dict[str, Metric]:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: x for name, x in fields.items() if is_metric(x)}

    def arguments(self) -> dict[str, bool]:
        return union(self.members())

    def update(self, **outputs: Any) -> Self:
        routed = route(self.members(), outputs)
        return self.replace(
            **{name: m.update(**routed[name]) for name, m in self.members().items()}
        )

    def compute(self) -> dict[str, Any]:
        return {name: m.compute() for name, m in self.members().items()}
