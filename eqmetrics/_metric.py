import abc
import dataclasses
import functools as ft
import typing
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar, dataclass_transform, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._checks import (
    check_fields,
    check_shapes_of,
    check_signature,
    CheckedMethod,
    describe,
    is_array_hint,
    nearest,
    to_array,
)
from ._reduction import AbstractReduction, NAMED


def state(
    *, reduce: str | AbstractReduction | None = None, initial: float = 0
) -> Any:
    """Declares a state array, and how it merges.

    **Arguments:**

    - `reduce`: `"sum"`, `"max"`, `"min"`, or a reduction object such as `eqm.exact_sum`.
        May be left out only in a class that overrides `merge`.
    - `initial`: what `reset` fills the array with where there is no reduction to say so.
    """
    if isinstance(reduce, str):
        if reduce not in NAMED:
            raise ValueError(
                f"Unknown reduction {reduce!r}: expected one of {', '.join(NAMED)}, or a "
                f"reduction object.{nearest(reduce, NAMED)}"
            )
        reduce = NAMED[reduce]
    return eqx.field(metadata={"role": "state", "reduce": reduce, "initial": initial})


def constant() -> Any:
    """Declares an array that is configuration: kept by `reset`, never merged."""
    return eqx.field(metadata={"role": "constant"})


class _Layout(NamedTuple):
    groups: tuple[tuple[AbstractReduction | None, tuple[str, ...]], ...]
    constants: tuple[str, ...]
    nested: tuple[str, ...]
    static: tuple[str, ...]
    initial: dict[str, float]


@ft.cache
def layout(cls: type["Metric"]) -> _Layout:
    groups: dict[AbstractReduction | None, list[str]] = {}
    roles: dict[str, list[str]] = {"constant": [], "nested": [], "static": []}
    initial = {}
    for f in dataclasses.fields(cls):
        if f.name == "_built":
            continue
        if f.metadata.get("role") == "state":
            groups.setdefault(f.metadata["reduce"], []).append(f.name)
            initial[f.name] = f.metadata["initial"]
        elif f.metadata.get("static", False):
            roles["static"].append(f.name)
        else:
            roles[f.metadata.get("role", "nested")].append(f.name)
    return _Layout(
        tuple((r, tuple(names)) for r, names in groups.items()),
        tuple(roles["constant"]),
        tuple(roles["nested"]),
        tuple(roles["static"]),
        initial,
    )


def is_metric(x: Any) -> bool:
    return isinstance(x, Metric)


def rebuild(metric: Any, changes: dict[str, Any]) -> Any:
    """A copy with other field values, unchecked: what unflattening does."""
    new = object.__new__(type(metric))
    new.__dict__.update(metric.__dict__)
    new.__dict__.update(changes)
    return new


def walk(metric: "Metric", path: str = "") -> Iterator[tuple[str, "Metric"]]:
    """The metric and all metrics below it, each with its path."""
    yield path, metric
    for name in layout(type(metric)).nested:
        found = jax.tree_util.tree_flatten_with_path(
            getattr(metric, name), is_leaf=is_metric
        )[0]
        for key, leaf in found:
            if is_metric(leaf):
                yield from walk(leaf, f"{path}.{name}{jax.tree_util.keystr(key)}")


# Metrics that no data has reached yet. By identity, since a pytree loses all else: any
# unflattening gives an object that isn't here.
_fresh: dict[int, weakref.ref] = {}


def is_fresh(metric: "Metric") -> bool:
    return id(metric) in _fresh


def mark_fresh(metric: "Metric") -> None:
    key = id(metric)
    _fresh[key] = weakref.ref(metric, lambda _: _fresh.pop(key, None))


