"""Functions as configuration. jax compares static fields with `==`, and Python functions are equal
only if they are identical: a lambda that is defined anew in each epoch would compile again, and its
metric couldn't be merged with an earlier one."""

import functools as ft
import types
import weakref
from typing import Any


_PLAIN = bool, int, float, complex, str, bytes, type(None)


def _names(code: types.CodeType) -> set[str]:
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _key(code: types.CodeType) -> tuple[Any, ...]:
    """Everything that determines the result of a function, without its position in the file."""
    consts = tuple(_key(c) if isinstance(c, types.CodeType) else _const(c) for c in code.co_consts)
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    return code.co_code, code.co_exceptiontable, consts, code.co_names, code.co_varnames, counts


def _const(x: Any) -> tuple[type, str]:
    # As text, -0.0 and 0.0 differ. The elements of a set are sorted: their order means nothing.
    return type(x), repr(sorted(map(repr, x)) if isinstance(x, frozenset) else x)


def _held(x: Any) -> Any:
    if isinstance(x, (*_PLAIN, tuple)):
        return x
    try:
        return weakref.ref(x)  # a global may be large, or be the function itself
    except TypeError:
        return x


def _reads(fn: types.FunctionType) -> tuple[tuple[str, Any], ...]:
    """The globals that a function names, with their current values: if a notebook cell defines a
    helper again, the function that calls it is a different one."""
    known = fn.__globals__
    names = sorted(_names(fn.__code__))
    return tuple((name, _held(known[name])) for name in names if name in known)


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, weakref.ref) and isinstance(b, weakref.ref):
        return a() is not None and a() is b()
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    return isinstance(a, _PLAIN) and _const(a) == _const(b)


def _parts(fn: types.FunctionType) -> tuple[Any, ...]:
    return fn.__defaults__, fn.__kwdefaults__, _reads(fn)


# The functions seen so far, each with the globals that it read then. Weak references: a lambda that
# no metric and no compiled program holds is forgotten.
_met: weakref.WeakKeyDictionary[types.FunctionType, tuple[Any, ...]]
_met = weakref.WeakKeyDictionary()
_by_code: dict[tuple[Any, ...], weakref.WeakSet] = {}


def one_of_equal(fn: Any) -> Any:
    """The first function that was equal: the same name, code, defaults and globals, and no closure.
    Anything else is returned as it is."""
    if isinstance(fn, ft.partial):
        inner = one_of_equal(fn.func)
        return fn if inner is fn.func else ft.partial(inner, *fn.args, **fn.keywords)
    if not isinstance(fn, types.FunctionType) or fn.__closure__ or fn.__dict__:
        return fn
    parts = _parts(fn)
    # Including the name, which `eqm.save` writes.
    key = fn.__module__, fn.__qualname__, _key(fn.__code__)
    known = _by_code.setdefault(key, weakref.WeakSet())
    for other in known:
        if other.__globals__ is fn.__globals__ and _same(_met[other], parts):
            return other
    known.add(fn)
    _met[fn] = parts
    return fn
