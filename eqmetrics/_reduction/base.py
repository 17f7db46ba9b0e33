import abc

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .plans import Plan


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
