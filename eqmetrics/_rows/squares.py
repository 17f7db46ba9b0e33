"""Squares in float32, which may underflow or overflow."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32


# A square that underflows would count as 0, and the mean of many would look right. So each counts
# as at least `SMALLEST`, and a mean below `_KNOWN` becomes NaN. Means above it have a relative
# error of at most 2^-20 if the weights are at least 0.02. Smaller weights may make a product
# underflow, though not to 0 (`_onepass/sums.py`): with weights of 1e-6 the error is 2^-6 at
# `_KNOWN`, and 2^-20 from 1e-26 on.
SMALLEST, _KNOWN = 2.0**-120, 2.0**-100


def square(x: Float32[Array, "..."]) -> Float32[Array, "..."]:
    return jnp.where(x == 0, 0, jnp.maximum(x * x, SMALLEST))


def nan_if_lost(
    mean: Float32[Array, "..."], total: Float32[Array, "..."] | None = None
) -> Float32[Array, "..."]:
    """A mean of squares; NaN if they underflowed. If few small squares are averaged with many
    zeros, the mean itself may underflow, so this looks at their `total` if it is given."""
    some = (mean if total is None else total) > 0
    return jnp.where(some & (mean < _KNOWN), jnp.nan, mean)


def divisor(mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """A mean of squares as a divisor: NaN also if it is infinite, since any number divided by it
    would be 0."""
    return jnp.where(jnp.isfinite(mean), nan_if_lost(mean), jnp.nan)


def out_of_range(
    mean: Float32[Array, "..."], constant: Bool[Array, "..."]
) -> Bool[Array, "..."]:
    """Whether the squares of deviations underflowed, for values that aren't constant."""
    return ~constant & (mean < _KNOWN)
