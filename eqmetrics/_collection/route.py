"""Which outputs a metric takes, and giving each member of a collection its own.

Methods are called as `type(metric).update(metric, ...)` on the way from a collection to its
members: Equinox makes every bound method a pytree, at 15 us each and 20 of them an update.
"""

import functools as ft
import inspect
from collections.abc import Mapping
from typing import Any

from .._metric.checks import nearest
from .._metric.metric import AbstractCollection, AbstractWrapper, Metric


@ft.cache
def parameters(fn: Any, skip: int = 0) -> dict[str, bool]:
    """The named parameters of a function, and whether each is required."""
    params = list(inspect.signature(fn).parameters.values())[skip:]
    return {
        p.name: p.default is p.empty
        for p in params
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def arguments_of(metric: Metric) -> dict[str, bool]:
    if isinstance(metric, AbstractWrapper):
        return type(metric).arguments(metric)
    return parameters(type(metric).update, skip=1)


def update_of(metric: Any, outputs: dict[str, Any]) -> Any:
    return type(metric).update(metric, **outputs)


def union(members: Mapping[str, Metric]) -> dict[str, bool]:
    joined: dict[str, bool] = {}
    for metric in members.values():
        for name, required in arguments_of(metric).items():
            joined[name] = joined.get(name, False) or required
    return joined


def route(members: Mapping[str, Metric], outputs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The outputs of each member. A missing one, one that nobody takes, and a mask or
    weights that a member would not see are errors."""
    routed, taken = {}, set()
    for name, metric in members.items():
        takes = arguments_of(metric)
        missing = [a for a, required in takes.items() if required and a not in outputs]
        if missing:
            raise TypeError(
                f"Metric `{name}` ({type(metric).__name__}) needs `{missing[0]}`, which was "
                f"not passed; passed were {', '.join(outputs) or 'no outputs'}."
                f"{nearest(missing[0], outputs)} `.from_output(...)` reads it under another name."
            )
        for special in ("mask", "weights"):
            if special in outputs and special not in takes and not _refuses(metric, special):
                raise TypeError(
                    f"`{special}` was passed, but metric `{name}` ({type(metric).__name__}) "
                    f"doesn't take it and would count every row. If that is meant, say so: "
                    f"`.from_output({special}=None)`."
                )
        routed[name] = {a: outputs[a] for a in takes if a in outputs}
        taken |= takes.keys()
    for name in outputs:
        refused = any(_refuses(m, name) for m in members.values())
        if name not in taken and not refused:
            raise TypeError(
                f"No metric takes the output `{name}`; taken are "
                f"{', '.join(sorted(taken)) or 'none'}.{nearest(name, taken)}"
            )
    return routed


def check_outputs(metric: AbstractWrapper, outputs: Mapping[str, Any], positional: bool) -> None:
    """What a wrapper is handed directly: as strict as in a collection."""
    takes, name = arguments_of(metric), type(metric).__qualname__
    for given in outputs:
        if given not in takes and not _refuses(metric, given):
            raise TypeError(
                f"`{name}.update` takes {', '.join(takes)}, not `{given}`.{nearest(given, takes)}"
            )
    missing = [a for a, required in takes.items() if required and a not in outputs]
    if missing and not positional:
        raise TypeError(
            f"`{name}.update` needs `{missing[0]}`, which was not passed; passed were "
            f"{', '.join(outputs) or 'no outputs'}."
        )


def check_by_name(metric: AbstractWrapper, args: tuple[Any, ...]) -> None:
    """A wrapper is handed outputs, and those have names."""
    params = list(inspect.signature(type(metric).update).parameters.values())[1:]
    if args and all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in params):
        takes = type(metric).arguments(metric)
        named = [name for name, required in takes.items() if required] or list(takes)
        raise TypeError(
            f"`{type(metric).__qualname__}.update` got {len(args)} positional argument(s), and "
            f"takes outputs by name: `update({', '.join(f'{name}=...' for name in named)})`."
        )


def check_positional(metric: Metric, statistic: Metric, given: int) -> None:
    """What a readout is handed by position, its statistic must take by position."""
    params = list(inspect.signature(type(statistic).update).parameters.values())[1:]
    places = [p.name for p in params if p.kind is p.POSITIONAL_OR_KEYWORD]
    if given > len(places):
        named = ", ".join(p.name for p in params if p.kind is p.KEYWORD_ONLY)
        raise TypeError(
            f"`{type(metric).__qualname__}.update`: too many positional arguments: {given} given; "
            f"it takes {', '.join(places) or 'none'}. By name alone: {named}."
        )


def _refuses(metric: Metric, name: str) -> bool:
    """Whether `from_output(name=None)` was said of it, or of every member."""
    from .._wrap.from_fun import FromFun
    from .._wrap.from_output import FromOutput

    if isinstance(metric, AbstractCollection):
        members = metric.members().values()
        return bool(members) and all(_refuses(m, name) for m in members)
    if isinstance(metric, FromOutput) and FromOutput.refuses(metric, name):
        return True
    return isinstance(metric, (FromOutput, FromFun)) and _refuses(metric.metric, name)
