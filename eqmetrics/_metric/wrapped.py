"""The wrappers around the methods of a metric: they check arguments and process results."""

import contextlib
import dataclasses
import functools as ft
from collections.abc import Callable
from types import FunctionType
from typing import Any, cast, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from .._collection.ordered import in_order, plain_dicts
from .._onepass.compiled import in_one_program
from .._onepass.together import in_one_pass
from .._reduction.axes import automatic
from .built import check_shapes_of
from .checks import CheckedMethod
from .field import layout
from .frames import leave_out_ours
from .messages import describe
from .node import is_metric, Node, vary_like, walk


_F = TypeVar("_F", bound=Callable[..., Any])


class _Plain:
    def __init__(self, fn: Any):
        self.fn = fn
        self.__doc__ = fn.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.fn if instance is None else ft.partial(self.fn, instance)


def plain(fn: _F) -> _F:
    """A method that is never passed through a transformation. Equinox makes every bound method a
    pytree, which costs 40 us per call."""
    return cast(_F, _Plain(fn))


def writes(cls: type[Node], name: str) -> bool:
    """Whether a class itself defines a method that isn't abstract."""
    fn = cls.__dict__.get(name)
    return fn is not None and not getattr(fn, "__isabstractmethod__", False)


def telling_nan(tree: Any) -> contextlib.AbstractContextManager:
    """Switches `jax_debug_nans` off while values are read: it stops at any operation that gives
    NaN, and NaN is the value of an undefined metric. A traced program is the user's: it stops if
    its results contain NaN."""
    if not jax.config.jax_debug_nans:  # pyright: ignore[reportAttributeAccessIssue]
        return contextlib.nullcontext()
    if any(isinstance(x, Tracer) for x in jax.tree.leaves(tree)):
        return contextlib.nullcontext()
    return jax.debug_nans(False)


def wrap_bounds(cls: type[Node]) -> None:
    fn = cls.__dict__["bounds"]

    @ft.wraps(fn)
    def bounds(self):
        with telling_nan(self):
            return fn(self)

    setattr(cls, "bounds", bounds)  # noqa: B010


def wrap(
    cls: type[Node],
    name: str,
    finish: Callable[..., Any],
    check: Callable[..., None] | None = None,
    around: Callable[[Any], contextlib.AbstractContextManager] | None = None,
    named: Callable[..., tuple[Any, Any]] | None = None,
) -> None:
    """Wraps a method: its arguments and its result are checked, and the result goes through
    `finish`. `check` is called once for each set of shapes. The method runs inside the context
    `around(metric)`, with its arguments converted by `named`."""
    fn = cls.__dict__[name]
    call = {"update": in_one_pass, "compute": in_one_program}.get(name, _call)
    made: dict[type, CheckedMethod] = {}

    def verify(metric, args, kwargs):
        check_shapes_of(metric, name, walk)
        if check is not None:
            check(metric, args, kwargs)

    def body(self, args, kwargs):
        out = made[type(self)](self, args, kwargs, verify)
        return finish(self, out, (args, kwargs))

    @automatic
    def run(self, /, *args, **kwargs):
        if type(self) not in made:  # built at the first call: annotations may name later classes
            made[type(self)] = CheckedMethod(cls, fn, type(self).__qualname__)
        if around is None:
            return call(body, self, args, kwargs)
        with around(self):
            return call(body, self, args, kwargs)

    @ft.wraps(fn)
    def method(self=None, /, *args, **kwargs):
        try:
            if named is not None:
                args, kwargs = named(self, args, kwargs)
            return run(self, *args, **kwargs)
        except Exception as e:
            if not is_metric(self):
                raise _on_class(cls, name) from None
            if isinstance(e, dataclasses.FrozenInstanceError) and not getattr(e, "__notes__", []):
                e.add_note("A metric doesn't change: `return self.replace(name=...)`.")
            leave_out_ours(e)
            raise

    setattr(cls, name, method)


def _on_class(cls: type[Node], name: str) -> TypeError:
    """The error for a method that was called on a class. Python doesn't tell which of the classes
    that inherit the method from `cls` it was."""
    call = f"{name}({'' if name == 'compute' else '...'})"
    if getattr(cls, "__abstractmethods__", None):
        whose, line = f"`{name}` was called on a class", f", as in `eqm.Accuracy().{call}`"
    else:
        whose = f"`{cls.__name__}.{name}` was called on the class"
        line = f": `{cls.__name__}().{call}`"
    return TypeError(f"{whose}, expected a metric. Build it first{line}.")


