"""Squares in float32, which leave its range: below as well as above."""

import jax.numpy as jnp
from jaxtyping import Array, Float32


# A square below the range of float32 would count as 0, and many of them give a mean that looks
# right. So each counts as the smallest number, and a mean this small says that it isn't known:
# means from here up are right to 2^-26.
_SMALLEST, _KNOWN = 2.0**-126, 2.0**-100


def square(x: Float32[Array, "..."]) -> Float32[Array, "..."]:
    return jnp.where(x == 0, 0, jnp.maximum(x * x, _SMALLEST))


def known(mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """A mean of squares; NaN if they left the range of float32."""
    return jnp.where((mean > 0) & (mean < _KNOWN), jnp.nan, mean)


def divisor(mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """A mean of squares that others are compared with: NaN if it is infinite, too, since a
    number over it would be 0."""
    return jnp.where(jnp.isfinite(mean), known(mean), jnp.nan)
