from collections.abc import Callable
from typing import Any, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.checks import to_array
from .._metric.field import state
from .._metric.messages import describe
from .._metric.metric import AbstractPlanned, AbstractWrapper
from .._metric.readout import AbstractStatistic
from .._onepass.sums import plus_count
from .._reduction.base import bits_of, from_bits
from .._reduction.limbs import exponent, from_limbs, to_limbs
from .._reduction.pair import add, from_integer, inlined, Pair
from .._reduction.plans import PlanOf
from .._rows.rows import as_column, rows


Columns = dict[str, Array]
Spec = tuple[str, tuple[int, ...], jnp.dtype]  # name, and shape and dtype of one row


def _spec(name: str, row: Any) -> Spec:
    one = isinstance(row, jax.ShapeDtypeStruct)
    shape, dtype = (row.shape, row.dtype) if one else ((), row)
    try:
        dtype = jnp.dtype(dtype)
    except TypeError:
        dtype = jnp.dtype("O")
    if dtype.kind not in "fiubV" or dtype.itemsize > 4 or name == "mask":
        raise TypeError(
            f"`Buffer({name}={row!r})`: expected a real dtype of at most 32 bits for a column of "
            f"one number a row, `{name}=jnp.float32`, or shape and dtype of a row: "
            f"`{name}=jax.ShapeDtypeStruct((10,), jnp.float32)`. `mask` is taken without one."
        )
    return name, shape, dtype


def _is_integer(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.integer)


@inlined
def _appended(old: dict[str, Any], new: Columns, mask: Array | None) -> dict[str, Any]:
    columns, count, invalid = old["columns"], old["count"], old["invalid"]
    for name, x in new.items():
        if _is_integer(x) and x.dtype != columns[name].dtype:
            stored = x.astype(columns[name].dtype)
            # An integer that changes when it is narrowed is invalid.
            bad = jnp.any((stored.astype(x.dtype) != x).reshape(len(x), -1), axis=-1)
            bad = bad if mask is None else bad & mask
            mask = ~bad if mask is None else mask & ~bad
            invalid = plus_count(invalid, bad)
    size, capacity = (len(next(iter(x.values()))) for x in (new, columns))
    if mask is None:
        # Written as one block, in place. A last block that doesn't fit replaces rows of the block
        # before it: some rows are lost in any case, and counted.
        block = min(size, capacity)
        start = jnp.minimum(count, capacity - block)
        put = lambda x, y: lax.dynamic_update_slice_in_dim(x, y[:block], start, 0)
        total = count + size
    else:
        after = count + jnp.cumsum(mask, dtype=jnp.int32)
        place = jnp.where(mask, after - 1, capacity)
        put = lambda x, y: x.at[place].set(y, mode="drop")
        total = count + jnp.sum(mask, dtype=jnp.int32)
    stored = {name: put(x, new[name].astype(x.dtype)) for name, x in columns.items()}
    return {"columns": stored, "invalid": invalid} | _counted(total, capacity, old["lost"])


