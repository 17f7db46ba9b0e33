"""Finds the outputs that a metric takes, and passes each member of a collection its outputs.

Methods of members are called as `type(metric).update(metric, ...)`: Equinox makes every bound
method a pytree, which costs 15 us, and an update of a collection has 20 such calls.
"""

import dataclasses
import functools as ft
import inspect
from collections.abc import Mapping
from typing import Any

from .._metric.messages import nearest
from .._metric.metric import AbstractCollection, AbstractWrapper, Metric
from .._metric.mistakes import meant


@ft.cache
def parameters(fn: Any, skip: int = 0) -> dict[str, bool]:
    """The named parameters of a function, and whether each is required."""
    params = list(inspect.signature(fn).parameters.values())[skip:]
    return {
        p.name: p.default is p.empty
        for p in params
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


@ft.cache
def _places(fn: Any) -> tuple[str, ...]:
    """The parameters of a method that can be passed by position."""
    params = list(inspect.signature(fn).parameters.values())[1:]
    return tuple(p.name for p in params if p.kind is p.POSITIONAL_OR_KEYWORD)


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
    """The outputs of each member. It is an error if one is missing, if no member takes it, or if a
    mask or weights would be ignored by a member."""
    routed, taken = {}, set()
    for name, metric in members.items():
        takes = arguments_of(metric)
        missing = [a for a, required in takes.items() if required and a not in outputs]
        if missing:
            near = nearest(missing[0], outputs) or meant(outputs, takes)
            raise TypeError(
                f"Metric `{name}` ({type(metric).__name__}) needs `{missing[0]}`, which was "
                f"not passed; passed were {', '.join(outputs) or 'no outputs'}."
                f"{near} `.from_output(...)` reads it under another name."
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
            near = meant([name], taken) or nearest(name, taken)
            raise TypeError(
                f"No metric takes the output `{name}`; taken are "
                f"{', '.join(sorted(taken)) or 'none'}.{near}"
            )
    return routed


def check_outputs(metric: AbstractWrapper, outputs: Mapping[str, Any]) -> None:
    """Checks the outputs of a wrapper that is called directly, as strictly as in a collection."""
    takes, name = arguments_of(metric), type(metric).__qualname__
    for given in outputs:
        if given not in takes and not _refuses(metric, given):
            near = meant(outputs, takes) or nearest(given, takes)
            raise TypeError(f"`{name}.update` takes {', '.join(takes)}, not `{given}`.{near}")
    missing = [a for a, required in takes.items() if required and a not in outputs]
    if missing:
        raise TypeError(
            f"`{name}.update` needs `{missing[0]}`, which was not passed; passed were "
            f"{', '.join(outputs) or 'no outputs'}.{meant(outputs, takes)}"
        )


def positional(metric: Metric) -> tuple[str, ...]:
    """The names of the arguments that `update` takes by position. For a wrapper these are the
    positional arguments of the metric inside, under the names that the wrapper gives them."""
    from .._wrap.from_fun import FromFun
    from .._wrap.from_output import FromOutput

    if not isinstance(metric, AbstractWrapper):
        return _places(type(metric).update)
    # A collection routes outputs by name, and the parameters of a function are outputs.
    if isinstance(metric, (AbstractCollection, FromFun)):
        return ()
    fields = (getattr(metric, field.name, None) for field in dataclasses.fields(metric))
    each = [m for x in fields for m in (x if isinstance(x, tuple) else (x,))]
    inner = [m for m in each if isinstance(m, Metric)]
    if not inner:
        return ()
    names = positional(inner[0])
    if isinstance(metric, FromOutput):
        renames = dict(metric.renames)
        return tuple(new for n in names if (new := renames.get(n, n)) is not None)
    takes = arguments_of(metric)
    return tuple(n for n in names if n in takes)


def by_name(metric: AbstractWrapper, args: tuple[Any, ...], outputs: dict[str, Any]) -> Any:
    """The arguments of a wrapper that passes them on, all by name."""
    if not args or _places(type(metric).update):
        return args, outputs
    names, cls = positional(metric), type(metric).__qualname__
    if len(args) > len(names):
        takes = type(metric).arguments(metric)
        first = [name for name, required in takes.items() if required] or list(takes)
        call = f"outputs by name: `update({', '.join(f'{name}=...' for name in first)})`"
        rest = ", ".join(n for n in takes if n not in names)
        raise TypeError(
            f"`{cls}.update`: too many positional arguments: {len(args)} given; it takes "
            f"{', '.join(names) or call}." + (f" By name alone: {rest}." if rest else "")
        )
    given = dict(zip(names, args, strict=False))
    for name in given.keys() & outputs.keys():
        raise TypeError(
            f"`{cls}.update` got `{name}` twice: by position and by name. Pass it once."
        )
    return (), given | outputs


def _refuses(metric: Metric, name: str) -> bool:
    """Whether `from_output(name=None)` was used on a metric, or on every member of a collection."""
    from .._wrap.from_fun import FromFun
    from .._wrap.from_output import FromOutput

    if isinstance(metric, AbstractCollection):
        members = metric.members().values()
        return bool(members) and all(_refuses(m, name) for m in members)
    if isinstance(metric, FromOutput) and FromOutput.refuses(metric, name):
        return True
    return isinstance(metric, (FromOutput, FromFun)) and _refuses(metric.metric, name)
