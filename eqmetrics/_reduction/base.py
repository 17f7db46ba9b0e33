import abc
import functools as ft
import itertools
from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32


Collective = Literal["max", "min", "sum"]
_T = TypeVar("_T")
PlanOf = Generator[tuple[Collective, list[Array]], list[Array], _T]
Plan = PlanOf[tuple[Array, ...]]


class AbstractReduction(abc.ABC):
    """How the state arrays of a metric are merged, over time and over devices.

    The arrays of all fields of a class that declare the same reduction object are passed to it
    together, as a tuple in the order of declaration.
    """

    @abc.abstractmethod
    def identity(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        """Arrays of the same shapes and dtypes that are neutral in `merge`."""

    @abc.abstractmethod
    def merge(
        self, left: tuple[Array, ...], right: tuple[Array, ...]
    ) -> tuple[Array, ...]:
        """The state that has seen what both have seen."""

    @abc.abstractmethod
    def across(self, arrays: tuple[Array, ...], size: int) -> Plan:
        """Merges over a mapped axis with `size` members.

        A generator: it yields a kind of collective with the arrays that it needs reduced, receives
        the results, and returns the merged arrays. `run` steps the plans of a whole collection
        together.
        """

    @abc.abstractmethod
    def check(self, dtype: jnp.dtype) -> str | None:
        """Why arrays of this dtype can't be reduced by this reduction, or `None` if they can."""


class AbstractScalable(AbstractReduction):
    """A reduction of states that can be scaled, so that every row counts less, by one factor."""

    @abc.abstractmethod
    def scaled(
        self, arrays: tuple[Array, ...], factor: Float32[Array, "2"]
    ) -> tuple[Array, ...]:
        """The state in which each row has `factor` times its weight; `factor` is a pair."""


def zeros(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(jnp.zeros(x.shape, x.dtype) for x in arrays)


def bits_of(x: Array) -> Array:
    """As integers: their sum with zeros is exact, and keeps NaN and -0."""
    if x.dtype == jnp.bool_:
        return x.astype(jnp.int8)
    return lax.bitcast_convert_type(x, jnp.dtype(f"int{8 * x.dtype.itemsize}"))


def from_bits(bits: Array, dtype: jnp.dtype) -> Array:
    if dtype == jnp.bool_:
        return bits.astype(dtype)
    return lax.bitcast_convert_type(bits, dtype)


class _Sum(AbstractScalable):
    def identity(self, arrays):
        return zeros(arrays)

    def scaled(self, arrays, factor):
        return tuple(x * (factor[0] + factor[1]) for x in arrays)

    def merge(self, left, right):
        return tuple(x + y for x, y in zip(left, right, strict=True))

    def across(self, arrays, size):
        return tuple((yield "sum", list(arrays)))

    def check(self, dtype):
        if jnp.issubdtype(dtype, jnp.bool_):
            return "booleans don't add; keep an integer count"

    def __repr__(self):
        return "sum"


def _ordered_bits(x: Array, nan: int) -> Array:
    # XLA's CPU max and pmax drop NaN for some shapes, and for -0.0 and 0.0 the result depends on
    # the order of the operands. Integers in the same order have neither problem.
    bits = lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32)
    key = jnp.where(bits < 0, bits ^ jnp.int32(0x7FFFFFFF), bits)
    return jnp.where(jnp.isnan(x), jnp.int32(nan), key)


def _from_ordered_bits(key: Array, nan: int, dtype: jnp.dtype) -> Array:
    bits = jnp.where(key < 0, key ^ jnp.int32(0x7FFFFFFF), key)
    x = lax.bitcast_convert_type(bits, jnp.float32)
    return jnp.where(key == nan, jnp.float32(jnp.nan), x).astype(dtype)


class Extremum(AbstractReduction):
    def __init__(self, kind: Literal["max", "min"]):
        self.kind: Literal["max", "min"] = kind
        # NaN wins against every number: its key is the largest, or the smallest.
        self.nan = 2**31 - 1 if kind == "max" else -(2**31)
        # The key of the infinity that is neutral.
        self.none = 0x7F800000 if kind == "min" else -0x7F800001

    def keys(self, arrays):
        return [
            _ordered_bits(x, self.nan)
            if jnp.issubdtype(x.dtype, jnp.floating)
            else x.astype(jnp.int32)
            if x.dtype == jnp.bool_
            else x
            for x in arrays
        ]

    def values(self, keys, like):
        return tuple(
            _from_ordered_bits(k, self.nan, x.dtype)
            if jnp.issubdtype(x.dtype, jnp.floating)
            else k.astype(x.dtype)
            for k, x in zip(keys, like, strict=True)
        )

    def identity(self, arrays):
        return tuple(jnp.full(x.shape, self._bottom(x.dtype), x.dtype) for x in arrays)

    def _bottom(self, dtype):
        if jnp.issubdtype(dtype, jnp.floating):
            return -jnp.inf if self.kind == "max" else jnp.inf
        if dtype == jnp.bool_:
            return self.kind == "min"
        info = jnp.iinfo(dtype)
        return info.min if self.kind == "max" else info.max

    def merge(self, left, right):
        return tuple(_of_two(self, x, y) for x, y in zip(left, right, strict=True))

    def of_rows(self, x: Float32[Array, "..."], axis: int = 0) -> Float32[Array, "..."]:
        """The extremum over the rows; if there are none, the neutral infinity."""
        return _of_rows(self, x, axis)

    def of_groups(
        self, x: Float32[Array, "rows ..."], group: Int32[Array, "rows"], count: int
    ) -> Float32[Array, "{count} ..."]:
        """The extremum over the rows of each group."""
        return _of_groups(self, x, group, count)

    def across(self, arrays, size):
        # A minimum is sent as the maximum of the complements, which reverse the order: so a
        # collection that has both sends only maxima.
        flip = self.kind == "min"
        keys = yield "max", [~k if flip else k for k in self.keys(arrays)]
        return self.values([~k for k in keys] if flip else keys, arrays)

    def check(self, dtype):
        if jnp.issubdtype(dtype, jnp.complexfloating):
            return "complex numbers have no order"
        if dtype == jnp.float64:
            return "extrema are kept in 32 bits or fewer"

    def __repr__(self):
        return self.kind


# Keys are bit casts, which have no derivative. The derivative of an extremum is that of the row
# where it is attained, and the mean of theirs if there are several, as for `jnp.max`.


@ft.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _of_two(extremum: Extremum, x: Array, y: Array) -> Array:
    pick = jnp.maximum if extremum.kind == "max" else jnp.minimum
    return extremum.values([pick(*extremum.keys((x, y)))], (x,))[0]


@_of_two.defjvp
def _of_two_jvp(extremum, primals, tangents):
    out = _of_two(extremum, *primals)
    if not jnp.issubdtype(out.dtype, jnp.floating):
        return out, tangents[0]
    key, *keys = extremum.keys((out, *primals))
    x, y = (jnp.where(k == key, t, 0) for k, t in zip(keys, tangents, strict=True))
    return out, (x + y) / jnp.where(keys[0] == keys[1], 2, 1).astype(out.dtype)


@ft.partial(jax.custom_jvp, nondiff_argnums=(0, 2))
def _of_rows(extremum: Extremum, x: Array, axis: int) -> Array:
    pick = jnp.max if extremum.kind == "max" else jnp.min
    key = pick(extremum.keys((x,))[0], axis=axis, initial=extremum.none)
    return extremum.values((key,), (x,))[0]


@_of_rows.defjvp
def _of_rows_jvp(extremum, axis, primals, tangents):
    out = _of_rows(extremum, *primals, axis)
    key, keys = extremum.keys((out, *primals))
    at = keys == jnp.expand_dims(key, axis)
    count = jnp.maximum(jnp.sum(at, axis=axis, dtype=jnp.int32), 1).astype(out.dtype)
    return out, jnp.sum(jnp.where(at, tangents[0], 0), axis=axis) / count


@ft.partial(jax.custom_jvp, nondiff_argnums=(0, 3))
def _of_groups(extremum: Extremum, x: Array, group: Array, count: int) -> Array:
    of_each = jnp.full((count, *x.shape[1:]), extremum.none, jnp.int32).at[group]
    pick = of_each.max if extremum.kind == "max" else of_each.min
    return extremum.values((pick(extremum.keys((x,))[0]),), (x,))[0]


@_of_groups.defjvp
def _of_groups_jvp(extremum, count, primals, tangents):
    x, group = primals
    out = _of_groups(extremum, x, group, count)
    key, keys = extremum.keys((out, x))
    at = keys == key[group]
    sums = jnp.zeros_like(out)
    hits = sums.at[group].add(at.astype(out.dtype))
    return out, sums.at[group].add(jnp.where(at, tangents[0], 0)) / jnp.maximum(hits, 1)


class _Clock(AbstractReduction):
    """The number of updates: a sum over time, but the same on all devices."""

    def identity(self, arrays):
        return zeros(arrays)

    def merge(self, left, right):
        return tuple(x + y for x, y in zip(left, right, strict=True))

    def across(self, arrays, size):
        return tuple((yield "max", list(arrays)))

    def check(self, dtype):
        if not jnp.issubdtype(dtype, jnp.integer):
            return "updates are counted in integers"


SUM = _Sum()
CLOCK = _Clock()
MAX = Extremum("max")
MIN = Extremum("min")
NAMED: dict[str, AbstractReduction] = {"sum": SUM, "max": MAX, "min": MIN}


# In the order in which `together` yields them.
_COLLECTIVES: dict[Collective, Callable[..., list[Array]]] = {
    "max": lax.pmax, "min": lax.pmin, "sum": lax.psum
}  # fmt: skip
_SMALL = 2**14


def on_one_device() -> bool:
    """Whether this is the program of a single device, as inside `shard_map` or `pmap` over all
    axes: no operation on an array then moves data between devices."""
    mesh = jax.sharding.get_abstract_mesh()
    return bool(mesh.axis_names) and set(mesh.manual_axes) == set(mesh.axis_names)


def _send(kind: Collective, arrays: list[Array], axis_name: Any) -> list[Array]:
    """Sends one collective. Small arrays of the same dtype are concatenated: on the CPU every array
    of a collective costs 0.1 ms, as much as 16 000 numbers."""
    small = [i for i, x in enumerate(arrays) if x.size <= _SMALL and on_one_device()]
    packs = [[i for i in small if arrays[i].dtype == d] for d in {arrays[i].dtype for i in small}]
    alone = [[i] for i in range(len(arrays)) if i not in small]
    groups = sorted(packs + alone)  # in the same order in every process
    joined = [
        jnp.concatenate([arrays[i].ravel() for i in g]) if len(g) > 1 else arrays[g[0]]
        for g in groups
    ]
    answers = list(arrays)
    for g, whole in zip(groups, _COLLECTIVES[kind](joined, axis_name), strict=True):
        ends = list(itertools.accumulate(arrays[i].size for i in g))[:-1]
        for i, part in zip(g, jnp.split(whole, ends) if ends else [whole], strict=True):
            answers[i] = part.reshape(arrays[i].shape)
    return answers


def together(
    plans: Sequence[Plan],
) -> Generator[tuple[Collective, list[Array]], list[Array], list[tuple[Array, ...]]]:
    """Several plans as one. While any of them yields a maximum, those that yield a sum wait: so
    plans of two collectives and of three send their sums together."""
    results: list[tuple[Array, ...]] = [()] * len(plans)
    asked: dict[int, tuple[Collective, list[Array]]] = {}

    def step(i: int, answer: list[Array] | None) -> None:
        try:
            # the first `send` must be `None`: it starts the generator
            asked[i] = plans[i].send(answer)  # pyright: ignore[reportArgumentType]
        except StopIteration as done:
            asked.pop(i, None)
            results[i] = done.value

    for i in range(len(plans)):
        step(i, None)
    while asked:
        kinds = {kind for kind, _ in asked.values()}
        kind: Collective = next(x for x in _COLLECTIVES if x in kinds)
        turn = [i for i in sorted(asked) if asked[i][0] == kind]
        answers = iter((yield kind, [x for i in turn for x in asked[i][1]]))
        for i in turn:
            step(i, [next(answers) for _ in asked[i][1]])
    return results


def run(
    plans: Sequence[Plan], axis_name: str | tuple[str, ...]
) -> list[tuple[Array, ...]]:
    """Runs several plans together: each round is one collective for all plans that wait for it."""
    plan, answer = together(plans), None
    while True:
        try:
            # as above
            kind, arrays = plan.send(answer)  # pyright: ignore[reportArgumentType]
        except StopIteration as done:
            return done.value
        answer = _send(kind, arrays, axis_name)