def _call(fn: Callable[..., Any], metric: Any, args: Any, kwargs: Any) -> Any:
    return fn(metric, args, kwargs)


def wrap_merge(cls: type[Node]) -> None:
    """Adds the check of the derived `merge` to a `merge` that a class defines."""
    fn = cls.__dict__["merge"]

    @automatic
    @ft.wraps(fn)
    def merge(self, other):
        check_mergeable(self, other)
        return fn(self, other)

    setattr(cls, "merge", merge)  # noqa: B010


def finish_update(metric: Node, out: Any, inputs: Any) -> Any:
    if type(out) is not type(metric):
        raise TypeError(
            f"`{type(metric).__qualname__}.update` returned {describe(out)}: it must return "
            "a metric of its own class, as `return self.replace(...)` does."
        )
    return vary_like(out, inputs)


def nan_where_left_out(metric: Node, value: Any) -> Any:
    """The value, or NaN if rows were left out because they were invalid or there was no space."""
    counts = [
        getattr(node, name)
        for _, node, axes in walk(metric)
        if not axes  # a metric inside a stack has done this for its own value
        for name in layout(type(node)).validity
    ]
    if not counts:
        return value
    bad = ft.reduce(jnp.logical_or, [jnp.any(count != 0) for count in counts])

    def hidden(x):
        if not eqx.is_array_like(x):  # a string
            return x
        x = x if isinstance(x, jax.Array) else jnp.asarray(np.asarray(x))
        x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
        return jnp.where(bad, jnp.nan, x)

    return plain_dicts(jax.tree.map(hidden, in_order(value)))


def differs(cls: type[Node], name: str, here: Any, there: Any) -> ValueError:
    return ValueError(
        f"Cannot merge two `{cls.__qualname__}` of different configuration: "
        f"`{name}` is {here} here and {there} there."
    )


def paths(value: Any) -> str:
    found = jax.tree_util.tree_flatten_with_path(value, is_leaf=is_metric)[0]
    where = [jax.tree_util.keystr(path) or type(leaf).__name__ for path, leaf in found]
    return ", ".join(where) or "nothing"


def other_class(cls: type[Node], right: Any) -> str:
    """The error for merging a metric with an object of another class."""
    if isinstance(right, type):
        return (
            f"Cannot merge `{cls.__qualname__}` with the class `{right.__qualname__}`. Build it: "
            f"`{right.__name__}()`."
        )
    there = type(right)
    what = f"Cannot merge `{cls.__qualname__}` with `{there.__qualname__}`"
    if not is_metric(right):
        return (
            f"{what}, expected another `{cls.__qualname__}`. Metrics are merged, and not their "
            "values: `left.merge(right).compute()`."
        )
    if (cls.__module__, cls.__qualname__) != (there.__module__, there.__qualname__):
        return f"{what}."
    return (
        f"{what}: these are two classes of one name. It was defined again, by a notebook cell or "
        "a reload, after one of the two was built. Build both with the class as it is now; the "
        "old one's arrays are kept by `jax.tree.unflatten(jax.tree.structure(new), "
        "jax.tree.leaves(old))`, if the fields are the same."
    )


def check_mergeable(left: Node, right: Any) -> None:
    cls = type(left)
    if type(right) is not cls:
        raise TypeError(other_class(cls, right))
    for name in layout(cls).static:
        a, b = getattr(left, name), getattr(right, name)
        if a is not b and a != b and (a == a or b == b):  # NaN is NaN
            error = differs(cls, name, repr(a), repr(b))
            if isinstance(a, FunctionType) and isinstance(b, FunctionType):
                error.add_note(
                    "A function with a closure is never equal to another, and compiles anew. Make "
                    "it once, outside the loop, and build both with it."
                )
            raise error
    for (name, *here), (_, *there) in zip(left._specs, right._specs, strict=False):
        if here != there:  # other shapes would be broadcast
            sizes = (describe(jax.ShapeDtypeStruct(*x)) for x in (here, there))
            raise differs(cls, name, *sizes)
    for metric in (left, right):
        check_shapes_of(metric, "merge", walk)
