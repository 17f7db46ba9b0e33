"""The states of a `MetricDict`, with the small ones side by side in one array."""

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

from ._field import layout
from ._node import AbstractParts, is_fresh, is_metric, mark_all_fresh, parts, rebuild


# An array costs 2 us in each call of a compiled program, as much as to copy a thousand numbers.
_MOST = 1024


def joined(arrays: list[Any]) -> Any:
    return arrays[0] if len(arrays) == 1 else jnp.concatenate(arrays, axis=-1)

class _Place(NamedTuple):
    """Where a small array lies. Pairs make two long rows, and come before all others: what a whole
    collection adds to is then one slice, and no program takes it apart."""

    is_pair: bool
    start: int
    shape: tuple[int, ...]


class _Plan(NamedTuple):
    """Which leaves of the states lie side by side, and where."""

    names: tuple[str, ...]
    treedef: Any  # of the tuple of states
    places: tuple[_Place | None, ...]  # of each leaf; `None` if it is an array of its own
    pairs: int  # how many lie there
    keys: tuple[Any, ...]  # of each child: the array of many, if there is one, comes first
    counts: tuple[int, ...]  # how many leaves each state has


def _small(x: Any) -> bool:
    return isinstance(x, jax.ShapeDtypeStruct) and x.dtype == jnp.float32 and x.size <= _MOST


def _packs(metric: Any) -> Any:
    """The metric with a boolean in the place of each leaf: whether it lies beside others.

    Small float32 states do. A constant has no part in reductions, and a stack has an axis in front,
    as has a state that somebody stacked before it came here: these stay as they are."""
    mine = layout(type(metric))
    none = lambda tree: jax.tree.map(lambda _: False, tree)
    built = {name: shape for name, shape, _ in metric._built}
    changes: dict[str, Any] = {}
    for name in mine.arrays:
        x = getattr(metric, name)
        state = name not in mine.constants and _small(x) and x.shape == built.get(name)
        changes[name] = True if state else none(x)
    for name in mine.nested:
        value = getattr(metric, name)
        if isinstance(value, States):
            changes[name] = value.flags()
            continue
        each, close = parts(value)
        changes[name] = close([_packs(x) if is_metric(x) else False for _, x in each])
    for name in mine.stacked:
        changes[name] = none(getattr(metric, name))
    return rebuild(metric, changes)


@ft.lru_cache(maxsize=4096)
def _plan(names: tuple[str, ...], treedef: Any, shapes: tuple[Any, ...]) -> _Plan:
    leaves = [None if s is None else jax.ShapeDtypeStruct(*s) for s in shapes]
    leaves = [object() if x is None else x for x in leaves]
    states = jax.tree.unflatten(treedef, leaves)
    flags = jax.tree.leaves([_packs(x) for x in states])
    flags = flags if sum(flags) > 1 else [False] * len(flags)
    found = jax.tree_util.tree_flatten_with_path(states)[0]
    small = [(i, *found[i]) for i, flag in enumerate(flags) if flag]
    # Fields of one name together: an operation adds to those of all members.
    small.sort(key=lambda each: jax.tree_util.keystr(each[1][-1:]))
    places: dict[int, _Place] = {}
    ends = {True: 0, False: 0}
    for i, _, x in small:
        is_pair = x.shape[:1] == (2,)
        places[i] = _Place(is_pair, ends[is_pair], x.shape)
        ends[is_pair] += math.prod(x.shape[is_pair:])
    of_many = dict.fromkeys(names[path[0].idx] for i, (path, _) in enumerate(found) if flags[i])
    alone = [
        names[path[0].idx] + jax.tree_util.keystr(path[1:])
        for i, (path, _) in enumerate(found)
        if not flags[i]
    ]
    return _Plan(
        names=names,
        treedef=treedef,
        places=tuple(map(places.get, range(len(found)))),
        pairs=ends[True],
        keys=tuple(map(DictKey, ["+".join(of_many)] * bool(of_many) + alone)),
        counts=tuple(len(jax.tree.leaves(x)) for x in states),
    )


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


# In eager code all are one program, and not several for each.
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
    return [packed] * len(places)  # what is no number is said of all of them


def _join(leaves: list[Any], places: tuple[_Place, ...]) -> Any:
    return _put_together(leaves, places) if all(map(_is_array, leaves)) else leaves[0]


def refuse_tree_at(name: str, states: "States") -> None:
    """Equinox wraps the leaves to find them again, and would find the array of many."""
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
    """The states that a `MetricDict` keeps, in the order of their slots. Each has the name of a
    member whose own it is.

    Its leaves are one array of the small states of all, whose path has their names, and those that
    stay alone: what passes it on has few arrays to look at."""

    plan: _Plan
    children: tuple[Any, ...]
    fresh: bool

    def __init__(self, names: Iterable[str], values: Iterable[Any]):
        values = tuple(values)
        leaves, treedef = jax.tree.flatten(values)
        shapes = tuple((x.shape, x.dtype) if isinstance(x, jax.Array) else None for x in leaves)
        self._set(_plan(tuple(names), treedef, shapes), leaves)
        self.fresh = all(map(is_fresh, values))

    def _set(self, plan: _Plan, leaves: list[Any]) -> None:
        both = list(zip(leaves, plan.places, strict=True))
        small = [(x, place) for x, place in both if place is not None]
        packed = [_join([x for x, _ in small], tuple(p for _, p in small))] if small else []
        self.plan = plan
        self.children = (*packed, *(x for x, place in both if place is None))
        self.fresh = False

    def replaced(self, values: Iterable[Any]) -> "States":
        """Others in their place, in the same order."""
        values = tuple(values)
        leaves, treedef = jax.tree.flatten(values)
        if treedef != self.plan.treedef:  # one that grows has other leaves
            return States(self.names, values)
        new = object.__new__(States)
        new._set(self.plan, leaves)
        return new

    def flags(self) -> "States":
        """Whether each leaf is a small one of a larger whole."""
        first = [_small(x) for x in self.children[: len(self.children) - self._alone]]
        return States.tree_unflatten(self.plan, [*first, *[False] * self._alone])

    @property
    def _alone(self) -> int:
        return self.plan.places.count(None)

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

    def _leaves(self, start: int, end: int) -> list[Any]:
        """Some of the leaves of the states, by number."""
        places, alone = self.plan.places, iter(self.children[-self._alone or len(self.children) :])
        for place in places[:start]:
            if place is None:
                next(alone)
        some = places[start:end]
        small = tuple(place for place in some if place is not None)
        taken = iter(_take(self.children[0], self.plan.pairs, small) if small else [])
        return [next(alone if place is None else taken) for place in some]

    def all(self) -> tuple[Any, ...]:
        return jax.tree.unflatten(self.plan.treedef, self._leaves(0, len(self.plan.places)))

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
        start, count = sum(self.plan.counts[:i]), self.plan.counts[i]
        treedef = self.plan.treedef.children()[i]
        return jax.tree.unflatten(treedef, self._leaves(start, start + count))

    def __repr__(self) -> str:
        return f"States({', '.join(self.names)})"
