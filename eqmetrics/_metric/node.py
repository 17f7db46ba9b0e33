"""What the pytree functions need to know of a metric: its layout, what it was built with,
and whether data has reached it."""

import abc
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from .checks import check_fields, describe, to_array
from .field import Layout, layout
from .functions import one_of_equal


class Node(eqx.Module):
    """The root of all metrics."""

    # Name, shape and dtype of each array at construction. Static, so that unflattening
    # keeps it while the arrays may have been stacked: this is how a stacked state is told.
    _specs: tuple = eqx.field(static=True, init=False, repr=False, default=())


def is_metric(x: Any) -> bool:
    return isinstance(x, Node)


def rebuild(metric: Any, changes: dict[str, Any]) -> Any:
    """A copy with other field values, unchecked: what unflattening does."""
    new = object.__new__(type(metric))
    fields = new.__dict__
    fields.update(metric.__dict__)
    fields.update(changes)
    return new


class AbstractParts(abc.ABC):
    """A pytree that holds metrics in another form than as its children."""

    @abc.abstractmethod
    def open(self) -> tuple[list[tuple[str, Any]], Callable[[list[Any]], Any]]:
        """The metrics, each with its path, and what makes such a pytree of others."""


def parts(value: Any) -> tuple[list[tuple[str, Any]], Callable[[list[Any]], Any]]:
    """The metrics in the value of a field, and its other leaves, each with its path; and what makes
    such a value of others."""
    if isinstance(value, AbstractParts):
        return value.open()
    found, treedef = jax.tree_util.tree_flatten_with_path(value, is_leaf=is_metric)
    return [(jax.tree_util.keystr(key), x) for key, x in found], treedef.unflatten


def walk(
    metric: Any, path: str = "", axes: tuple[int, ...] = ()
) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """The metric and all metrics below it, each with its path and the leading axes that the
    stacks around it add to its arrays."""
    yield path, metric, axes
    mine = layout(type(metric))
    for name in mine.nested:
        for key, leaf in parts(getattr(metric, name))[0]:
            if is_metric(leaf):
                yield from walk(leaf, f"{path}.{name}{key}", axes)
    for name, size in mine.stacked.items():
        yield from walk(getattr(metric, name), f"{path}.{name}", (*axes, getattr(metric, size)))


def varies_over(x: Any) -> frozenset[str]:
    """The axes of `shard_map` over which an array varies."""
    return said_to_vary(jax.typeof(x))


def said_to_vary(aval: Any) -> frozenset[str]:
    """The axes over which the type of an array says that it does."""
    kind = getattr(aval, "manual_axis_type", None)
    return aval.vma if kind is None else kind.varying


def tracked(axis_name: str | tuple[str, ...]) -> list[str]:
    """Those of the axes over which jax keeps account of what varies: under `shard_map` with
    its default checks, and neither under `vmap` nor under `pmap`."""
    axes = (axis_name,) if isinstance(axis_name, str) else axis_name
    return [a for a in axes if a in varies_over(lax.axis_index(a))]


def vary_over(tree: Any, axes: Iterable[str]) -> Any:
    """Of a metric the states: its constants are the same on all devices, and nothing would tell
    `shard_map` so once they are said to vary."""
    nodes = [node for _, node, _ in walk(tree)] if is_metric(tree) else []
    constants = [getattr(node, name) for node in nodes for name in layout(type(node)).constants]
    kept = {id(x) for x in jax.tree.leaves(constants)}

    def cast(x):
        if id(x) in kept:
            return x
        missing = tuple(a for a in axes if a not in varies_over(x))
        return lax.pcast(x, missing, to="varying") if missing else x

    return jax.tree.map(cast, tree)


def vary_like(tree: Any, inputs: Any) -> Any:
    """A state that has seen data of one device is a state of one device, even where it
    happens to be the same on all, as a count of rows is."""
    traced = [x for x in jax.tree.leaves(inputs) if isinstance(x, Tracer)]
    axes = sorted({a for x in traced for a in varies_over(x)})
    return vary_over(tree, axes) if axes else tree


# Metrics that no data has reached yet. By identity, since a pytree loses all else: any
# unflattening gives an object that isn't here. (An attribute beside the fields would change the
# treedef: Equinox looks for some by their number.)
_fresh: dict[int, weakref.ref] = {}


def is_fresh(metric: Node) -> bool:
    return id(metric) in _fresh


def mark_fresh(metric: Node) -> None:
    key = id(metric)
    _fresh[key] = weakref.ref(metric, lambda _: _fresh.pop(key, None))


def mark_all_fresh(metric: Node) -> None:
    for _, node, _ in walk(metric):
        mark_fresh(node)


