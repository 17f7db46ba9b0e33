"""What the pytree functions need from a metric: its layout, the shapes and dtypes that it was built
with, and whether it is fresh."""

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

from .checks import check_fields, to_array
from .field import Layout, layout
from .functions import one_of_equal
from .messages import describe


class Node(eqx.Module):
    """The root of all metrics."""

    # Name, shape and dtype of each array at construction. Static, so unflattening keeps it even if
    # the arrays have been stacked: a stacked state is recognised by it.
    _specs: tuple = eqx.field(static=True, init=False, repr=False, default=())


def is_metric(x: Any) -> bool:
    return isinstance(x, Node)


def rebuild(metric: Any, changes: dict[str, Any]) -> Any:
    """A copy with other field values, unchecked, as unflattening makes one."""
    new = object.__new__(type(metric))
    fields = new.__dict__
    fields.update(metric.__dict__)
    fields.update(changes)
    return new


class AbstractParts(abc.ABC):
    """A pytree that contains metrics, but not as its children."""

    @abc.abstractmethod
    def open(self) -> tuple[list[tuple[str, Any]], Callable[[list[Any]], Any]]:
        """The metrics, each with its path, and a function that builds such a pytree from others."""


def parts(value: Any) -> tuple[list[tuple[str, Any]], Callable[[list[Any]], Any]]:
    """The metrics in the value of a field, and its other leaves, each with its path; and a function
    that builds such a value from others."""
    if isinstance(value, AbstractParts):
        return value.open()
    found, treedef = jax.tree_util.tree_flatten_with_path(value, is_leaf=is_metric)
    return [(jax.tree_util.keystr(key), x) for key, x in found], treedef.unflatten


def walk(
    metric: Any, path: str = "", axes: tuple[int, ...] = ()
) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """The metric and all metrics inside it, each with its path and the leading axes that its arrays
    have because the stacks around it add them."""
    yield path, metric, axes
    declared = layout(type(metric))
    for name in declared.nested:
        for key, leaf in parts(getattr(metric, name))[0]:
            if is_metric(leaf):
                yield from walk(leaf, f"{path}.{name}{key}", axes)
    for name, size in declared.stacked.items():
        yield from walk(getattr(metric, name), f"{path}.{name}", (*axes, getattr(metric, size)))


def varies_over(x: Any) -> frozenset[str]:
    """The axes of `shard_map` over which an array varies."""
    return axes_in_type(jax.typeof(x))


def axes_in_type(aval: Any) -> frozenset[str]:
    """The axes over which an array of this type varies."""
    kind = getattr(aval, "manual_axis_type", None)
    return aval.vma if kind is None else kind.varying


def tracked(axis_name: str | tuple[str, ...]) -> list[str]:
    """The axes for which jax tracks which values vary: those of `shard_map` with its default
    checks, not those of `vmap` or `pmap`."""
    axes = (axis_name,) if isinstance(axis_name, str) else axis_name
    return [a for a in axes if a in varies_over(lax.axis_index(a))]


def vary_over(tree: Any, axes: Iterable[str]) -> Any:
    """Marks arrays as varying over axes of `shard_map`; of a metric only its states. Its constants
    are the same on all devices, and once marked as varying they couldn't be returned as
    replicated."""
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
    """A state that was updated with the data of one device varies over devices, even if it is the
    same on all, such as a count of rows."""
    traced = [x for x in jax.tree.leaves(inputs) if isinstance(x, Tracer)]
    axes = sorted({a for x in traced for a in varies_over(x)})
    return vary_over(tree, axes) if axes else tree


# Fresh metrics, by their identity, which flattening and unflattening changes: an unflattened metric
# isn't among them. (An attribute that isn't a field would change the treedef: Equinox looks up some
# attributes by position.)
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
    """After `__init__`: converts and checks every array, and records its shape."""
    declared = layout(type(metric))
    for name in declared.static:
        # a function defined anew in each epoch would otherwise compile again
        object.__setattr__(metric, name, one_of_equal(getattr(metric, name)))
    _own_arrays(metric, declared)
    fresh, seen = True, {id(getattr(metric, name)) for name in declared.arrays}
    for name in declared.nested:
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
    for name in declared.stacked:
        object.__setattr__(metric, name, _apart(getattr(metric, name), seen))
        fresh = fresh and is_fresh(getattr(metric, name))
    built = tuple(
        (name, x.shape, x.dtype)
        for name in declared.arrays
        if isinstance(x := getattr(metric, name), jax.Array)
    )
    object.__setattr__(metric, "_specs", built)
    check_fields(metric)
    if fresh:
        mark_fresh(metric)


def _apart(metric: Any, seen: set[int]) -> Any:
    """The metric with copies of those arrays that another metric holds, too: an array that occurs
    twice in a state can't be donated."""
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


def _own_arrays(metric: Node, declared: Layout) -> None:
    seen: set[int] = set()
    reductions = {name: r for r, names in declared.groups if r is not None for name in names}
    for name in declared.arrays:
        x = to_array(name, getattr(metric, name))
        if name in reductions and not isinstance(x, jax.Array):
            raise TypeError(
                f"`{type(metric).__qualname__}.{name}` is a {type(x).__name__}, expected an "
                "array: `eqm.state(reduce=...)` declares one. Several arrays are several "
                "fields, and a metric is a field without a declaration."
            )
        if isinstance(x, jax.Array):
            # An array that occurs twice can't be donated. A weak type would cause a second
            # compilation: the updated state has a strong one.
            if id(x) in seen or jax.typeof(x).weak_type:
                x = jnp.array(x, x.dtype, copy=True)
            seen.add(id(x))
            reduction = reductions.get(name)
            why = None if reduction is None else reduction.check(x.dtype)
            if reduction is not None and why and x.dtype == jnp.float64:
                # With 64-bit types on, `jnp.zeros(2)` is float64.
                x = x.astype(jnp.float32)
                why = reduction.check(x.dtype)
            if why:
                raise TypeError(
                    f"`{type(metric).__qualname__}.{name}` is {describe(x)} and reduces by "
                    f"{reduction!r}: {why}."
                )
        object.__setattr__(metric, name, x)


def converted(metric: Node, changes: dict[str, Any]) -> dict[str, Any]:
    """The changed arrays in the shape and dtype that the metric was built with, or an error."""
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
