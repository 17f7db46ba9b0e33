"""Checks at trace time, of arguments and fields.

jaxtyping and beartype look only at shapes, dtypes and types, so a check that has passed once for a
set of shapes always passes. Each passed check is remembered, and a repeated call costs a look-up.
"""

import dataclasses
import functools as ft
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import config, jaxtyped, TypeCheckError

from .hints import annotations_of, has_self, hints_of, is_array_hint, resolved
from .messages import describe, no_number, not_real
from .mistakes import meant, of_wrong_class, of_wrong_kinds


_MEMO_SIZE = 4096


def _checked(fn: Callable[..., Any]) -> Callable[..., Any]:
    from beartype import beartype  # takes 35 ms: not at `import eqmetrics`
    from beartype.roar import BeartypeDecorHintPep585DeprecationWarning

    with warnings.catch_warnings():
        # beartype warns of `typing.Callable`, but the annotations are those of the user's class.
        warnings.simplefilter("ignore", BeartypeDecorHintPep585DeprecationWarning)
        return jaxtyped(typechecker=beartype)(fn)


def to_array(name: str, x: Any) -> Any:
    """A host value as a strongly typed array of at most 32 bits; anything else unchanged."""
    if isinstance(x, jax.Array) or not isinstance(
        x, (bool, int, float, np.ndarray, np.generic)
    ):
        return x
    array = np.asarray(x)
    if array.dtype.kind in "OSUMm":
        raise TypeError(
            no_number(name, describe(array))
            if array.dtype.kind != "O"
            else f"`{name}` is an array of Python objects, expected numbers or booleans: do all "
            "its rows have the same length?"
        )
    if array.dtype.kind in "iu":
        target = np.dtype(np.uint32 if array.dtype == np.uint64 else np.int32)
        if array.dtype.itemsize < 8:
            target = array.dtype
        info = np.iinfo(target)
        if array.size and not (info.min <= array.min() and array.max() <= info.max):
            raise ValueError(
                f"`{name}` holds integers between {array.min()} and {array.max()}, which "
                f"don't fit {target}: narrowing would change them. Remap them first, or "
                "convert them to float."
            )
        array = array.astype(target)
    elif array.dtype == np.float64:
        array = array.astype(np.float32)
    return jnp.asarray(array)


def _no_complex(hint: Any) -> bool:
    return "Complex" not in str(hint) and "Key" not in str(hint)


def _signature_of(tree: Any) -> Any:
    leaves, treedef = jax.tree.flatten(tree)
    return treedef, tuple(
        (x.shape, x.dtype)
        if isinstance(x, (jax.Array, np.ndarray))
        else (type(x), x if isinstance(x, str) else None)  # a string may be one of a `Literal`
        for x in leaves
    )


def _remember(memo: dict, key: Any) -> None:
    if len(memo) >= _MEMO_SIZE:
        memo.clear()
    memo[key] = None


# ---- fields


@ft.cache
def _field_checker(cls: type) -> Callable[..., None]:
    hints = hints_of(cls)
    named = {
        f.name: hints[f.name]
        for f in dataclasses.fields(cls)
        if f.name in hints and f.name != "_specs" and not has_self(hints[f.name])
    }
    params = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)] + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint)
        for name, hint in named.items()
    ]

    def fields(*args, **kwargs):
        return None

    fields.__signature__ = inspect.Signature(params)  # pyright: ignore[reportFunctionMemberAccess]
    fields.__annotations__ = dict(named)
    fields.__name__ = "fields"
    fields.__qualname__ = f"{cls.__qualname__}.fields"
    fields.__module__ = cls.__module__
    checked = _checked(fields)
    return lambda self: checked(self, **{name: getattr(self, name) for name in named})


_fields_seen: dict = {}


def check_fields(metric: Any) -> None:
    """Checks all fields of one metric against their annotations, in one jaxtyping context."""
    if config.jaxtyping_disable:
        return
    try:
        key = type(metric), _signature_of(metric)
        if key in _fields_seen:
            return
    except TypeError:  # an unhashable static field
        key = None
    try:
        _field_checker(type(metric))(metric)
    except TypeCheckError:
        message = of_wrong_class(metric)
        if message:
            raise TypeError(message) from None
        raise
    if key is not None:
        _remember(_fields_seen, key)


# ---- methods


def check_signature(cls: type, fn: Any, routes: bool) -> None:
    for p in list(inspect.signature(fn).parameters.values())[1:]:
        if not routes and p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise TypeError(
                f"`{cls.__qualname__}.update` takes `{p}`: arguments that are swallowed hide "
                "misspelt ones. Name each argument that the metric needs; a collection passes "
                "a metric only what it names. (A wrapper, which passes its arguments on, is a "
                "subclass of `eqm.AbstractWrapper`.)"
            )


