"""Quotients and roots with a value, or a slope, at points where their formula has none."""

import jax.numpy as jnp
from jax.scipy import special
from jaxtyping import Array


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
