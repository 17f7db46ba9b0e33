"""Student's t distribution."""

import math
from statistics import NormalDist

import jax.numpy as jnp
from jaxtyping import Array, Float32


def quantile(p: float, degrees: Float32[Array, ""]) -> Float32[Array, ""]:
    """The `p` quantile, for `p >= 1/2`. Hill, "Algorithm 396: Student's t-quantiles", 1970:
    accurate to 5 digits from 3 degrees of freedom on, and exact for 1 and 2. With weights the
    degrees needn't be an integer."""
    tail = 2 * (1 - p)
    x = -NormalDist().inv_cdf(tail / 2)
    n = jnp.maximum(degrees, 1)
    a = 1 / (n - 0.5)
    b = 48 / (a * a)
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * jnp.sqrt(a * math.pi / 2) * n
    y = (d * tail) ** (2 / n)
    # Far out from the shape of the tail, otherwise from the normal quantile.
    z = x * x
    c = c + jnp.where(n < 5, 0.3 * (n - 4.5) * (x + 0.6), 0)
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    w = (((((0.4 * z + 6.3) * z + 36) * z + 94.5) / c - z - 3) / b + 1) * x
    near = jnp.expm1(a * w * w)
    outer = (
        (1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1
    ) * (n + 1) / (n + 2) + 1 / y
    found = jnp.sqrt(n * jnp.where(y > 0.05 + a, near, outer))
    two = math.sqrt(2 / (tail * (2 - tail)) - 2)
    one = 1 / math.tan(tail * math.pi / 2)
    return jnp.where(n < 1.5, one, jnp.where(n < 2.5, two, found))
