"""Functions as configuration. jax compares configuration, and Python functions by identity alone:
a lambda that is made anew each epoch would compile again, and not merge with itself."""

import functools as ft
import types
import weakref
from typing import Any


_PLAIN = bool, int, float, complex, str, bytes, type(None)


def _names(code: types.CodeType) -> set[str]:
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _key(code: types.CodeType) -> tuple[Any, ...]:
    """What a function computes, and not where it stands."""
    consts = tuple(_key(c) if isinstance(c, types.CodeType) else _const(c) for c in code.co_consts)
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    return code.co_code, code.co_exceptiontable, consts, code.co_names, code.co_varnames, counts


def _const(x: Any) -> tuple[type, str]:
    # as text, -0.0 and 0.0 differ; of a set the order doesn't
    return type(x), repr(sorted(map(repr, x)) if isinstance(x, frozenset) else x)


def _held(x: Any) -> Any:
    if isinstance(x, (*_PLAIN, tuple)):
        return x
    try:
        return weakref.ref(x)  # a global may be large, or the function itself
    except TypeError:
        return x


def _reads(fn: types.FunctionType) -> tuple[tuple[str, Any], ...]:
    """The globals that a function names, with their values as they are now: a helper that a
    notebook cell has defined again makes another function of what calls it."""
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


# The functions that were met, each with what it read then. Weak: a lambda that no metric and no
# compiled program holds is forgotten.
_met: weakref.WeakKeyDictionary[types.FunctionType, tuple[Any, ...]]
_met = weakref.WeakKeyDictionary()
_by_code: dict[tuple[Any, ...], weakref.WeakSet] = {}


def one_of_equal(fn: Any) -> Any:
    """The first function met that is equal: of equal name, code, defaults and globals, and without
    a closure. What is no such function comes back as it is."""
    if isinstance(fn, ft.partial):
        inner = one_of_equal(fn.func)
        return fn if inner is fn.func else ft.partial(inner, *fn.args, **fn.keywords)
    if not isinstance(fn, types.FunctionType) or fn.__closure__ or fn.__dict__:
        return fn
    parts = _parts(fn)
    # The name too: `eqm.save` writes it.
    key = fn.__module__, fn.__qualname__, _key(fn.__code__)
    known = _by_code.setdefault(key, weakref.WeakSet())
    for other in known:
        if other.__globals__ is fn.__globals__ and _same(_met[other], parts):
            return other
    known.add(fn)
    _met[fn] = parts
    return fn
