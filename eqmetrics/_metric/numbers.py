"""Converts arguments of constructors: configuration consists of hashable Python values, and users
pass NumPy numbers, an integer for a float, a list for a tuple."""

import functools as ft
import inspect
import math
import types
import typing
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.core import Tracer

from .hints import annotations_of, has_self, is_array_hint, resolved


_C = TypeVar("_C", bound=type)
_MOST = 60  # characters of a value in an error message
_SCALARS = bool, int, float, str


def _choices(hint: Any) -> tuple[Any, ...]:
    """The parts of a union; for a `Literal` the types of its values."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return tuple(dict.fromkeys(type(x) for x in typing.get_args(hint)))
    if origin in (typing.Union, types.UnionType):
        return tuple(x for part in typing.get_args(hint) for x in _choices(part))
    return (hint,)


def _element(hint: Any) -> Any:
    """The hint of each element, if it is one of a `Sequence` or of a tuple of any length. (An
    argument annotated as a list stays the list that was passed.)"""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Sequence or (origin is tuple and args[1:] == (...,)):
        return args[0]
    return None


def _is_plain(hint: Any) -> bool:
    return any(c in _SCALARS or _element(c) in _SCALARS for c in _choices(hint))


def _as_scalar(kinds: tuple[Any, ...], x: Any) -> Any:
    if isinstance(x, (np.generic, np.ndarray, jax.Array)) and x.ndim == 0:
        item = x.item()
    else:
        item = x
    if isinstance(item, bool):
        return item if bool in kinds else x
    if isinstance(item, int):
        if int in kinds:
            return int(item)
        # a larger integer might be rounded to another number
        fits = float in kinds and abs(item) <= 2**53
        return float(item) if fits else x
    if isinstance(item, float):
        if float in kinds:
            return math.nan if item != item else float(item)  # one object: it equals itself
        return int(item) if int in kinds and item.is_integer() else x
    return str(item) if isinstance(item, str) and str in kinds else x


def check_whole(name: str, x: Any, least: int = 1) -> None:
    if not isinstance(x, (int, np.integer)) or isinstance(x, bool) or x < least:
        raise ValueError(f"{name}={x!r}: expected a whole number from {least} on.")


def short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def as_written(hint: Any, x: Any) -> Any:
    """The value converted to its annotation if it is of another kind that fits: `2` for a float,
    `np.int64(3)` or `3.0` for an integer, a list for a tuple. Anything else is returned unchanged;
    a check raises later if it doesn't fit."""
    if x is None or isinstance(x, Tracer):
        return x
    kinds = _choices(hint)
    is_array = isinstance(x, (np.ndarray, jax.Array))
    if isinstance(x, (list, tuple, range)) or (is_array and x.ndim == 1):
        for kind in kinds:
            element = _element(kind)
            if is_array and element is int and not np.issubdtype(x.dtype, np.integer):
                continue  # data, passed to the class instead of its `update`
            if element is not None:
                return tuple(as_written(element, y) for y in (x.tolist() if is_array else x))
        return x
    return _as_scalar(kinds, x)


def _fits(hint: Any, x: Any) -> bool:
    for kind in _choices(hint):
        element = _element(kind)
        if element is not None and isinstance(x, (list, tuple)):
            return all(_fits(element, y) for y in x)
        if element is None and may_be(kind, x):
            return True
    return False


def may_be(kind: Any, x: Any) -> bool:
    try:
        return not isinstance(kind, type) or isinstance(x, kind)
    except TypeError:  # `Any`, or a protocol
        return True


def _built_as(hint: Any) -> str:
    """The expression that builds an instance of a class, if the class gives one for error messages;
    not inherited by its subclasses."""
    each = (getattr(c, "__dict__", {}).get("built_as", "") for c in _choices(hint))
    return " or ".join(filter(None, each))


def _checking(cls: type, init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)
    names = list(signature.parameters)

    @ft.cache
    def hints() -> dict[str, Any]:  # at the first call: annotations may name later classes
        known = getattr(init, "__globals__", {}), {cls.__name__: cls}
        found = resolved(annotations_of(init), *known)
        return {name: h for name, h in found.items() if not (is_array_hint(h) or has_self(h))}

    @ft.cache
    def plain() -> set[str]:
        return {name for name, hint in hints().items() if _is_plain(hint)}

    def convert(name: str, x: Any) -> Any:
        return as_written(hints()[name], x) if name in plain() else x

    @ft.cache
    def built() -> set[str]:
        return {name for name, hint in hints().items() if _built_as(hint)}

    def check(name: str, given: dict[str, Any], among: Collection[str]) -> None:
        for argument, x in given.items():
            if argument in among and not _fits(hint := hints()[argument], x):
                expected = _built_as(hint) or inspect.formatannotation(hint)
                raise TypeError(f"`{name}({argument}={short(x)})`: expected {expected}.")

    @ft.wraps(init)
    def __init__(*args: Any, **kwargs: Any) -> None:
        converted = [convert(n, x) for n, x in zip(names, args, strict=False)]
        named = {n: convert(n, x) for n, x in kwargs.items()}
        name, given = type(args[0]).__name__, dict(zip(names[1:], converted[1:], strict=False))
        given |= named
        check(name, given, built())
        try:
            init(*converted, *args[len(names) :], **named)
        except Exception as e:
            _bind(signature, name, args, kwargs, hints())
            message = str(e)
            if f"`{name}`" not in message and not any(
                f"{n}=" in message or f"`{n}`" in message for n in given
            ):
                if "`" not in message:  # an error of this library is clearer than this check
                    check(name, given, hints())
                each = ", ".join(f"{n}={short(x)}" for n, x in given.items())
                # Only the outermost constructor is the one that the user called.
                notes = [n for n in getattr(e, "__notes__", []) if not n.startswith("While `")]
                e.__notes__ = [*notes, f"While `{name}({each})` was built."]
            raise
        check(name, given, hints())

    return __init__


def _bind(
    signature: inspect.Signature, name: str, args: Any, kwargs: Any, hints: dict[str, Any]
) -> None:
    try:
        signature.bind(*args, **kwargs)
    except TypeError as e:
        takes = list(signature.parameters)[1:]
        message = f"`{name}`: {e}; it takes {', '.join(takes) or 'nothing'}."
        given = {*takes[: len(args) - 1], *kwargs}
        for n in takes:
            wanted = signature.parameters[n].default is inspect.Parameter.empty
            if wanted and n not in given and (built := _built_as(hints.get(n))):
                message += f" `{n}` is {built.removeprefix(f'a {n}: ')}."
        raise TypeError(message) from None


def plain_numbers(cls: _C) -> _C:
    """Lets the `__init__` that a class defines accept numbers as users write them, and compares its
    arguments with their annotations: the error names the argument."""
    init = cls.__dict__.get("__init__")
    if init is not None:
        setattr(cls, "__init__", _checking(cls, init))  # noqa: B010
    return cls
