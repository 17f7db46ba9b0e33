"""Squares in float32, which leave its range: below as well as above."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32


# A square below the range of float32 would count as 0, and many of them give a mean that looks
# right. So each counts as a small number, and a mean this small says that it isn't known: means
# from here up are right to 2^-20 with weights from 0.02 on. A smaller weight may take a product
# below the range, but not to 0 (`_onepass/sums.py`): at 1e-6 means are right to 2^-6 here, and to
# 2^-20 from 1e-26 up.
SMALLEST, _KNOWN = 2.0**-120, 2.0**-100


def square(x: Float32[Array, "..."]) -> Float32[Array, "..."]:
    return jnp.where(x == 0, 0, jnp.maximum(x * x, SMALLEST))


def nan_if_lost(
    mean: Float32[Array, "..."], total: Float32[Array, "..."] | None = None
) -> Float32[Array, "..."]:
    """A mean of squares; NaN if they left the range of float32. A mean of few small squares among
    many that are 0 may have underflown itself: their `total` tells."""
    some = (mean if total is None else total) > 0
    return jnp.where(some & (mean < _KNOWN), jnp.nan, mean)


def divisor(mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """A mean of squares that others are compared with: NaN if it is infinite, too, since a
    number over it would be 0."""
    return jnp.where(jnp.isfinite(mean), nan_if_lost(mean), jnp.nan)


def out_of_range(
    mean: Float32[Array, "..."], constant: Bool[Array, "..."]
) -> Bool[Array, "..."]:
    """Whether the squares of deviations were below the range of float32, of values that aren't
    constant."""
    return ~constant & (mean < _KNOWN)