def _check_class(cls: type["Metric"]) -> None:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except (NameError, TypeError):
        hints = {}  # told when the first instance is built
    for name in cls.__dict__.get("__annotations__", {}):
        declared = cls.__dict__.get(name)
        meta = declared.metadata if isinstance(declared, dataclasses.Field) else {}
        role = "static" if meta.get("static") else meta.get("role")
        if role is None and is_array_hint(hints.get(name)):
            raise TypeError(
                f"`{cls.__qualname__}.{name}` is an array that doesn't say how it merges. "
                f"Write `{name}: ... = eqm.state(reduce='sum')` (or 'max', 'min'), or "
                f"`eqm.constant()` if it is configuration."
            )
        if (
            role == "state"
            and meta["reduce"] is None
            and cls.merge is Metric.merge
        ):
            raise TypeError(
                f"`{cls.__qualname__}.{name}` has no reduction and `{cls.__qualname__}` "
                "doesn't override `merge`. Write `eqm.state(reduce='sum')` (or 'max', "
                "'min'), or define `merge(self, other)`."
            )


def _wrap(cls: type["Metric"], name: str, finish: Any) -> None:
    fn = cls.__dict__[name]
    made: list[CheckedMethod] = []
    verify = ft.partial(check_shapes_of, action=name, walk=walk)

    @ft.wraps(fn)
    def method(self, /, *args, **kwargs):
        if not made:  # built at the first call: annotations may name later classes
            made.append(CheckedMethod(cls, fn))
        return finish(self, made[0](self, args, kwargs, verify))

    setattr(cls, name, method)


def _finish_update(metric: "Metric", out: Any) -> Any:
    if type(out) is not type(metric):
        raise TypeError(
            f"`{type(metric).__qualname__}.update` returned {describe(out)}: it must return "
            "a metric of its own class, as `return self.replace(...)` does."
        )
    return out


def _finish_compute(metric: "Metric", value: Any) -> Any:
    flags = [node for _, node in walk(metric) if isinstance(node, AbstractInvalid)]
    if not flags or isinstance(metric, (AbstractInvalid, AbstractCollection)):
        return value
    bad = ft.reduce(jnp.logical_or, [jnp.any(f.found()) for f in flags])
    return jax.tree.map(lambda x: jnp.where(bad, jnp.nan, x), value)


