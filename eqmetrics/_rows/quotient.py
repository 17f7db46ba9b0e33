"""Quotients and roots with a value, or a slope, at points where their formula has none; and
quotients that are exact at points where this matters."""

import functools as ft

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy import special
from jaxtyping import Array, Float32


def over(top: Array, bottom: Array) -> Array:
    """`top / bottom`, and 0 for 0/0: the caller replaces it, usually with `undefined_as`. Selecting
    away a NaN afterwards wouldn't do: forming it stops a program under `jax_debug_nans`, and makes
    the gradients NaN."""
    return top / jnp.where((top == 0) & (bottom == 0), 1, bottom)


def xlogy(x: Array, y: Array) -> Array:
    """`x * log(y)`, and 0 if `x` is 0, even if `y` is 0 or infinite, where jax's own function forms
    a NaN."""
    finite = (y != 0) & (jnp.abs(y) < jnp.inf)
    return special.xlogy(x, jnp.where((x == 0) & ~finite, 1, y))


def root(x: Array) -> Array:
    """The square root, with slope 0 at 0. A spread of 0 is either constant, if there is only one
    row, or a minimum, so 0 is right for both."""
    none = x == 0
    return jnp.where(none, 0, jnp.sqrt(jnp.where(none, 1, x)))


@jax.custom_jvp
@ft.partial(jax.jit, inline=True)
def ratio(top: Float32[Array, "..."], bottom: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """The float nearest to `top / bottom`: exactly 1 where they are equal. 0 where `bottom` is 0;
    the caller replaces it if the value is undefined there."""
    zero = bottom == 0
    # If many numbers are divided by the same one, XLA's CPU multiplies them by its reciprocal:
    # 41/41 becomes 0.99999994. The barrier hides from XLA that the divisor is broadcast.
    shape = jnp.broadcast_shapes(top.shape, bottom.shape)
    safe = lax.optimization_barrier(jnp.broadcast_to(jnp.where(zero, 1, bottom), shape))
    return jnp.where(zero, 0, top / safe)


@ratio.defjvp
def _ratio_jvp(primals, tangents):
    # Computed from the quotient itself: the square of `bottom` could overflow or underflow.
    value = ratio(*primals)
    bottom = jnp.broadcast_to(primals[1], value.shape)
    top, below = (jnp.broadcast_to(t, value.shape) for t in tangents)
    safe = jnp.where(bottom == 0, 1, bottom)
    return value, jnp.where(bottom == 0, 0, (top - value * below) / safe)
