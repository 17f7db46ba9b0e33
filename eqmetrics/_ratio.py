"""Quotients that are exact where they must be, and what is compared in the place of quotients."""

import functools as ft

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32

from ._reduction.pair import add, fused, multiply, Pair, to_float


@fused
def ratio(top: Float32[Array, "..."], bottom: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """The float nearest to `top / bottom`: exactly 1 where they are equal. 0 where `bottom` is 0;
    what is undefined there, the caller says."""
    zero = bottom == 0
    # XLA's CPU makes of a division by what many share a product with its reciprocal, and
    # 41 * (1 / 41) is 0.99999994. It can't see through this that they share it.
    shape = jnp.broadcast_shapes(top.shape, bottom.shape)
    safe = lax.optimization_barrier(jnp.broadcast_to(jnp.where(zero, 1, bottom), shape))
    return jnp.where(zero, 0, top / safe)


@ft.partial(fused, static_argnames="rate")
def reaches(part: Pair, rate: float, whole: Pair) -> Bool[Array, "..."]:
    """Whether `part / whole` is at least `rate`, by counts: a quotient is rounded. A `rate` of 0.8
    isn't a float either, so 20 of 25 may be short of it by one part in a million millions."""
    high = np.float32(rate)
    pair = jnp.asarray(np.stack([high, np.float32(rate - float(high))]))
    left = add(part, -multiply(whole, pair))
    return to_float(left) >= -(2.0**-40) * to_float(whole)