@dataclass_transform(field_specifiers=(dataclasses.field, eqx.field, state, constant))
class Metric(eqx.Module):
    """A commutative monoid with a readout: `reset`, `update`, `merge`, `compute`.

    A subclass declares its state with [`eqmetrics.state`][] and writes `__init__`, `update`
    and `compute`; all the rest is derived. Shapes and types of the fields, and of the
    arguments and results of `update` and `compute`, are checked against their annotations,
    once per set of shapes.
    """

    # Shapes and dtypes at construction. Static, so that unflattening keeps them while the
    # arrays may have been stacked: this is how a stacked state is told from a single one.
    _built: tuple = eqx.field(static=True, init=False, repr=False, default=())

    ordered: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any):
        _check_class(cls)
        for name, finish in (("update", _finish_update), ("compute", _finish_compute)):
            fn = cls.__dict__.get(name)
            if fn is None or getattr(fn, "__isabstractmethod__", False):
                continue
            if name == "update":
                check_signature(cls, fn, issubclass(cls, AbstractWrapper))
            _wrap(cls, name, finish)

    def __check_init__(self):
        mine = layout(type(self))
        seen: set[int] = set()

        def own(name: str, x: Any) -> Any:
            if is_metric(x):
                return x
            x = to_array(name, x)
            if isinstance(x, jax.Array):
                # One buffer an array: a shared one can't be donated. Strong types: a weak
                # one costs a second compilation.
                if id(x) in seen or jax.typeof(x).weak_type:
                    x = jnp.array(x, x.dtype, copy=True)
                seen.add(id(x))
            return x

        for reduction, names in mine.groups:
            for name in names:
                value = own(name, getattr(self, name))
                object.__setattr__(self, name, value)
                why = reduction and isinstance(value, jax.Array) and reduction.check(value.dtype)
                if why:
                    raise TypeError(
                        f"`{type(self).__qualname__}.{name}` is {describe(value)} and "
                        f"reduces by {reduction!r}: {why}."
                    )
        for name in mine.constants:
            object.__setattr__(self, name, own(name, getattr(self, name)))
        fresh = True
        for name in mine.nested:
            for leaf in jax.tree.leaves(getattr(self, name), is_leaf=is_metric):
                if is_metric(leaf):
                    fresh = fresh and is_fresh(leaf)
                elif isinstance(leaf, (jax.Array, np.ndarray)):
                    raise TypeError(
                        f"`{type(self).__qualname__}.{name}` holds {describe(leaf)}, which "
                        "doesn't say how it merges. Declare the field with "
                        "`eqm.state(reduce=...)` or `eqm.constant()`."
                    )
        built = tuple(
            (name, x.shape, x.dtype)
            for name in [n for _, names in mine.groups for n in names] + [*mine.constants]
            if isinstance(x := getattr(self, name), jax.Array)
        )
        object.__setattr__(self, "_built", built)
        check_fields(self)
        if fresh:
            mark_fresh(self)

    @abc.abstractmethod
    def update(self, *args: Any, **kwargs: Any) -> Self:
        """A new metric that has also seen this batch."""

    @abc.abstractmethod
    def compute(self) -> Any:
        """The value: an array, or a pytree of arrays."""

    def reset(self) -> Self:
        """The identity of `merge`: an empty metric of the same configuration."""
        mine, changes = layout(type(self)), {}
        for reduction, names in mine.groups:
            arrays = tuple(getattr(self, n) for n in names)
            if reduction is None:
                empty = [
                    jnp.full(x.shape, mine.initial[n], x.dtype)
                    for n, x in zip(names, arrays, strict=True)
                ]
            else:
                empty = reduction.identity(arrays)
            changes.update(zip(names, empty, strict=True))
        for name in mine.nested:
            changes[name] = jax.tree.map(
                lambda x: x.reset() if is_metric(x) else x,
                getattr(self, name),
                is_leaf=is_metric,
            )
        new = rebuild(self, changes)
        mark_fresh(new)
        return new

    def merge(self, other: Any) -> Self:
        """A new metric that has seen what both have seen."""
        check_mergeable(self, other)
        mine, changes = layout(type(self)), {}
        for reduction, names in mine.groups:
            assert reduction is not None
            left = tuple(getattr(self, n) for n in names)
            right = tuple(getattr(other, n) for n in names)
            changes.update(zip(names, reduction.merge(left, right), strict=True))
        for name in mine.nested:
            changes[name] = jax.tree.map(
                lambda x, y: x.merge(y) if is_metric(x) else x,
                getattr(self, name),
                getattr(other, name),
                is_leaf=is_metric,
            )
        return rebuild(self, changes)

    def replace(self, **changes: Any) -> Self:
        """A copy with other values for some fields, checked as a new metric would be.

        A state keeps the dtype that it was built with: float values are converted to its
        float dtype. An unknown name, another shape or another kind of number is an error.
        """
        cls = type(self).__qualname__
        known = [f.name for f in dataclasses.fields(self) if f.name != "_built"]
        built = {name: (shape, dtype) for name, shape, dtype in self._built}
        for name, value in changes.items():
            if name not in known:
                raise TypeError(
                    f"`{cls}` has no field `{name}`; it has {', '.join(known)}."
                    f"{nearest(name, known)}"
                )
            if name not in built:
                continue
            shape, dtype = built[name]
            value = to_array(name, value)
            wanted = describe(jax.ShapeDtypeStruct(shape, dtype))
            if not isinstance(value, jax.Array) or value.shape != shape:
                raise TypeError(
                    f"`{cls}.replace`: `{name}` is {describe(value)}, expected {wanted}."
                )
            if value.dtype != dtype or jax.typeof(value).weak_type:
                kinds = jnp.floating, jnp.integer, jnp.bool_
                if not any(
                    jnp.issubdtype(value.dtype, k) and jnp.issubdtype(dtype, k)
                    for k in kinds
                ):
                    raise TypeError(
                        f"`{cls}.replace`: `{name}` is {describe(value)}, expected {wanted}. "
                        "The dtype of a state doesn't follow its input: convert it with "
                        f"`.astype({name}.dtype)` if that is meant."
                    )
                value = jax.lax.convert_element_type(value, dtype)
            changes[name] = value
        new = rebuild(self, changes)
        check_fields(new)
        return new

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The value of this batch alone."""
        return self.reset().update(*args, **kwargs).compute()

    def step(self, *args: Any, **kwargs: Any) -> tuple[Self, Any]:
        """The updated metric and the value of this batch alone, from one pass over it."""
        batch = self.reset().update(*args, **kwargs)
        return self.merge(batch), batch.compute()

    @classmethod
    def empty(cls) -> Self:
        """`cls()`, the spelling of clu and metrax."""
        return cls()

    @classmethod
    def from_model_output(cls, *args: Any, **kwargs: Any) -> Self:
        """`cls().update(...)`, the spelling of clu and metrax."""
        return cls().update(*args, **kwargs)

    def reduce(self) -> Self:
        """Merges away a leading axis of stacked states, as `pmap` or `vmap` leaves them."""
        from ._reduce import reduce

        return reduce(self)

    def all_reduce(self, axis_name: str | tuple[str, ...]) -> Self:
        """Merges over a mapped axis, inside `pmap`, `shard_map` or `vmap`."""
        from ._reduce import all_reduce

        return all_reduce(self, axis_name)

    def update_across(
        self, axis_name: str | tuple[str, ...], *args: Any, **kwargs: Any
    ) -> Self:
        """Updates a replicated metric with every device's batch, each once."""
        batch = self.reset().update(*args, **kwargs)
        return self.merge(batch.all_reduce(axis_name))

    def check(self) -> None:
        """Raises `eqm.InvalidDataError` if invalid rows were seen. Host only."""
        from ._invalid import raise_if_invalid

        raise_if_invalid(self)

    def from_output(self, *names: str, **renames: str | None) -> "Metric":
        """This metric, reading outputs under other names.

        `from_output("loss")` renames the first arguments in order,
        `from_output(logits="head_logits")` by name; `mask=None` doesn't pass it.
        """
        from ._wrap.from_output import FromOutput

        return FromOutput(self, names, renames)

    def from_fun(self, fn: typing.Callable[..., Any]) -> "Metric":
        """This metric, fed with what `fn(**outputs)` returns: its first argument, or a
        dict of its arguments."""
        from ._wrap.from_fun import FromFun

        return FromFun(self, fn)


