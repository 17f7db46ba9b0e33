"""Annotations, evaluated as far as they can be."""

import inspect
import sys
import types
import typing
from typing import Any

import jax
from jaxtyping import AbstractArray


def is_array_hint(hint: Any) -> bool:
    """Whether an annotation is, or contains, an array type."""
    if inspect.isclass(hint):
        return issubclass(hint, (AbstractArray, jax.Array))
    return any(is_array_hint(h) for h in typing.get_args(hint))


def annotations_of(x: Any) -> dict[str, Any]:
    if sys.version_info >= (3, 14):  # evaluated late: a missing name would raise
        import annotationlib

        return annotationlib.get_annotations(x, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(x)


def resolved(annotations: dict[str, Any], globalns: Any, localns: Any) -> dict[str, Any]:
    """Evaluates annotations that are strings one by one: if a name is imported only for type
    checkers, the other annotations are still checked."""
    hints = {}
    for name, hint in annotations.items():
        one = types.SimpleNamespace(__annotations__={name: hint})
        try:
            hints |= typing.get_type_hints(one, globalns, localns, include_extras=True)
        except (NameError, TypeError, AttributeError):
            continue
    return hints


def hints_of(cls: type) -> dict[str, Any]:
    """The annotations of a class and its bases that can be resolved."""
    hints = {}
    for base in reversed(cls.__mro__):
        module = sys.modules.get(base.__module__)
        names = vars(module) if module else {}
        # The names of the module come before those of the class, as in `typing.get_type_hints`.
        hints |= resolved(annotations_of(base), dict(vars(base)), names)
    return hints


def has_self(hint: Any) -> bool:
    return hint is typing.Self or any(has_self(h) for h in typing.get_args(hint))
