"""Arguments of constructors as people write them: configuration is hashable Python, and callers
have NumPy's numbers, an integer for a float, a list for a tuple."""

import functools as ft
import inspect
import math
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.core import Tracer

from .hints import annotations_of, resolved


_C = TypeVar("_C", bound=type)
_SCALARS = bool, int, float, str


def _choices(hint: Any) -> tuple[Any, ...]:
    """The parts of a union; of a `Literal` the types of its values."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return tuple(dict.fromkeys(type(x) for x in typing.get_args(hint)))
    if origin in (typing.Union, types.UnionType):
        return tuple(x for part in typing.get_args(hint) for x in _choices(part))
    return (hint,)


def _element(hint: Any) -> Any:
    """The hint of each element, if it is one of a sequence or tuple of equal ones. Who asks for a
    list gets the one that was given."""
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
        # a float of more bits than it has would be another number
        fits = float in kinds and abs(item) <= 2**53
        return float(item) if fits else x
    if isinstance(item, float):
        if float in kinds:
            return math.nan if item != item else float(item)  # the one NaN that equals itself
        return int(item) if int in kinds and item.is_integer() else x
    return str(item) if isinstance(item, str) and str in kinds else x


def as_written(hint: Any, x: Any) -> Any:
    """The value as its annotation says, where it is one of another kind that fits: `2` for a
    float, `np.int64(3)` or `3.0` for an integer, a list for a tuple. All else unchanged: what
    doesn't fit, its own check tells."""
    if x is None or isinstance(x, Tracer):
        return x
    kinds = _choices(hint)
    is_array = isinstance(x, (np.ndarray, jax.Array))
    if isinstance(x, (list, tuple, range)) or (is_array and x.ndim == 1):
        for kind in kinds:
            element = _element(kind)
            if element is not None:
                return tuple(as_written(element, y) for y in (x.tolist() if is_array else x))
        return x
    return _as_scalar(kinds, x)


def _fits(hint: Any, x: Any) -> bool:
    for kind in _choices(hint):
        element = _element(kind)
        if element is not None and isinstance(x, tuple):
            return all(_fits(element, y) for y in x)
        if element is None and (not isinstance(kind, type) or isinstance(x, kind)):
            return True
    return False


def _converting(cls: type, init: Callable[..., None]) -> Callable[..., None]:
    names = list(inspect.signature(init).parameters)

    @ft.cache
    def hints() -> dict[str, Any]:  # at the first call: annotations may name later classes
        known = getattr(init, "__globals__", {}), {cls.__name__: cls}
        found = resolved(annotations_of(init), *known)
        return {name: hint for name, hint in found.items() if _is_plain(hint)}

    def convert(name: str, x: Any) -> Any:
        return as_written(hints()[name], x) if name in hints() else x

    @ft.wraps(init)
    def __init__(*args: Any, **kwargs: Any) -> None:
        converted = [convert(n, x) for n, x in zip(names, args, strict=False)]
        named = {n: convert(n, x) for n, x in kwargs.items()}
        try:
            init(*converted, *args[len(names) :], **named)
        except TypeError as e:
            for name, x in {**dict(zip(names, converted, strict=False)), **named}.items():
                if name in hints() and not _fits(hints()[name], x):
                    hint = inspect.formatannotation(hints()[name])
                    raise TypeError(f"`{cls.__name__}({name}={x!r})`: expected {hint}.") from e
            raise

    return __init__


def plain_numbers(cls: _C) -> _C:
    """Lets the `__init__` that a class has of its own take numbers as people write them."""
    init = cls.__dict__.get("__init__")
    if init is not None:
        setattr(cls, "__init__", _converting(cls, init))  # noqa: B010
    return cls
