"""Quotients that are rounded correctly on every platform."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._reduction.pair import inlined, two_prod
from .rows import undefined_as


@jax.custom_jvp
@inlined
def quotient(top: Float32[Array, "..."], bottom: Float32[Array, "..."]) -> Float32[Array, "..."]:
    """The float nearest to `top / bottom`: exactly 1 where they are equal. 0 where `bottom` is 0;
    the caller replaces it if the value is undefined there."""
    zero = bottom == 0
    shape = jnp.broadcast_shapes(top.shape, bottom.shape)
    safe = jnp.broadcast_to(jnp.where(zero, 1, bottom), shape)
    found = lax.platform_dependent(
        jnp.broadcast_to(top, shape), safe, cpu=_by_barrier, default=_by_correction
    )
    return jnp.where(zero, 0, found)


def _by_barrier(top: Array, bottom: Array) -> Array:
    # If many numbers are divided by the same one, XLA's CPU multiplies them by its reciprocal:
    # 41/41 becomes 0.99999994. The barrier hides from XLA that the divisor is broadcast.
    return top / lax.optimization_barrier(bottom)


def _by_correction(top: Array, bottom: Array) -> Array:
    # A GPU divides with errors of up to 2 units in the last place: for one x in six, x / x isn't 1.
    # So the remainder is computed, and divided, too.
    return corrected(top / bottom, top, bottom)


def corrected(found: Array, top: Array, bottom: Array) -> Array:
    """The float nearest to `top / bottom`, from one a few units in the last place away."""
    product, error = two_prod(found, bottom)
    better = found + ((top - product) - error) / bottom
    return jnp.where(jnp.isfinite(better), better, found)


@quotient.defjvp
def _quotient_jvp(primals, tangents):
    # Computed from the quotient itself: the square of `bottom` could overflow or underflow.
    value = quotient(*primals)
    bottom = jnp.broadcast_to(primals[1], value.shape)
    top, below = (jnp.broadcast_to(t, value.shape) for t in tangents)
    safe = jnp.where(bottom == 0, 1, bottom)
    return value, jnp.where(bottom == 0, 0, (top - value * below) / safe)


def quotient_or(top: Array, bottom: Array, undefined: float | None) -> Array:
    """The quotient, and `undefined`, or NaN, where `bottom` is 0: the value of most metrics."""
    return undefined_as(quotient(top, bottom), bottom == 0, undefined)
