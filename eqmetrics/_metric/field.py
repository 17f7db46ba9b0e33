"""How a class declares its arrays, and the layout that is read from the declarations."""

import dataclasses
import functools as ft
import typing
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx

from .._reduction import AbstractReduction, NAMED
from .hints import annotations_of, hints_of, is_array_hint
from .messages import nearest


def state(
    *,
    reduce: str | AbstractReduction | None = None,
    initial: float = 0,
    valid: str | None = None,
    overflow: str | None = None,
) -> Any:
    """Declares a state array and how it is merged.

    **Arguments:**

    - `reduce`: `"sum"`, `"max"`, `"min"`, or a reduction object such as `eqm.exact_sum`.
        May be left out only in a class that overrides `merge`.
    - `initial`: the number that `reset` fills the array with if there is no reduction, which would
        have an identity.
    - `valid`: the array counts invalid rows; this text says which rows are valid, such as
        `"labels in [0, {self.classes})"`. If the count isn't 0, the value is NaN and
        `metric.check()` raises. [`eqmetrics.Invalid`][] is such a count, ready to use.
    - `overflow`: the array counts rows for which there was no space; this text says how much space
        they need, such as `"capacity={self.needed}"`. The consequences are the same.
    """
    if isinstance(reduce, str):
        if reduce not in NAMED:
            raise ValueError(
                f"Unknown reduction {reduce!r}: expected one of {', '.join(NAMED)}, or a "
                f"reduction object.{nearest(reduce, NAMED)}"
            )
        reduce = NAMED[reduce]
    validity = None  # the error message about the counted rows
    if valid is not None:
        validity = f"{{count}} invalid row(s); valid are {valid}"
    if overflow is not None:
        validity = f"{{count}} row(s) too many; all would fit in {overflow}"
    meta = {"role": "state", "reduce": reduce, "initial": initial, "validity": validity}
    return eqx.field(metadata=meta)


def constant() -> Any:
    """Declares an array that is configuration: kept by `reset`, never merged."""
    return eqx.field(metadata={"role": "constant"})


def stacked(size: str, *, counted: bool | Callable[[Any], Any] = True) -> Any:
    """Declares a field with several metrics as one: its arrays have a leading axis, as after
    `vmap`, and `merge` merges each metric with its counterpart.

    **Arguments:**

    - `size`: the name of the static field with their number. [`eqmetrics.stack`][] makes them.
    - `counted`: whether their counts of invalid rows are read; `False` if another metric sees the
        same rows. Or a function from the stack to one metric whose counts stand for all.
    """
    return eqx.field(metadata={"role": "stacked", "size": size, "counted": counted})


class Layout(NamedTuple):
    groups: tuple[tuple[AbstractReduction | None, tuple[str, ...]], ...]
    constants: tuple[str, ...]
    nested: tuple[str, ...]
    stacked: dict[str, str]  # the field, and the static field with its size
    counted: dict[str, bool | Callable[[Any], Any]]  # of the stacked fields
    static: tuple[str, ...]
    initial: dict[str, float]
    validity: dict[str, str]
    names: tuple[str, ...]

    @property
    def arrays(self) -> tuple[str, ...]:
        return tuple(n for _, names in self.groups for n in names) + self.constants


@ft.cache
def layout(cls: Any) -> Layout:
    groups: dict[AbstractReduction | None, list[str]] = {}
    roles: dict[str, list[str]] = {"constant": [], "nested": [], "static": []}
    initial, validity, stacked, counted = {}, {}, {}, {}
    fields = [f for f in dataclasses.fields(cls) if f.name != "_specs"]
    for f in fields:
        if f.metadata.get("role") == "state":
            groups.setdefault(f.metadata["reduce"], []).append(f.name)
            initial[f.name] = f.metadata["initial"]
            if f.metadata["validity"] is not None:
                validity[f.name] = f.metadata["validity"]
        elif f.metadata.get("role") == "stacked":
            stacked[f.name] = f.metadata["size"]
            counted[f.name] = f.metadata["counted"]
        elif f.metadata.get("static", False):
            roles["static"].append(f.name)
        else:
            roles[f.metadata.get("role", "nested")].append(f.name)
    return Layout(
        groups=tuple((r, tuple(names)) for r, names in groups.items()),
        constants=tuple(roles["constant"]),
        nested=tuple(roles["nested"]),
        stacked=stacked,
        counted=counted,
        static=tuple(roles["static"]),
        initial=initial,
        validity=validity,
        names=tuple(f.name for f in fields),
    )


def check_class(cls: Any, own_merge: bool) -> None:
    """At class definition: every array must declare how it is merged. `dataclasses.fields` is still
    empty then, so the annotations are read."""
    hints = hints_of(cls)
    for name in annotations_of(cls):
        declared = cls.__dict__.get(name)
        meta = declared.metadata if isinstance(declared, dataclasses.Field) else {}
        role = "static" if meta.get("static") else meta.get("role")
        abstract = typing.get_origin(hints.get(name)) is eqx.AbstractVar
        if role is None and not abstract and is_array_hint(hints.get(name)):
            raise TypeError(
                f"`{cls.__qualname__}.{name}` is an array that doesn't say how it merges. "
                f"Write `{name}: ... = eqm.state(reduce='sum')` (or 'max', 'min'), or "
                f"`eqm.constant()` if it is configuration."
            )
        if role == "state" and meta["reduce"] is None and not own_merge:
            raise TypeError(
                f"`{cls.__qualname__}.{name}` has no reduction and `{cls.__qualname__}` "
                "doesn't override `merge`. Write `eqm.state(reduce='sum')` (or 'max', "
                "'min'), or define `merge(self, other)`."
            )
