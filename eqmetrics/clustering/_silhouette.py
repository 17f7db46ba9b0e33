"""The silhouette: how much nearer each row is to its own cluster than to the next one."""

import math
from typing import Any, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

from .._custom_types import Labels, Mask, Values, Weights
from .._metric.field import constant
from .._metric.readout import AbstractReadout
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over, root
from .._rows.row_mean import AbstractRowMean
from .._rows.rows import undefined_as
from ._features import check_sizes, ClusterBuffer, clustered, Kept, valid_in


_ENTRIES = 2**21  # how many distances are computed at once


def _width(
    to_each: Float32[Array, "rows clusters"],
    of_each: Float32[Array, "clusters"],
    cluster: Int32[Array, "rows"],
) -> Float32[Array, "rows"]:
    """The silhouette of each row, from the sums of its distances to the rows of each cluster."""
    place = jnp.arange(len(of_each), dtype=jnp.int32)
    own = cluster[:, None] == place[None]
    size = jnp.sum(jnp.where(own, of_each[None], 0), axis=1)
    several = size > 1
    inside = jnp.sum(jnp.where(own, to_each, 0), axis=1) / jnp.where(several, size - 1, 1)
    others = ~own & (of_each > 0)[None]
    mean = to_each / jnp.where(of_each > 0, of_each, 1)[None]
    nearest = jnp.min(jnp.where(others, mean, jnp.inf), axis=1)
    nearest = jnp.where(jnp.isfinite(nearest), nearest, inside)
    return jnp.where(several, over(nearest - inside, jnp.maximum(nearest, inside)), 0)


