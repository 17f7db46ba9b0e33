"""A `MetricDict` stores the states of its members separately from their shells: the wrappers and
readouts around a state, which contain only configuration. Two shells with the same slot share a
state. Shells are static, so a member costs no more than its arrays."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax

from .._metric.field import layout
from .._metric.metric import AbstractCollection, AbstractWrapper, Metric
from .._metric.node import is_fresh, is_metric, rebuild
from .._metric.readout import AbstractPartialStatistic, AbstractReadout, AbstractStatistic
from .._wrap.from_output import FromOutput
from .states import States


class Slot(eqx.Module):
    """Stands in a shell for a state that the `MetricDict` stores, or for a smaller statistic that
    is read from this state by each class of `reads` in turn."""

    index: int = eqx.field(static=True)
    reads: tuple[type[AbstractPartialStatistic], ...] = eqx.field(static=True)


def _inner_field(member: Any) -> str | None:
    """The field of a wrapper that holds its metric, if it is the only one that isn't static."""
    if not isinstance(member, AbstractWrapper) or isinstance(member, AbstractCollection):
        return None
    declared = layout(type(member))
    alone = len(declared.nested) == 1 and not (declared.arrays or declared.stacked)
    return declared.nested[0] if alone else None


def innermost(member: Any) -> Any:
    while (field := _inner_field(member)) is not None and is_metric(getattr(member, field)):
        member = getattr(member, field)
    return member


def with_innermost(shell: Any, state: Any) -> Any:
    """The shell with another state, or a slot, inside."""
    field = _inner_field(shell)
    if field is None or not isinstance(getattr(shell, field), (Metric, Slot)):
        return state
    return rebuild(shell, {field: with_innermost(getattr(shell, field), state)})


def slot_of(shell: Any) -> Slot:
    while not isinstance(shell, Slot):
        field = _inner_field(shell)
        assert field is not None
        shell = getattr(shell, field)
    return shell


def _statistics(member: Metric) -> list[tuple[Any, tuple[type[AbstractPartialStatistic], ...]]]:
    """The statistic of a member and all larger ones, each as a key, and the classes by which the
    member's own statistic is read from it. Members share a statistic if they have a key in common:
    the structure of the fresh statistic and the names under which it reads outputs. Values are
    never compared."""
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
        statistic = jax.eval_shape(statistic.larger)  # only its structure: the arrays may be large
    return found


def share(members: Mapping[str, Metric]) -> tuple[tuple[Any, ...], States]:
    statistics = {name: _statistics(member) for name, member in members.items()}
    kept = {found[0][0] for found in statistics.values()}
    slots: dict[Any, int] = {}
    shells, states, names = [], {}, {}
    for name, member in members.items():
        key, reads = [found for found in statistics[name] if found[0] in kept][-1]
        index = slots.setdefault(key, len(slots))
        if not reads:
            states.setdefault(index, innermost(member))
            names.setdefault(index, name)
        shells.append(with_innermost(member, Slot(index, reads)))
    order = range(len(states))
    return tuple(shells), States([str(names[i]) for i in order], [states[i] for i in order])


def read(states: Any, index: int, reads: tuple, known: dict[Any, Any]) -> Any:
    if not reads:
        return states[index]
    if (index, reads) not in known:
        larger = read(states, index, reads[:-1], known)
        known[index, reads] = reads[-1].read(larger)
    return known[index, reads]
