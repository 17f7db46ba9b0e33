"""Quotients and roots that have a value, or a slope, where their formula has none, and quotients
that are exact where they must be."""

import functools as ft

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy import special
from jaxtyping import Array, Float32


def over(top: Array, bottom: Array) -> Array:
    """`top / bottom`, and 0 for 0/0: the caller says what that stands for, mostly with
    `undefined_as`. A NaN that is formed and then dropped stops a program under
    `jax_debug_nans`, and is the gradient of all that stands beside it."""
    return top / jnp.where((top == 0) & (bottom == 0), 1, bottom)


def xlogy(x: Array, y: Array) -> Array:
    """`x * log(y)`, and 0 where `x` is, also of a `y` of 0 or infinity: jax's forms a NaN there."""
    finite = (y != 0) & (jnp.abs(y) < jnp.inf)
    return special.xlogy(x, jnp.where((x == 0) & ~finite, 1, y))


def root(x: Array) -> Array:
    """The square root, with a slope of 0 at 0: that of a spread which is 0 whatever the values
    are, as of one row; of others it is a minimum."""
    none = x == 0
    return jnp.where(none, 0, jnp.sqrt(jnp.where(none, 1, x)))


@jax.custom_jvp
@ft.partial(jax.jit, inline=True)
def ratio(top: Float32[Array, "..."], bottom: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """The float nearest to `top / bottom`: exactly 1 where they are equal. 0 where `bottom` is 0;
    what is undefined there, the caller says."""
    zero = bottom == 0
    # XLA's CPU makes of a division by what many share a product with its reciprocal, and
    # 41 * (1 / 41) is 0.99999994. It can't see through this that they share it.
    shape = jnp.broadcast_shapes(top.shape, bottom.shape)
    safe = lax.optimization_barrier(jnp.broadcast_to(jnp.where(zero, 1, bottom), shape))
    return jnp.where(zero, 0, top / safe)


@ratio.defjvp
def _ratio_jvp(primals, tangents):
    # By the quotient itself: the square of `bottom` leaves the range of a float where it doesn't.
    value = ratio(*primals)
    bottom = jnp.broadcast_to(primals[1], value.shape)
    top, below = (jnp.broadcast_to(t, value.shape) for t in tangents)
    safe = jnp.where(bottom == 0, 1, bottom)
    return value, jnp.where(bottom == 0, 0, (top - value * below) / safe)
