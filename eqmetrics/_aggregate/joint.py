"""Centred moments of several variables at once: the weight of the rows, the means, and sums of
products of deviations. They merge around the mean of the larger side, which keeps digits."""

import abc
import functools as ft
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from .._reduction import EXACT_SUM
from .._reduction.base import AbstractScalable, zeros
from .._reduction.extremum import MAX
from .._reduction.limbs import bound, exponent, from_limbs, to_limbs
from .._reduction.pair import add, divide, inlined, lift, multiply, Pair, to_float
from .._rows.quotient import over, root
from .._rows.rows import as_column
from .._rows.squares import divisor


class Joint(NamedTuple):
    """Pairs: `weight` of shape `(2,)`, `mean` of `(2, variables, *columns)` and `products` of
    `(2, products, *columns)`."""

    weight: Pair
    mean: Pair
    products: Pair


class AbstractJointMoments(AbstractScalable):
    """A reduction of three fields, those of a `Joint`. A subclass says which variables are
    multiplied with which."""

    @abc.abstractmethod
    def factors(self, variables: int) -> tuple[Any, Any]:
        """Two arrays: the numbers of the first and second factor of each product."""

    def empty(self, variables: int, columns: tuple[int, ...] = ()) -> Joint:
        """The moments of no rows."""
        zeros = lambda count: jnp.zeros((2, count, *columns), jnp.float32)
        products = len(self.factors(variables)[0])
        return Joint(jnp.zeros(2, jnp.float32), zeros(variables), zeros(products))

    def plus(self, left: Joint, right: Joint) -> Joint:
        i, j = self.factors(left.mean.shape[1])
        n = add(left.weight, right.weight)
        a, b, total = (to_float(x) for x in (left.weight, right.weight, n))
        delta = to_float(add(right.mean, -left.mean))
        safe = jnp.where(total > 0, total, 1)
        # From the mean of the larger side: the smaller correction, whichever comes first.
        swap = b > a
        base = jnp.where(swap, right.mean, left.mean)
        mean = add(base, lift(delta * (jnp.where(swap, -a, b) / safe)))
        # An empty side has mean 0: its delta says nothing.
        either = (a > 0) & (b > 0)
        mean = jnp.where(either, mean, jnp.where(b > 0, right.mean, left.mean))
        between = delta[i] * delta[j] * (jnp.minimum(a, b) / safe) * jnp.maximum(a, b)
        products = add(left.products, right.products)
        products = jnp.where(either, add(products, lift(between)), products)
        return Joint(n, mean, products)

    def identity(self, arrays):
        return zeros(arrays)

    def scaled(self, arrays, factor):
        n, mean, products = arrays
        each = factor.reshape(2, *(1,) * (products.ndim - 1))
        return multiply(n, factor), mean, multiply(products, each)

    def merge(self, left, right):
        return tuple(_plus(self, Joint(*left), Joint(*right)))

    def across(self, arrays, size):
        # One maximum and one sum, as for an exact sum, from a pivot that all devices know. Sums
        # over devices have no derivative here: one of the rest alone would be wrong.
        n, mean, products = lax.stop_gradient(arrays)
        i, j = self.factors(mean.shape[1])
        some = to_float(n) > 0
        ends = jnp.where(some, mean[0], -jnp.inf), jnp.where(some, -mean[0], -jnp.inf)
        *keys, count_top, own_top = yield (
            "max",
            [*MAX.keys(ends), exponent(n[0]), exponent(products[0])],
        )
        # Where no device has rows both are -inf.
        highest, lowest = (jnp.where(x == -jnp.inf, 0, x) for x in MAX.values(keys, ends))
        pivot = jnp.where(jnp.isfinite(highest), highest, 0)
        # The difference of the high halves of the means leaves out the low ones.
        spread = (highest + lowest) + 2.0**-22 * jnp.maximum(jnp.abs(highest), jnp.abs(lowest))
        most = bound(count_top) * spread
        own = bound(own_top) + most[i] * spread[j]
        tops = count_top, exponent(most), exponent(own)

        wide = lambda x, like: jnp.broadcast_to(as_column(x, like), like.shape)
        offset = jnp.where(some, add(mean, -lift(pivot)), 0)
        shifted = multiply(wide(n, mean), offset)
        moved = add(products, multiply(shifted[:, i], offset[:, j]))
        sums = yield "sum", to_limbs((n, shifted, moved), tops, size)
        count, shifted, moved = from_limbs(sums, tops, size)

        any_row = to_float(count) > 0
        safe = jnp.where(any_row, count, lift(jnp.ones((), jnp.float32)))
        offset = divide(shifted, wide(safe, mean))
        products = add(moved, -multiply(shifted[:, i], offset[:, j]))
        # Of products in a matrix a matrix, which isn't written into the program; else a vector.
        square = jnp.equal(jnp.asarray(i), jnp.asarray(j))
        square = square.reshape(square.shape + (1,) * (products[0].ndim - square.ndim))
        products = jnp.where((square & (products[0] < 0))[None], 0, products)
        finite = jnp.isfinite(spread)
        inside = finite[i] & finite[j] & (tops[2] < 255)
        products = jnp.where(inside[None], products, jnp.nan)
        mean = jnp.where(finite[None], add(lift(pivot), offset), jnp.nan)
        return count, jnp.where(any_row, mean, 0), jnp.where(any_row, products, 0)

    def check(self, dtype):
        return EXACT_SUM.check(dtype)


@ft.partial(inlined, static_argnums=0)
def _plus(moments: AbstractJointMoments, left: Joint, right: Joint) -> Joint:
    return moments.plus(left, right)


def is_constant(ends: Array, spread: Array | None = None) -> Array:
    """Whether all values are equal; also True where no row was seen. Integers beyond 2^24 may have
    equal ends and differ: their `spread`, the mean square of the deviations, then exceeds
    rounding."""
    equal = ~(ends[0] > -ends[1])
    if spread is None:
        return equal
    size = jnp.abs(ends[0])
    differ = (size >= 2.0**24) & (jnp.sqrt(spread) > 2.0**-46 * size)
    return equal & ~(jnp.isfinite(size) & differ)


def correlation(products: Array, left: Array, right: Array, count: Array) -> Array:
    """The correlation, from sums of products and of squares; NaN where the squares left the range
    of float32."""
    roots = [root(divisor(over(x, count))) for x in (left, right)]
    ratio = over(over(over(products, count), roots[0]), roots[1])
    # A spread of 0 that isn't of a constant has left the range of float32.
    return jnp.where((roots[0] == 0) | (roots[1] == 0), jnp.nan, jnp.clip(ratio, -1, 1))