def finish_build(metric: Node) -> None:
    """After `__init__`: converts and checks every array, and remembers its shape."""
    mine = layout(type(metric))
    for name in mine.static:
        # made anew each epoch, a function would compile anew
        object.__setattr__(metric, name, one_of_equal(getattr(metric, name)))
    _own_arrays(metric, mine)
    fresh, seen = True, {id(getattr(metric, name)) for name in mine.arrays}
    for name in mine.nested:
        value = getattr(metric, name)
        for _, leaf in parts(value)[0]:
            if is_metric(leaf):
                fresh = fresh and is_fresh(leaf)
                continue
            where = f"`{type(metric).__qualname__}.{name}`"
            if isinstance(leaf, (jax.Array, np.ndarray)):
                raise TypeError(
                    f"{where} holds {describe(leaf)}, which doesn't say how it merges. Declare "
                    "the field with `eqm.state(reduce=...)` or `eqm.constant()`."
                )
            raise TypeError(
                f"{where} holds {describe(leaf)}, which is neither a metric nor a declared array. "
                f"Configuration is static: `{name}: ... = eqx.field(static=True)`."
            )
        whole = lambda x: isinstance(x, (Node, AbstractParts))
        apart = jax.tree.map(lambda x: _apart(x, seen), value, is_leaf=whole)
        object.__setattr__(metric, name, apart)
    for name in mine.stacked:
        object.__setattr__(metric, name, _apart(getattr(metric, name), seen))
        fresh = fresh and is_fresh(getattr(metric, name))
    built = tuple(
        (name, x.shape, x.dtype)
        for name in mine.arrays
        if isinstance(x := getattr(metric, name), jax.Array)
    )
    object.__setattr__(metric, "_specs", built)
    check_fields(metric)
    if fresh:
        mark_fresh(metric)


def _apart(metric: Any, seen: set[int]) -> Any:
    """The metric, with copies of the arrays that another one holds: one buffer an array, a
    shared one can't be donated."""
    leaves, treedef = jax.tree.flatten(metric)
    shared = [id(x) in seen for x in leaves]
    seen.update(map(id, leaves))
    if not any(shared):
        return metric
    copies = [jnp.copy(x) if s else x for x, s in zip(leaves, shared, strict=True)]
    new = jax.tree.unflatten(treedef, copies)
    if is_fresh(metric):
        mark_all_fresh(new)
    return new


def _own_arrays(metric: Node, mine: Layout) -> None:
    seen: set[int] = set()
    reductions = {name: r for r, names in mine.groups if r is not None for name in names}
    for name in mine.arrays:
        x = to_array(name, getattr(metric, name))
        if name in reductions and not isinstance(x, jax.Array):
            raise TypeError(
                f"`{type(metric).__qualname__}.{name}` is a {type(x).__name__}, expected an "
                "array: `eqm.state(reduce=...)` declares one. Several arrays are several "
                "fields, and a metric is a field without a declaration."
            )
        if isinstance(x, jax.Array):
            # One buffer an array: a shared one can't be donated. Strong types: a weak one
            # costs a second compilation.
            if id(x) in seen or jax.typeof(x).weak_type:
                x = jnp.array(x, x.dtype, copy=True)
            seen.add(id(x))
            reduction = reductions.get(name)
            why = None if reduction is None else reduction.check(x.dtype)
            if reduction is not None and why and x.dtype == jnp.float64:
                # With 64-bit types on, `jnp.zeros(2)` is one.
                x = x.astype(jnp.float32)
                why = reduction.check(x.dtype)
            if why:
                raise TypeError(
                    f"`{type(metric).__qualname__}.{name}` is {describe(x)} and reduces by "
                    f"{reduction!r}: {why}."
                )
        object.__setattr__(metric, name, x)


def converted(metric: Node, changes: dict[str, Any]) -> dict[str, Any]:
    """Changed arrays in the shape and dtype that the metric was built with, or an error."""
    out = dict(changes)
    for name, shape, dtype in metric._specs:
        if name not in changes:
            continue
        value = to_array(name, changes[name])
        same = isinstance(value, jax.Array) and value.shape == shape
        if not same or value.dtype != dtype or jax.typeof(value).weak_type:
            value = _convert(type(metric).__qualname__, name, value, shape, dtype)
        out[name] = value
    return out


def _convert(cls: str, name: str, value: Any, shape: tuple, dtype: Any) -> Any:
    wanted = describe(jax.ShapeDtypeStruct(shape, dtype))
    what = f"`{cls}.replace`: `{name}` is {describe(value)}, expected {wanted}."
    if not isinstance(value, jax.Array) or value.shape != shape:
        raise TypeError(what)
    kinds = jnp.floating, jnp.integer, jnp.bool_
    if not any(jnp.issubdtype(value.dtype, k) and jnp.issubdtype(dtype, k) for k in kinds):
        raise TypeError(
            f"{what} The dtype of a state doesn't follow its input: convert it with "
            f"`.astype({name}.dtype)` if that is meant."
        )
    return jax.lax.convert_element_type(value, dtype)