@inlined
def _joined(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    count, capacity = left["count"], len(next(iter(left["columns"].values())))
    own = jnp.arange(capacity, dtype=jnp.int32) < count
    join = lambda x, y: jnp.where(as_column(own, x), x, _moved(y, count, right["count"]))
    columns = jax.tree.map(join, left["columns"], right["columns"])
    invalid, lost = (add(left[name], right[name]) for name in ("invalid", "lost"))
    counted = _counted(count + right["count"], capacity, lost)
    return {"columns": columns, "invalid": invalid} | counted


def _moved(x: Array, start: Array, count: Array) -> Array:
    """The first `count` rows from the place `start` on, as many as have room, and zeros."""
    place = jnp.arange(len(x), dtype=jnp.int32)
    there = (place >= start) & (place < start + count)
    return jnp.where(as_column(there, x), jnp.roll(x, start, axis=0), jnp.zeros_like(x))


def _room(counts: Array, capacity: int) -> Array:
    """The sum, or the capacity if that is less: the sum itself may be too large for an integer."""
    bounded = lambda x, y: jnp.minimum(x + y, jnp.int32(capacity))
    return lax.reduce(counts, jnp.int32(0), bounded, (0,))


def _counted(total: Array, capacity: int, lost: Pair) -> dict[str, Array]:
    more = from_integer(jnp.maximum(total - capacity, 0))
    return {"count": jnp.minimum(total, capacity), "lost": add(lost, more)}


@final
class Buffer(AbstractWrapper, AbstractStatistic, AbstractPlanned):
    """Up to `capacity` rows of the named outputs, stored on the device, and the value of `fn` on
    them.

    For values that need all rows at once. It is for `jit` and several devices what
    [`eqmetrics.Collect`][] is for the host: each device stores its rows, and merging puts them in
    one buffer. Rows whose `mask` is false take no space. Rows beyond the capacity are counted as
    lost: then the value is NaN, and `metric.check()` gives the capacity that is needed.

    `fn` is called with the columns by position, of shape `(capacity, ...)`, and a boolean array
    that is true for the rows. The order of rows isn't specified, so `fn` shouldn't depend on it.

    **Arguments:**

    - `capacity`: the largest number of rows, on all devices together.
    - `fn`: `fn(*columns, mask)` returns the value, an array or a pytree of arrays. Without it the
        value is a dict of the columns as floats, with NaN in unused rows.
    - `columns`: the outputs to store, each with its dtype if a row is one number,
        `targets=jnp.float32`, or with the shape and dtype of a row,
        `logits=jax.ShapeDtypeStruct((10,), jnp.float32)`.

    State: `capacity` rows of the columns, and 5 numbers. Undefined when: more than `capacity` rows
    were seen; or `fn` returns NaN. Without any rows, `fn` gets a mask that is false everywhere.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp

        def median(loss, mask):
            return jnp.nanmedian(jnp.where(mask, loss, jnp.nan))

        buffer = eqm.Buffer(100, loss=jnp.float32, fn=median)
        assert buffer.update(loss=jnp.array([1.0, 2.0, 9.0])).compute() == 2.0
        ```
    """

    capacity: int = eqx.field(static=True)
    specs: tuple[Spec, ...] = eqx.field(static=True)
    fn: Callable[..., Any] | None = eqx.field(static=True)
    columns: Columns = state()
    count: Int32[Array, ""] = state()
    lost: Float32[Array, "2"] = state(overflow="capacity={self.needed}")
    invalid: Float32[Array, "2"] = state(valid="integers that fit the dtypes of the columns")

    def __init__(self, capacity: int, *, fn: Callable[..., Any] | None = None, **columns: Any):
        if not isinstance(capacity, int) or not 0 < capacity < 2**30:
            raise ValueError(f"capacity={capacity!r}: expected a whole number from 1 to 2^30 - 1.")
        if not columns:
            raise TypeError(
                "`Buffer` needs the name of at least one output to keep, and its dtype: "
                "`eqm.Buffer(1000, loss=jnp.float32)`."
            )
        self.capacity = capacity
        self.specs = tuple(_spec(name, row) for name, row in columns.items())
        self.fn = fn
        self.columns = {name: jnp.zeros((capacity, *s), dtype) for name, s, dtype in self.specs}
        self.count = jnp.zeros((), jnp.int32)
        self.lost = jnp.zeros(2, jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    @property
    def needed(self) -> int:
        """The capacity that would hold all rows seen so far. Host only."""
        return self.capacity + int(sum(self.lost.tolist()))

    def arguments(self) -> dict[str, bool]:
        return dict.fromkeys((name for name, _, _ in self.specs), True) | {"mask": False}

    def update(self, **outputs: Any) -> Self:
        """Takes the columns and `mask`, all with the same row axes; a scalar is one row."""
        given = {name: to_array(name, x) for name, x in outputs.items()}
        mask, new, like = given.get("mask"), {}, None
        flat_mask = None
        for name, shape, dtype in self.specs:
            x = given[name]
            if not eqx.is_array(x):
                raise TypeError(f"`{name}` is {describe(x)}, expected an array of rows.")
            keeps = jnp.issubdtype(dtype, jnp.floating) or x.dtype == jnp.bool_
            if not keeps and not (_is_integer(x) and jnp.issubdtype(dtype, jnp.integer)):
                raise TypeError(
                    f"`Buffer` keeps `{name}` as {dtype}, and it is {describe(x)}. Build it with "
                    f"`{name}=jnp.float32`, or convert the output."
                )
            batch = rows(x, mask, None, shape, name)
            axes = x.shape[: x.ndim - len(shape)]
            like = (name, axes) if like is None else like
            if axes != like[1]:
                raise TypeError(
                    f"`Buffer` keeps rows: `{like[0]}` has them on the axes {like[1]}, and "
                    f"`{name}`, which is {describe(x)}, on {axes}."
                )
            new[name], flat_mask = batch.values, batch.mask
        return self.replace(**_appended(self._state(), new, flat_mask))

    def _state(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in ("columns", "count", "lost", "invalid")}

    def merge(self, other: Any) -> Self:
        assert isinstance(other, Buffer)
        return self.replace(**_joined(self._state(), other._state()))

    def across(self, size: int, index: Array) -> PlanOf[Self]:
        # Once a device knows how many rows those before it have, it puts its own behind them, where
        # all others have zeros: so one sum joins all rows. To tell all devices what each has, a
        # maximum of numbers in places of their own is as good as a sum, and the exact sums of
        # what is counted beside the rows ask for a maximum first.
        devices = jnp.arange(size, dtype=jnp.int32)
        own = jnp.where(devices == index, self.count, 0)
        pairs = add(self.lost, from_integer(self.count)), self.invalid
        counts, *tops = yield "max", [own, *(exponent(x[0]) for x in pairs)]
        start = _room(jnp.where(devices < index, counts, 0), self.capacity)
        kept = [bits_of(_moved(x, start, self.count)) for x in self.columns.values()]
        sums = yield "sum", kept + to_limbs(pairs, tops, size)
        both = zip(self.columns.items(), sums[: len(kept)], strict=True)
        columns = {name: from_bits(bits, x.dtype) for (name, x), bits in both}
        seen, invalid = from_limbs(sums[len(kept) :], tops, size)
        count = _room(counts, self.capacity)
        lost = add(seen, -from_integer(count))
        return self.replace(columns=columns, count=count, lost=lost, invalid=invalid)

    def rows(self) -> tuple[Columns, Bool[Array, "{self.capacity}"]]:
        """The columns as they are stored, and which rows are used: the first `count`."""
        return self.columns, jnp.arange(self.capacity, dtype=jnp.int32) < self.count

    def compute(self) -> Any:
        columns, mask = self.rows()
        if self.fn is not None:
            return self.fn(*columns.values(), mask)
        named = ((name, x.astype(jnp.float32)) for name, x in columns.items())
        return {name: jnp.where(as_column(mask, x), x, jnp.nan) for name, x in named}