class AbstractInvalid(Metric):
    """Marks the count of invalid rows: the base class looks for it (see `Invalid`)."""

    @abc.abstractmethod
    def found(self) -> Any:
        """Whether any invalid row was seen."""


class AbstractWrapper(Metric):
    """A metric that hands its arguments on, and so takes `**outputs`."""

    @abc.abstractmethod
    def arguments(self) -> dict[str, bool]:
        """Every argument that `update` takes, and whether it is required."""


class AbstractCollection(AbstractWrapper):
    """Several metrics side by side; an invalid row in one doesn't touch the others."""

    @abc.abstractmethod
    def members(self) -> dict[str, Metric]:
        """The metrics by name."""


def check_mergeable(left: Metric, right: Any) -> None:
    cls = type(left)
    if type(right) is not cls:
        raise TypeError(
            f"Cannot merge `{cls.__qualname__}` with `{type(right).__qualname__}`."
        )
    for name in layout(cls).static:
        a, b = getattr(left, name), getattr(right, name)
        if a is not b and a != b:
            raise ValueError(
                f"Cannot merge two `{cls.__qualname__}` of different configuration: "
                f"`{name}` is {a!r} here and {b!r} there."
            )
    for metric in (left, right):
        check_shapes_of(metric, "merge", walk)
