"""Variances and covariances in sliding windows, from differences of neighbours: no constant is
subtracted, and a flat window has a variance of exactly 0."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ._windows import joined, Maps


class Spreads(NamedTuple):
    """Means, variances and covariance of two images in each window."""

    means: tuple[Maps, Maps]
    variances: tuple[Maps, Maps]
    covariance: Maps


Two = tuple[Array, Array]
Three = tuple[Array, Array, Array]


def _along(
    means: Two, within: Three | None, weights: Sequence[float], axis: int, step: int
) -> tuple[Two, Three]:
    """Extends the windows along one more axis. Their spread is that of the means of their parts
    about the mean of the middle part, plus the spread `within` the parts, as in Chan's merge."""
    size = means[0].shape[axis] - step * (len(weights) - 1)
    part = lambda x, i: lax.slice_in_dim(x, i * step, i * step + size, axis=axis)
    middle = [part(x, len(weights) // 2) for x in means]
    a, b = (jnp.zeros_like(x) for x in middle)
    aa, bb, ab = (jnp.zeros_like(a) for _ in range(3))
    for i, w in enumerate(weights):
        p, t = (part(x, i) - at for x, at in zip(means, middle, strict=True))
        each = p * p, t * t, p * t
        if within is not None:
            each = [x + part(y, i) for x, y in zip(each, within, strict=True)]
        a, b = a + w * p, b + w * t
        aa, bb, ab = (x + w * y for x, y in zip((aa, bb, ab), each, strict=True))
    return (middle[0] + a, middle[1] + b), (aa - a * a, bb - b * b, ab - a * b)


def spreads(a: Array, b: Array, weights: Sequence[float]) -> Spreads:
    """The spreads of images `(rows, outer, height, width, inner)` in all windows within them."""
    means, within = _along((joined(a), joined(b)), None, weights, 2, 1)
    # Without the barrier XLA may recompute the sums along one axis for each sum along the other.
    # (On a CPU it drops the barrier before it fuses, but doesn't recompute them.)
    means, within = lax.optimization_barrier((means, within))
    means, (aa, bb, ab) = _along(means, within, weights, 3, a.shape[4])
    return Spreads(means, (jnp.maximum(aa, 0), jnp.maximum(bb, 0)), ab)
