"""Error messages for arguments as other libraries expect them: of another kind, or under another
name. Used only after a check has failed."""

import importlib
import inspect
import types
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin, Union

import equinox as eqx
import jax
import numpy as np

from .hints import hints_of, is_array_hint
from .messages import describe, nearest, no_number
from .numbers import may_be


_KINDS = {"int": "integers", "float": "floats", "bool": "booleans", "complex": "complex numbers"}


def _kind(dtype: Any) -> str:
    """From the name of a dtype: `uint8` is an integer and `bfloat16` a float; a random key has no
    kind."""
    return next((kind for part, kind in _KINDS.items() if part in str(dtype)), "")


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _is_array(hint: Any) -> bool:
    """Whether an annotation is of one array, not of a tuple of arrays."""
    return inspect.isclass(hint) and is_array_hint(hint)


def _kinds(hint: Any) -> set[str]:
    """The kinds of arrays that an annotation accepts; empty if it accepts no array."""
    found = set()
    for part in filter(_is_array, _parts(hint)):
        dtypes = getattr(part, "dtypes", None)  # not a list for `Shaped` or `jax.Array`
        found |= set(map(_kind, dtypes) if isinstance(dtypes, (list, tuple)) else _KINDS.values())
    return found


def _is_other(hint: Any, x: Any) -> bool:
    """Whether an annotation accepts this value, which isn't an array, such as `None`."""
    return any(may_be(part, x) for part in _parts(hint) if not _is_array(part))


def _or(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _said(kinds: set[str]) -> str:
    return _or(kind for kind in _KINDS.values() if kind in kinds)


def _as_array(name: str, x: Any, kinds: set[str]) -> str:
    """The message for a value that isn't an array."""
    listed = isinstance(x, (list, tuple))
    what = "None" if x is None else f"a {type(x).__name__}"
    if any(isinstance(y, str) for y in (jax.tree.leaves(x) if listed else [x])):
        return no_number(name, f"{what} of strings" if listed else what)
    of = f" of {_said(kinds)}" if len(kinds) < len(_KINDS) else ""
    return f"`{name}` is {what}, expected an array{of}" + (
        f": `jnp.array({name})`." if listed else "."
    )


def _as_kind(name: str, x: Any, kinds: set[str], others: list[str]) -> str:
    """The message for an array of another kind, which the arguments `others` accept as it is."""
    target = next(each for each in ("float", "int", "bool", "complex") if _KINDS[each] in kinds)
    line = f"`{name}.astype({target})`"
    if target == "int" and _kind(x.dtype) == "floats":
        line += " if these are whole numbers"
        if x.shape[1:] and x.shape[-1] > 1:
            line = f"`{name}.argmax(-1)` if the last axis is that of the classes, else {line}"
    what = f"`{name}` is {describe(x)}, expected {_said(kinds)}: {line}."
    return what + (f" As it is, pass it as {_or(others)}." if others else "")


def of_wrong_kinds(parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> str:
    """A line for each argument that isn't an array, or is an array of the wrong kind."""
    kinds = {name: _kinds(p.annotation) for name, p in parameters.items()}
    given = {name: given[name] for name in parameters if name in given}  # in one order
    # Exactly one of these arguments contains the predictions. Masks and weights are optional, too,
    # but aren't among them.
    optional = {
        name
        for name, p in parameters.items()
        if p.default is None and kinds[name] - {"booleans"} and len(kinds[name]) < len(_KINDS)
    }
    lines = []
    for name, x in given.items():
        takes = kinds[name]
        if not takes or "" in takes or _is_other(parameters[name].annotation, x):
            continue
        if not isinstance(x, (jax.Array, np.ndarray)):
            lines.append(_as_array(name, x, takes))
        elif (kind := _kind(x.dtype)) and kind not in takes:
            rest = [n for n in parameters if n in optional and n != name]
            is_one = name in optional and all(given.get(n) is None for n in rest)
            others = [f"`{n}`" for n in rest if is_one and kind in kinds[n]]
            lines.append(_as_kind(name, x, takes, others))
    return "\n".join(lines)


def of_wrong_class(metric: Any) -> str:
    """The message for a field that holds a metric of the wrong class."""
    for name, hint in hints_of(type(metric)).items():
        x = getattr(metric, name, None)
        if inspect.isclass(hint) and isinstance(x, eqx.Module) and not may_be(hint, x):
            where = f"`{type(metric).__qualname__}.{name}`"
            return f"{where} is a metric `{type(x).__name__}`, expected `{hint.__name__}`."
    return ""


# ---- names


_PREDICTED = (
    "predictions", "logits", "probabilities", "predicted_labels", "predicted_tokens",
    "predicted_boxes", "predicted_segments", "predicted_sets", "scores", "samples",
)  # fmt: skip
_TRUE = "targets", "labels", "tokens", "references", "relevance", "boxes", "segments"
_ELSEWHERE = {
    "preds": _PREDICTED,
    "y_pred": _PREDICTED,
    "target": _TRUE,
    "y_true": _TRUE,
    "sample_weight": ("weights",),
}


def meant(given: Iterable[str], takes: Iterable[str]) -> str:
    """The names in this library of arguments with the names that torchmetrics, Keras and
    scikit-learn use."""
    takes, found = list(takes), []
    for name in given:
        here = [f"`{n}`" for n in _ELSEWHERE.get(name, ()) if n in takes]
        if here and name not in takes:
            found.append(f"`{name}` is {_or(here)}")
    return f" Here {' and '.join(found)}." if found else ""


def name_meant(name: str, names: list[str], shelves: list[str], package: str) -> str:
    """For a class that the package doesn't have under this name: one of a subpackage, one with
    these initials, or one with a similar spelling."""
    if not name[0].isupper():  # Python itself looks up other kinds of names
        return nearest(name, names)
    there = [s for s in shelves if name in dir(importlib.import_module(f"{package}.{s}"))]
    if there:
        return f" It is {_or([f'`eqm.{s}.{name}`' for s in there])}."
    short = [n for n in names if "".join(filter(str.isupper, n)) == name]
    return f" Did you mean {_or([f'`{n}`' for n in short])}?" if short else nearest(name, names)
