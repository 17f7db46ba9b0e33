"""What is done with all rows of a batch: a few operations.

An `update` is ordinary code that calls them, so it is right wherever it runs: in eager code, below
`jit`, `vmap`, `grad`, `scan` and `shard_map`. Whoever traces an `update` to a jaxpr while
`gathering` finds marks in it in their place, and does them in another way: those of a whole
collection at once (`together.py`), or for each of a thousand groups, replicates or rows
(`apart.py`).
That is what the methods of an operation are for.
"""

import abc
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, NamedTuple

import jax
from jax.extend.core import get_opaque_trace_state
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.node import vary_like


Level = Literal["rows", "state"]


class Groups(NamedTuple):
    """Of each row the group, and whether it is of any."""

    group: Int32[Array, "rows"]
    taken: Bool[Array, "rows"]
    num_groups: int


class AbstractOperation(abc.ABC):
    """One operation. `state` operands and results belong to the metric, the others have a row of
    the batch in each entry of their first axis."""

    last: ClassVar[bool] = False  # whether it waits until no other can be done
    operands: tuple[Level, ...]  # the last stands for all that follow
    results: tuple[Level, ...]
    mark: Callable[..., Any]  # a function of the operands whose name says which operation it is

    def __call__(self, *operands: Array) -> tuple[Array, ...]:
        return (self.mark if is_gathering() else self.alone)(*operands)

    @abc.abstractmethod
    def alone(self, *operands: Array) -> tuple[Array, ...]:
        """What the operation is, on its own."""

    @classmethod
    @abc.abstractmethod
    def together(cls, many: list[tuple[Any, list[Array]]]) -> list[tuple[Array, ...]]:
        """Several of this class, each with its operands, in fewer steps."""

    @abc.abstractmethod
    def by_group(self, groups: Groups, *operands: Array) -> tuple[Array, ...]:
        """For each group with its rows alone. All that is of the state has a leading axis."""

    @abc.abstractmethod
    def by_replicate(
        self, weights: Float32[Array, "samples rows"], *operands: Array
    ) -> tuple[Array, ...]:
        """For each replicate with weights of its own. All that is of the state has a leading
        axis."""

    @abc.abstractmethod
    def by_row(self, rows: int, *operands: Array) -> tuple[Array, ...]:
        """For each of so many rows alone, each of which has become equally many, in floats: the
        pairs of one row need no exact sums. All that is of the state has a leading axis."""

    @abc.abstractmethod
    def placeholder(self, *operands: Array) -> tuple[Array, ...]:
        """Anything of the types of the results, as cheap as can be."""

    def level(self, i: int) -> Level:
        """Of what operand number `i` is."""
        return self.operands[min(i, len(self.operands) - 1)]


def of_each(x: Array, rows: int) -> Array:
    """What each of so many rows has become: from `(rows * many, ...)` to `(rows, many, ...)`."""
    return x.reshape(rows, x.shape[0] // max(rows, 1), *x.shape[1:])


_known: dict[str, AbstractOperation] = {}
_here = threading.local()


def register(operation: Any) -> Any:
    """Gives an operation its mark. A class is registered once for each of its settings."""
    name = f"eqmetrics.{type(operation).__name__}.{len(_known)}"

    def mark(*operands: Array) -> Any:
        # Under `shard_map` a type says over which axes a value varies.
        return vary_like(operation.placeholder(*operands), operands)

    mark.__name__ = mark.__qualname__ = name
    operation.mark = jax.jit(mark)
    _known[name] = operation
    return operation


def operation_of(eqn: Any) -> AbstractOperation | None:
    """The operation that an equation of a jaxpr is the mark of."""
    return _known.get(eqn.params.get("name", "")) if eqn.primitive.name in ("jit", "pjit") else None


@contextlib.contextmanager
def gathering() -> Iterator[None]:
    """Within, and at the same level of tracing, operations leave a mark in the jaxpr instead of
    being done; below another `jit`, `vmap`, `grad` or loop they are done. A mark is a `jit`, also
    where `jax.disable_jit()` leaves out the others."""
    old, _here.trace = getattr(_here, "trace", None), get_opaque_trace_state(convention="nnx")
    try:
        with jax.disable_jit(False):
            yield
    finally:
        _here.trace = old


def is_gathering() -> bool:
    trace = getattr(_here, "trace", None)
    return trace is not None and trace == get_opaque_trace_state(convention="nnx")
