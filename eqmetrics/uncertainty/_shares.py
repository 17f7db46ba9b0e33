"""Ranks that are a share of the number of rows."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32

from .._reduction.pair import add, inlined, lift, multiply, Pair


# No float is exactly 0.9: its product with a number of rows may miss a whole number by this part.
_ROUNDING = 2.0**-40


def as_pairs(shares: np.ndarray) -> np.ndarray:
    """The shares as pairs, of shape `(2, shares)`."""
    exact = np.asarray(shares, np.float64).reshape(-1)
    high = exact.astype(np.float32)
    return np.stack([high, (exact - high).astype(np.float32)])


@inlined
def just_below(count: Pair, shares: Array) -> Pair:
    """Each share of a count, less what rounding may have added."""
    at = multiply(jnp.broadcast_to(count[:, None], shares.shape), shares)
    return add(at, -lift(at[0] * _ROUNDING))


@inlined
def floor(x: Pair) -> Int32[Array, "..."]:
    high = jnp.floor(x[0])
    # Where the high half is whole, the low half decides.
    low = jnp.where(high == x[0], jnp.floor(x[1]), 0)
    return high.astype(jnp.int32) + low.astype(jnp.int32)
