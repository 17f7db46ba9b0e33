"""The states of a `MetricDict`, with the small ones packed side by side in one array."""

import functools as ft
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.tree_util import DictKey
from jaxtyping import Array, Float32

from .._metric.field import layout
from .._metric.node import AbstractParts, is_fresh, is_metric, mark_all_fresh, parts
from .._onepass.side_by_side import joined


# An array costs 2 us in each call of a compiled program, which is the time to copy a thousand
# numbers.
_MOST = 1024


class _Place(NamedTuple):
    """The position of a small array. Pairs form two long rows, and come before all other arrays: so
    the sums of a whole collection are one slice, and a program needn't take it apart."""

    is_pair: bool
    start: int
    shape: tuple[int, ...]


class _Packed(NamedTuple):
    """How a state is rebuilt from the packed array."""

    treedef: Any
    places: tuple[_Place, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        """A `PyTreeDef` that was pickled or copied is another: Equinox marks the fields of a module
        that aren't there by an object, which is equal to itself alone."""
        numbers = range(self.treedef.num_leaves)
        return _packed, (jax.tree.unflatten(self.treedef, numbers), self.places)


def _packed(numbers: Any, places: tuple[_Place, ...]) -> _Packed:
    return _Packed(jax.tree.structure(numbers), places)


class _Plan(NamedTuple):
    """Which states are packed, and their positions."""

    names: tuple[str, ...]
    states: tuple[_Packed | None, ...]  # `None`: not packed
    pairs: int  # the number of packed pairs

    @property
    def keys(self) -> tuple[Any, ...]:
        """The key of each child: the packed array, if there is one, comes first."""
        both = list(zip(self.names, self.states, strict=True))
        many = "+".join(name for name, x in both if x is not None)
        alone = [name for name, x in both if x is None]
        return tuple(map(DictKey, [many] * bool(many) + alone))


def _is_small(metric: Any) -> bool:
    """Whether a metric consists only of small float32 states, in the shape that they were built
    with. Constants aren't packed, since they have no part in reductions. Neither are stacks,
    whether declared or made by the user, since their leading axis must stay the first."""
    declared = layout(type(metric))
    if declared.constants or declared.stacked:
        return False
    built = {name: (shape, dtype) for name, shape, dtype in metric._specs}
    for name in declared.arrays:
        x = getattr(metric, name)
        if not isinstance(x, (jax.Array, jax.ShapeDtypeStruct)) or x.dtype != jnp.float32:
            return False
        if x.size > _MOST or built.get(name) != (x.shape, x.dtype):
            return False
    for name in declared.nested:
        value = getattr(metric, name)
        if isinstance(value, States):
            if None in value.plan.states:
                return False
        elif not all(is_metric(x) and _is_small(x) for _, x in parts(value)[0]):
            return False
    return bool(jax.tree.leaves(metric))


def _plan_of(names: Iterable[str], values: tuple[Any, ...]) -> _Plan:
    names = tuple(names)
    small = [i for i, x in enumerate(values) if _is_small(x)]
    alone = _Plan(names, (None,) * len(values), 0)
    if len(jax.tree.leaves([values[i] for i in small])) < 2:
        return alone
    found = [
        (jax.tree_util.keystr(path[-1:]), i, k, x.shape)
        for i in small
        for k, (path, x) in enumerate(jax.tree_util.tree_flatten_with_path(values[i])[0])
    ]
    places: dict[tuple[int, int], _Place] = {}
    ends = {True: 0, False: 0}
    # Fields with the same name are adjacent: an operation adds to those of all members.
    for _, i, k, shape in sorted(found, key=lambda each: each[0]):
        is_pair = shape[:1] == (2,)
        places[i, k] = _Place(is_pair, ends[is_pair], shape)
        ends[is_pair] += math.prod(shape[is_pair:])
    states: list[_Packed | None] = [None] * len(values)
    for i in small:
        treedef = jax.tree.structure(values[i])
        states[i] = _Packed(treedef, tuple(places[i, k] for k in range(treedef.num_leaves)))
    return _only(_Plan(names, tuple(states), ends[True]))


@ft.lru_cache(maxsize=4096)
def _only(plan: _Plan) -> _Plan:
    """One object for equal plans: jax compares them in each call."""
    return plan


def _slices(packed: Any, pairs: int, places: tuple[_Place, ...]) -> list[Any]:
    lead = packed.shape[:-1]
    rows = packed[..., : 2 * pairs].reshape(*lead, 2, pairs)
    rest = packed[..., 2 * pairs :]
    out = []
    for is_pair, start, shape in places:
        end = start + math.prod(shape[is_pair:])
        out.append((rows if is_pair else rest)[..., start:end].reshape(*lead, *shape))
    return out


def _side_by_side(arrays: list[Any], places: tuple[_Place, ...]) -> Float32[Array, "... numbers"]:
    rows: dict[bool, list[Any]] = {True: [], False: []}
    lead: tuple[int, ...] = ()
    for x, (is_pair, _, shape) in sorted(zip(arrays, places, strict=True), key=_start):
        lead, size = x.shape[: x.ndim - len(shape)], math.prod(shape[is_pair:])
        rows[is_pair].append(x.reshape(*lead, *shape[:is_pair], size))
    long = [joined(each) for each in rows.values() if each]
    return joined([x.reshape(*lead, math.prod(x.shape[len(lead) :])) for x in long])


def _start(both: tuple[Any, _Place]) -> int:
    return both[1].start


# In eager code this is one program for all arrays, not several for each.
_taken = jax.jit(_slices, inline=True, static_argnums=(1, 2))
_put_together = jax.jit(_side_by_side, inline=True, static_argnums=1)


def _is_array(x: Any) -> bool:
    return isinstance(x, (jax.Array, np.ndarray))


def _take(packed: Any, pairs: int, places: tuple[_Place, ...]) -> list[Any]:
    if isinstance(packed, np.ndarray):
        return _slices(packed, pairs, places)
    is_there = isinstance(packed, jax.Array) and (
        isinstance(packed, Tracer) or not packed.is_deleted()
    )
    if is_there:
        return _taken(packed, pairs, places)
    if isinstance(packed, (jax.Array, jax.ShapeDtypeStruct)):  # donated, or a shape
        lead = packed.shape[:-1]
        return [jax.ShapeDtypeStruct((*lead, *place.shape), packed.dtype) for place in places]
    return [packed] * len(places)  # not an array: it stands for all of them


def _join(leaves: list[Any], places: tuple[_Place, ...]) -> Any:
    return _put_together(leaves, places) if all(map(_is_array, leaves)) else leaves[0]


def refuse_tree_at(name: str, states: "States") -> None:
    """`eqx.tree_at` wraps leaves to find them again, and would find the packed array instead."""
    if any(type(x).__name__ == "_LeafWrapper" for x in jax.tree.leaves(states.children)):
        raise TypeError(
            f"`eqx.tree_at` can't reach `metrics[{name!r}]`: a member is put together when it is "
            "read, from an array that others have a part in. Replace it: "
            f"`metrics.replace_members(**{{{name!r}: ...}})`, and in a training state "
            "`eqx.tree_at(lambda s: s.metrics, state, metrics.replace_members(...))`. With other "
            f"numbers in it: `metrics[{name!r}].replace(...)`."
        )


@jax.tree_util.register_pytree_with_keys_class
class States(AbstractParts):
    """The states that a `MetricDict` stores, in the order of their slots. Each has the name of the
    member whose own state it is.

    Its children are one array with all small states, whose key contains their names, and the states
    that aren't packed. So a collection has few leaves, which makes calls cheap."""

    plan: _Plan
    children: tuple[Any, ...]
    fresh: bool

    def __init__(self, names: Iterable[str], values: Iterable[Any]):
        values = tuple(values)
        self._set(_plan_of(names, values), values)
        self.fresh = all(map(is_fresh, values))

    def _set(self, plan: _Plan, values: tuple[Any, ...]) -> None:
        arrays, places, alone = [], [], []
        for value, packed in zip(values, plan.states, strict=True):
            if packed is None:
                alone.append(value)
            else:
                arrays += jax.tree.leaves(value)
                places += packed.places
        self.plan = plan
        self.children = (*([_join(arrays, tuple(places))] if places else []), *alone)
        self.fresh = False

    def replaced(self, values: Iterable[Any]) -> "States":
        """Replaces the states by others of the same structure, in the same order."""
        new = object.__new__(States)
        new._set(self.plan, tuple(values))
        return new

    @property
    def names(self) -> tuple[str, ...]:
        return self.plan.names

    def tree_flatten_with_keys(self) -> tuple[Any, _Plan]:
        return tuple(zip(self.plan.keys, self.children, strict=True)), self.plan

    def tree_flatten(self) -> tuple[tuple[Any, ...], _Plan]:
        return self.children, self.plan

    @classmethod
    def tree_unflatten(cls, plan: _Plan, children: Iterable[Any]) -> "States":
        new = object.__new__(cls)
        new.plan, new.children, new.fresh = plan, tuple(children), False
        return new

    def _some(self, which: Iterable[int]) -> list[Any]:
        which, plan = list(which), self.plan
        places = tuple(p for i in which if (x := plan.states[i]) is not None for p in x.places)
        taken = iter(_take(self.children[0], plan.pairs, places) if places else [])
        first = len(self.children) - plan.states.count(None)
        out = []
        for i in which:
            packed = plan.states[i]
            if packed is None:
                out.append(self.children[first + plan.states[:i].count(None)])
            else:
                leaves = [next(taken) for _ in packed.places]
                out.append(jax.tree.unflatten(packed.treedef, leaves))
        return out

    def all(self) -> tuple[Any, ...]:
        """The states, unpacked."""
        return tuple(self._some(range(len(self))))

    def open(self) -> tuple[list[tuple[str, Any]], Callable[[list[Any]], "States"]]:
        values = self.all()
        if self.fresh:
            for value in values:
                mark_all_fresh(value)
        paths = [f"[{name!r}]" for name in self.names]
        return list(zip(paths, values, strict=True)), self.replaced

    def __iter__(self) -> Iterator[Any]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, at: int | str) -> Any:
        i = self.names.index(at) if isinstance(at, str) else range(len(self))[at]
        refuse_tree_at(self.names[i], self)
        return self._some([i])[0]

    def __hash__(self) -> int:
        """Of its arrays, which have none: no metric can be a static argument."""
        return hash((self.plan, self.children))

    def __repr__(self) -> str:
        return f"States({', '.join(self.names)})"


def _is_states(x: Any) -> bool:
    return isinstance(x, States)


def opened(tree: Any) -> Any:
    """The pytree with all states unpacked: an array for each state of each metric."""
    each = lambda x: tuple(map(opened, x.all())) if _is_states(x) else x
    return jax.tree.map(each, tree, is_leaf=_is_states)


def closed(like: Any, tree: Any) -> Any:
    """The pytree `like` with the arrays of an unpacked one."""

    def each(x, y):
        return x.replaced(map(closed, x.all(), y)) if _is_states(x) else y

    return jax.tree.map(each, like, tree, is_leaf=_is_states)
