"""Scores of how far clusters lie apart, relative to the spread of each."""

from typing import final, get_args, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._reduction.pair import add, lift, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from ._features import ClusterBuffer, ClusterMoments


Spread = Literal["rms", "mean"]


@final
class CalinskiHarabasz(AbstractReadout):
    r"""The Calinski-Harabasz index, the variance ratio of clusters:
    $\frac{B / (k - 1)}{W / (n - k)}$, for $n$ rows in $k$ clusters. $B$ is the sum over the rows of
    the squared distance from the mean of their cluster to the mean of all rows. $W$ is that of the
    squared distance from the row to the mean of its cluster. Higher is better.

    The rows aren't kept. A weight repeats a row: the scale of the weights matters.

    **Arguments:**

    - `num_clusters`: the number of clusters, in `predicted_labels`.
    - `dim`: how many features a row has.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: that of [`eqmetrics.clustering.ClusterMoments`][], shared. Undefined when: there are
    fewer than two clusters, no more rows than clusters, or all rows lie on the mean of their
    cluster (scikit-learn: 1).
    Source: Caliński and Harabasz, "A dendrite method for cluster analysis", 1974.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        index = eqm.clustering.CalinskiHarabasz(2, 1)
        features = jnp.array([[0.0], [2.0], [10.0], [12.0]])
        value = index(features=features, predicted_labels=jnp.array([0, 0, 1, 1]))
        assert value == (100 / 1) / (4 / 2)
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: ClusterMoments

    def __init__(self, num_clusters: int, dim: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = ClusterMoments(num_clusters, dim)

    def compute(self) -> Float32[Array, ""]:
        value, defined = _variance_ratio(self.statistic)
        return undefined_as(value, ~defined, self.undefined)


@jax.jit
def _variance_ratio(statistic: ClusterMoments) -> tuple[Array, Array]:
    clusters = statistic.clusters()
    weight, centres = to_float(clusters.weight), clusters.centres()
    total = sum_pairs(clusters.weight)
    share = over(weight, to_float(total))
    d = centres - jnp.sum(share[:, None] * centres, axis=0)[None]
    between = jnp.sum(weight * jnp.sum(d * d, axis=1))
    within = jnp.sum(clusters.squares)
    count = jnp.sum(clusters.seen, dtype=jnp.float32)
    rest = to_float(add(total, -lift(count)))
    defined = (count > 1) & (rest > 0) & (within > 0)
    bottom = over(within, jnp.where(defined, rest, 1)) * (count - 1)
    return over(between, jnp.where(defined, bottom, 1)), defined


@final
class DaviesBouldin(AbstractReadout):
    r"""The Davies-Bouldin index: for each cluster the largest
    $(s_i + s_j) / \lVert c_i - c_j \rVert$ over the other clusters, with the spreads $s$ of the
    rows about the means $c$; averaged over the clusters. Lower is better.

    With `spread="rms"` the rows aren't kept: $s$ is the root mean square of their distances from
    the mean, as in the paper with $q = 2$. scikit-learn takes the mean of the distances, which
    needs all rows.

    **Arguments:**

    - `num_clusters`: the number of clusters, in `predicted_labels`.
    - `dim`: how many features a row has.
    - `spread`: `"rms"`, or `"mean"`, from a buffer of up to `capacity` rows.
    - `capacity`: only with `"mean"`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Infinite where two clusters have the same mean. The gradient is that of the value.
    State: that of [`eqmetrics.clustering.ClusterMoments`][], or with `"mean"` of
    [`eqmetrics.clustering.ClusterBuffer`][]; shared. Undefined when: there are fewer than two
    clusters.
    Source: Davies and Bouldin, "A cluster separation measure", 1979.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        index = eqm.clustering.DaviesBouldin(2, 1)
        features = jnp.array([[0.0], [2.0], [10.0], [12.0]])
        value = index(features=features, predicted_labels=jnp.array([0, 0, 1, 1]))
        assert value == jnp.float32((1 + 1) / 10)
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: ClusterMoments | ClusterBuffer

    def __init__(
        self,
        num_clusters: int,
        dim: int,
        *,
        spread: Spread = "rms",
        capacity: int | None = None,
        undefined: float | None = None,
    ):
        if spread not in get_args(Spread):
            raise ValueError(f"spread={spread!r}: expected one of {get_args(Spread)}.")
        if (spread == "mean") != (capacity is not None):
            raise ValueError(
                f"spread={spread!r}, capacity={capacity}: the mean of the distances needs all "
                'rows, and so a `capacity`; `spread="rms"` keeps none.'
            )
        self.undefined = undefined
        if capacity is None:
            self.statistic = ClusterMoments(num_clusters, dim)
        else:
            self.statistic = ClusterBuffer(num_clusters, dim, capacity=capacity)

    def compute(self) -> Float32[Array, ""]:
        value, defined = _least_apart(self.statistic)
        return undefined_as(value, ~defined, self.undefined)


@jax.jit
def _least_apart(statistic: ClusterMoments | ClusterBuffer) -> tuple[Array, Array]:
    if isinstance(statistic, ClusterMoments):
        clusters = statistic.clusters()
        seen, centres = clusters.seen, clusters.centres()
        spread = root(over(clusters.squares, to_float(clusters.weight)))
    else:
        kept = statistic.rows()
        seen, centres = kept.of_each > 0, kept.centres
        d = kept.features - centres[kept.cluster]
        distance = root(jnp.sum(d * d, axis=1))
        spread = over(jnp.sum(kept.within * distance[:, None], axis=0), kept.of_each)

    def of_one(each: tuple[Array, Array, Array]) -> Array:
        centre, own, place = each
        d = centres - centre[None]
        apart = root(jnp.sum(d * d, axis=1))
        ratio = (own[None] + spread) / jnp.where(apart > 0, apart, 1)
        ratio = jnp.where(apart > 0, ratio, jnp.inf)
        others = seen & (jnp.arange(len(spread), dtype=jnp.int32) != place)
        return jnp.max(jnp.where(others, ratio, -jnp.inf))

    place = jnp.arange(len(spread), dtype=jnp.int32)
    worst = jax.lax.map(of_one, (centres, spread, place))
    count = jnp.sum(seen, dtype=jnp.float32)
    defined = count > 1
    total = jnp.sum(jnp.where(seen & defined, worst, 0))
    return over(total, count), defined
