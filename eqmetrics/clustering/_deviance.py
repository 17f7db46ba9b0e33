"""Mutual information and entropies as sums of terms that are never negative: differences of
entropies would lose all digits where labels and clusters are nearly independent, and logarithms of
shares near 1 where they nearly agree."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._reduction.pair import Pair, to_float
from .._rows.quotient import over
from ._table import less, Table, total_of


def deviance(d: Float32[Array, "..."], m: Float32[Array, "..."]) -> Float32[Array, "..."]:
    r"""$x \log(x / m) + m - x$ with $x = m + d \ge 0$: to all digits near $d = 0$, where it is
    $d^2 / 2m$. 0 where `m` is 0."""
    x = jnp.maximum(m + d, 0)
    v = over(d, x + m)
    v = jnp.clip(v, -1, 1)
    near = jnp.abs(v) < 1 / 3
    w = jnp.where(near, v, 0)
    series = jnp.zeros_like(w)
    for k in range(17, 1, -2):  # of atanh(v) - v, without its factor v^3
        series = series * (w * w) + jnp.float32(1 / k)
    close = d * w + 2 * x * (w * w * w) * series
    there = (x > 0) & (m > 0) & ~near
    quotient = jnp.where(there, x, 1) / jnp.where(there, m, 1)
    return jnp.where(near, close, jnp.where(there, x * jnp.log(quotient), 0) - d)


class Information(NamedTuple):
    """Mutual information and conditional entropies in nats, times the total of the table."""

    mutual: Float32[Array, ""]
    of_classes: Float32[Array, ""]  # the entropy of the classes, given the clusters
    of_clusters: Float32[Array, ""]  # of the clusters, given the classes

    @classmethod
    def of(cls, table: Table) -> "Information":
        apart = deviance(*table.apart())
        given_clusters = _within(table.cells, table.clusters[:, None, :])
        given_classes = _within(table.cells, table.classes[:, :, None])
        return cls(total_of(apart), total_of(given_clusters), total_of(given_classes))

    @property
    def entropies(self) -> tuple[Array, Array]:
        """The entropy of the classes, and of the clusters."""
        return self.mutual + self.of_classes, self.mutual + self.of_clusters


def _within(cells: Pair, whole: Pair) -> Float32[Array, "classes clusters"]:
    r"""$x \log(n / x)$ for a cell $x$ and the sum $n$ that contains it."""
    rest, x = less(whole, cells), to_float(cells)
    some = x > 0
    return jnp.where(some, x * jnp.log1p(rest / jnp.where(some, x, 1)), 0)
