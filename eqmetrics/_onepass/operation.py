"""Operations: the steps of an `update` that combine the rows of a batch.

An `update` is ordinary code that calls them, so it is correct wherever it runs: in eager code and
inside `jit`, `vmap`, `grad`, `scan` and `shard_map`. If it is traced to a jaxpr inside the context
`gathering()`, the jaxpr contains marks instead of the operations. They are then executed in another
way, for which an operation has methods: those of a whole collection at once (`together.py`), or for
each of a thousand groups, replicates or rows (`apart.py`).
"""

import abc
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, NamedTuple

import jax
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.node import vary_like


try:
    from jax.extend.core import get_opaque_trace_state
except ImportError:  # before jax 0.10
    from jax.core import get_opaque_trace_state  # pyright: ignore[reportAttributeAccessIssue]


Level = Literal["rows", "state"]


class Groups(NamedTuple):
    """The group of each row, and whether it belongs to any."""

    group: Int32[Array, "rows"]
    taken: Bool[Array, "rows"]
    num_groups: int


class AbstractOperation(abc.ABC):
    """One operation. Operands and results of level "state" belong to the metric; those of level
    "rows" have one row of the batch in each entry of their first axis."""

    last: ClassVar[bool] = False  # whether it waits until no other operation is ready
    operands: tuple[Level, ...]  # the last one also holds for all further operands
    results: tuple[Level, ...]
    mark: Callable[..., Any]  # a function of the operands; its name identifies the operation

    def __call__(self, *operands: Array) -> tuple[Array, ...]:
        return (self.mark if is_gathering() else self.alone)(*operands)

    @abc.abstractmethod
    def alone(self, *operands: Array) -> tuple[Array, ...]:
        """The operation itself."""

    @classmethod
    @abc.abstractmethod
    def together(cls, many: list[tuple[Any, list[Array]]]) -> list[tuple[Array, ...]]:
        """Several operations of this class, each with its operands, in fewer steps."""

    @abc.abstractmethod
    def by_group(self, groups: Groups, *operands: Array) -> tuple[Array, ...]:
        """For each group with only its rows. Everything of level "state" has a leading axis."""

    @abc.abstractmethod
    def by_replicate(
        self, weights: Float32[Array, "samples rows"], *operands: Array
    ) -> tuple[Array, ...]:
        """For each replicate with its own weights. Everything of level "state" has a leading
        axis."""

    @abc.abstractmethod
    def by_row(self, rows: int, *operands: Array) -> tuple[Array, ...]:
        """For each of `rows` rows alone; the `update` may have made several of each, equally many.
        Computed in floats, since the sum over one row needs no pairs. Everything of level "state"
        has a leading axis."""

    @abc.abstractmethod
    def placeholder(self, *operands: Array) -> tuple[Array, ...]:
        """Arrays of the types of the results, with any contents, as cheap as possible."""

    def level(self, i: int) -> Level:
        """The level of operand number `i`."""
        return self.operands[min(i, len(self.operands) - 1)]


def of_each(x: Array, rows: int) -> Array:
    """Groups what an `update` has made of each row: from `(rows * many, ...)` to
    `(rows, many, ...)`."""
    return x.reshape(rows, x.shape[0] // max(rows, 1), *x.shape[1:])


_known: dict[str, AbstractOperation] = {}
_here = threading.local()


def register(operation: Any) -> Any:
    """Gives an operation its mark. Each combination of settings is registered once."""
    name = f"eqmetrics.{type(operation).__name__}.{len(_known)}"

    def mark(*operands: Array) -> Any:
        # Under `shard_map` the type of the result must vary over the same axes.
        return vary_like(operation.placeholder(*operands), operands)

    mark.__name__ = mark.__qualname__ = name
    operation.mark = jax.jit(mark)
    _known[name] = operation
    return operation


def operation_of(eqn: Any) -> AbstractOperation | None:
    """The operation whose mark this equation of a jaxpr is, or `None`."""
    return _known.get(eqn.params.get("name", "")) if eqn.primitive.name in ("jit", "pjit") else None


@contextlib.contextmanager
def gathering() -> Iterator[None]:
    """Inside this context, and at the same level of tracing, operations leave a mark in the jaxpr
    instead of being executed. Inside another `jit`, `vmap`, `grad` or loop they are executed. A
    mark is a `jit`, which `jax.disable_jit()` would replace by its contents: it is off here."""
    old, _here.trace = getattr(_here, "trace", None), get_opaque_trace_state(convention="nnx")
    try:
        with jax.disable_jit(False):
            yield
    finally:
        _here.trace = old


def is_gathering() -> bool:
    trace = getattr(_here, "trace", None)
    return trace is not None and trace == get_opaque_trace_state(convention="nnx")