def _sums_of_distances(kept: Kept) -> Float32[Array, "rows clusters"]:
    """The sums of the distances of each row to the rows of each cluster.

    With a row $x_i = c + z_i$ of a cluster of mean $c$ and another $x_j = c' + z_j$,
    $|x_i - x_j|^2 = |x_i - c'|^2 + |z_j|^2 - 2 z_i z_j - 2 (c - c') z_j$: within one cluster no
    term is larger than the squared deviations, so that narrow clusters far apart keep their digits.
    All of it is one product of matrices.
    """
    centres = kept.centres
    own = (kept.within > 0).astype(jnp.float32)
    z = jnp.where(kept.weights[:, None] > 0, kept.features - centres[kept.cluster], 0)
    size = jnp.sum(z * z, axis=1)

    def from_one(centre: Array) -> Array:
        d = kept.features - centre[None]
        return jnp.sum(d * d, axis=1)

    apart = jax.lax.map(from_one, centres).T
    along = jnp.matmul(z, centres.T, precision="highest")
    along = jnp.where(own > 0, 0, along - jnp.sum(z * centres[kept.cluster], axis=1)[:, None])
    left = jnp.concatenate([z, own, apart], axis=1)
    right = jnp.concatenate([-2 * z, -2 * along, own], axis=1)

    @jax.checkpoint  # else a gradient would keep the distances of all pairs
    def block(rows: tuple[Array, Array]) -> Array:
        x, own_size = rows
        local = own_size[:, None] + size[None, :]
        d = jnp.matmul(x, right.T, precision="highest") + size[None, :]
        # A distance below the rounding error is 0, as that of a row to itself.
        d = root(jnp.where(d > 2.0**-21 * local, d, 0))
        return jnp.matmul(d, kept.within, precision="highest")

    count = len(z)
    at_once = max(1, min(count, _ENTRIES // count))
    blocks = math.ceil(count / at_once)
    pad = blocks * at_once - count
    left = jnp.pad(left, ((0, pad), (0, 0))).reshape(blocks, at_once, -1)
    sizes = jnp.pad(size, (0, pad)).reshape(blocks, at_once)
    return jax.lax.map(block, (left, sizes)).reshape(blocks * at_once, -1)[:count]


@jax.jit
def _mean_width(statistic: ClusterBuffer) -> tuple[Array, Array]:
    kept = statistic.rows()
    widths = _width(_sums_of_distances(kept), kept.of_each, kept.cluster)
    total = to_float(sum_rows(widths * kept.weights))
    defined = jnp.sum(kept.of_each > 0, dtype=jnp.int32) > 1
    return over(total, to_float(sum_rows(kept.weights))), defined


@final
class Silhouette(AbstractReadout):
    r"""The mean silhouette of the rows: $(b - a) / \max(a, b)$, with the mean distance $a$ of a row
    to the others of its cluster, and the mean distance $b$ to the rows of the nearest other
    cluster. From -1 to 1.

    It takes all pairs of rows, in blocks: time grows with the square of `capacity`, memory doesn't.
    The distance is Euclidean; [`eqmetrics.clustering.SquaredSilhouette`][] takes its square, and
    keeps no rows. A weight repeats a row: the scale of the weights matters.

    **Arguments:**

    - `num_clusters`: the number of clusters, in `predicted_labels`.
    - `dim`: how many features a row has.
    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A row that is alone in its cluster has 0. The gradient is that of the value.
    State: that of [`eqmetrics.clustering.ClusterBuffer`][], shared. Undefined when: there are fewer
    than two clusters, or more than `capacity` rows.
    Source: Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", 1987.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        silhouette = eqm.clustering.Silhouette(2, 1, capacity=10)
        features = jnp.array([[0.0], [1.0], [10.0]])
        value = silhouette(features=features, predicted_labels=jnp.array([0, 0, 1]))
        assert abs(value - (9 / 10 + 8 / 9 + 0) / 3) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: ClusterBuffer

    def __init__(
        self, num_clusters: int, dim: int, *, capacity: int, undefined: float | None = None
    ):
        self.undefined = undefined
        self.statistic = ClusterBuffer(num_clusters, dim, capacity=capacity)

    def compute(self) -> Float32[Array, ""]:
        value, defined = _mean_width(self.statistic)
        return undefined_as(value, ~defined, self.undefined)


@final
class SquaredSilhouette(AbstractRowMean):
    r"""The mean silhouette of the rows with squared distances, which needs no other rows: the mean
    squared distance of a row $x$ to a cluster of mean $c$ is $|x - c|^2$ plus the mean square of
    the cluster about $c$.

    It takes two passes over the rows: one for [`eqmetrics.clustering.ClusterMoments`][], whose
    value this metric gets for the second pass.

    **Arguments:**

    - `clusters`: the value of `ClusterMoments` on the same rows: a dict of `weight`, `mean` and
        `squares`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A row that is alone in its cluster has 0, and one in a cluster without rows is invalid. The
    gradient is that of the value, for fixed clusters.
    State: 6 floats, and the clusters. Undefined when: no row was seen, or there are fewer than two
    clusters. It equals `sklearn.metrics.silhouette_score(..., metric="sqeuclidean")`.
    Source: Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", 1987.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        features, labels = jnp.array([[0.0], [1.0], [10.0]]), jnp.array([0, 0, 1])
        clusters = eqm.clustering.ClusterMoments(2, 1)(features=features, predicted_labels=labels)
        silhouette = eqm.clustering.SquaredSilhouette(clusters)
        value = silhouette(features=features, predicted_labels=labels)
        assert abs(value - (99 / 100 + 80 / 81 + 0) / 3) < 1e-6
        ```
    """

    weight: Float32[Array, "clusters"] = constant()
    mean: Float32[Array, "clusters dim"] = constant()
    squares: Float32[Array, "clusters"] = constant()

    def __init__(self, clusters: Any, *, undefined: float | None = None):
        given = [np.asarray(clusters[k], np.float32) for k in ("weight", "mean", "squares")]
        weight, mean, squares = given
        if mean.ndim != 2 or not weight.shape == squares.shape == mean.shape[:1]:
            raise ValueError(
                "`clusters`: expected the value of `ClusterMoments`, `weight` and `squares` of "
                "shape (num_clusters,), and `mean` of shape (num_clusters, dim); got "
                f"{weight.shape}, {squares.shape} and {mean.shape}."
            )
        check_sizes(*mean.shape)
        self.weight, self.squares = jnp.asarray(weight), jnp.asarray(squares)
        self.mean = jnp.asarray(np.where(weight[:, None] > 0, mean, 0))
        AbstractRowMean.__init__(self, valid_in(len(weight)), undefined=undefined)

    def update(
        self,
        *,
        features: Values,
        predicted_labels: Labels,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`features` have the shape `(*rows, dim)`; the others that of the rows."""
        count, dim = self.mean.shape
        batch, cluster = clustered(features, predicted_labels, count, dim, mask, weights)
        some = self.weight > 0
        batch = batch.without(~jnp.take(some, cluster))
        assert batch.mask is not None
        x = jnp.where(batch.mask[:, None], batch.values.astype(jnp.float32), 0)
        d = x[:, None, :] - self.mean[None]
        sums = self.weight[None] * jnp.sum(d * d, axis=2) + self.squares[None]
        several = jnp.sum(some, dtype=jnp.int32) > 1
        width = _width(sums, self.weight, cluster)
        return self.plus(batch, width, jnp.broadcast_to(several, width.shape))