def _resolve(cls: type, fn: Any) -> inspect.Signature:
    signature = inspect.signature(fn)
    inner = inspect.unwrap(fn)
    hints = resolved(
        annotations_of(inner) if callable(inner) else {},
        getattr(inner, "__globals__", {}),
        {**vars(cls), cls.__name__: cls},
    )

    def hint(name: str, default: Any) -> Any:
        found = hints.get(name, Any if isinstance(default, str) else default)
        return Any if has_self(found) else found

    params = [
        p.replace(annotation=hint(p.name, p.annotation))
        for p in signature.parameters.values()
    ]
    # The result of `update` is compared with the metric itself: an annotation other than `Self`
    # would check less.
    result = signature.empty
    if fn.__name__ != "update":
        result = hint("return", signature.return_annotation)
    return signature.replace(parameters=params, return_annotation=result)


class CheckedMethod:
    """One `update` or `compute` with its checks; built at the first call."""

    def __init__(self, cls: type, fn: Any, owner: str):
        self.fn = fn
        self.is_ours = cls.__module__.split(".")[0] == __name__.split(".")[0]
        self.memo: dict = {}
        signature = _resolve(cls, fn)
        params = list(signature.parameters.values())
        self.signature = signature
        self.names = [p.name for p in params[1:]]
        self.arrays = {p.name for p in params if is_array_hint(p.annotation)}
        # These accept numbers of any kind except complex ones, whose imaginary part a cast would
        # drop.
        self.real = {p.name for p in params if p.name in self.arrays and _no_complex(p.annotation)}

        def call(*args, **kwargs):
            return fn(*args, **kwargs)

        call.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
        call.__annotations__ = {
            p.name: p.annotation for p in params if p.annotation is not p.empty
        }
        if signature.return_annotation is not signature.empty:
            call.__annotations__["return"] = signature.return_annotation
        call.__name__ = fn.__name__
        call.__qualname__ = f"{owner}.{fn.__name__}"
        call.__module__ = cls.__module__
        self.checked = _checked(call)

    def __call__(self, metric, args, kwargs, verify):
        if args:
            args = tuple(
                to_array(n, x) if n in self.arrays else x
                for n, x in zip(self.names, args, strict=False)
            ) + args[len(self.names) :]
        if kwargs:
            kwargs = {
                n: to_array(n, x) if n in self.arrays else x for n, x in kwargs.items()
            }
        off = config.jaxtyping_disable
        try:
            key = off, _signature_of(metric), _signature_of((args, kwargs))
            if key in self.memo:
                return self.fn(metric, *args, **kwargs)
        except TypeError:
            key = None
        verify(metric, args, kwargs)
        self._bind(metric, args, kwargs)
        self._refuse_complex(args, kwargs)
        try:
            out = (self.fn if off else self.checked)(metric, *args, **kwargs)
        except TypeCheckError as e:
            self._tell_kinds(args, kwargs, e)
            raise
        if key is not None:
            _remember(self.memo, key)
        return out

    def _tell_kinds(self, args, kwargs, error):
        given = dict(zip(self.names, args, strict=False)) | kwargs
        message = of_wrong_kinds(self.signature.parameters, given)
        if message:
            # The author of a class knows its annotations. A user of the library's own metrics
            # doesn't, and jaxtyping's message would only distract.
            raise TypeError(message if self.is_ours else f"{message}\n{error}") from None

    def _refuse_complex(self, args, kwargs):
        for name, x in [*zip(self.names, args, strict=False), *kwargs.items()]:
            dtype = getattr(x, "dtype", jnp.float32)
            if name in self.real and jnp.issubdtype(dtype, jnp.complexfloating):
                raise not_real(name, x)
            if name in self.real and self.is_ours and jnp.issubdtype(dtype, jax.dtypes.prng_key):
                raise TypeError(no_number(name, describe(x)))

    def _bind(self, metric, args, kwargs):
        try:
            self.signature.bind(metric, *args, **kwargs)
        except TypeError as e:
            keywords = [
                p.name for p in self.signature.parameters.values() if p.kind is p.KEYWORD_ONLY
            ]
            by_name = f" By name alone: {', '.join(keywords)}." if keywords else ""
            raise TypeError(
                f"`{type(metric).__qualname__}.{self.fn.__name__}`: {e}; it takes "
                f"{', '.join(self.names) or 'nothing'}.{by_name}{meant(kwargs, self.names)}"
            ) from None
