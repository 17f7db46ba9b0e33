"""Rows of features, each in a cluster: as moments of each cluster, or as a buffer of the rows."""

from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._aggregate.joint import Joint
from .._aggregate.moments import SQUARE
from .._custom_types import Labels, Mask, Values, Weights
from .._metric.field import state
from .._metric.messages import describe
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._metric.readout import AbstractStatistic
from .._onepass.moments import add_moments
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import add, lift, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .._rows.rows import flat, narrow, Rows, rows
from .._wrap.buffer import Buffer
from .._wrap.per_group import PerGroup


def valid_in(num_clusters: int) -> str:
    return (
        f"features that are finite, clusters in [0, {num_clusters}), weights >= 0 and finite"
    )


def check_sizes(num_clusters: Any, dim: Any) -> None:
    check_whole("num_clusters", num_clusters)
    check_whole("dim", dim)


def clustered(
    features: Any, predicted_labels: Any, num_clusters: int, dim: int, mask: Any, weights: Any
) -> tuple[Rows, Int32[Array, "rows"]]:
    """Rows of shape `(*rows, dim)`, and the cluster of each: 0 where it is out of range, which is
    invalid, as is a feature that isn't finite."""
    if predicted_labels.shape != features.shape[:-1]:
        raise TypeError(
            f"`predicted_labels` is {describe(predicted_labels)} and `features` is "
            f"{describe(features)}: expected the shape `(*rows, {dim})` for `features`, and that "
            "of the rows for `predicted_labels`."
        )
    batch = rows(features, mask, weights, (dim,), "features")
    cluster = flat(narrow(predicted_labels))
    known = (cluster >= 0) & (cluster < num_clusters)
    if jnp.issubdtype(features.dtype, jnp.floating):
        known &= jnp.all(jnp.isfinite(batch.values), axis=1)
    return batch.without(~known), jnp.where(known, cluster, 0)


@final
class VectorMoments(Metric):
    """The weight of rows, the mean of each feature, and the sums of its squared deviations."""

    dim: int = eqx.field(static=True)
    weight: Float32[Array, "2"] = state(reduce=SQUARE)
    mean: Float32[Array, "2 1 dim"] = state(reduce=SQUARE)
    products: Float32[Array, "2 1 dim"] = state(reduce=SQUARE)
    ends: Float32[Array, "2 1 dim"] = state(reduce="max")

    def __init__(self, dim: int):
        self.dim = dim
        self.weight, self.mean, self.products = SQUARE.empty(1, (dim,))
        self.ends = jnp.full((2, 1, dim), -jnp.inf, jnp.float32)

    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        batch = rows(values, mask, weights, (self.dim,))
        old = Joint(self.weight, self.mean, self.products)
        new, ends = add_moments(SQUARE, old, self.ends, batch, batch.values)
        return self.replace(**new._asdict(), ends=ends)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        fields = {"weight": self.weight, "mean": self.mean, "products": self.products}
        return {k: to_float(x) for k, x in fields.items()}


class Clusters(NamedTuple):
    weight: Float32[Array, "2 clusters"]
    mean: Float32[Array, "2 clusters dim"]
    squares: Float32[Array, "clusters"]  # the sum of squared distances of the rows from the mean

    @property
    def seen(self) -> Bool[Array, "clusters"]:
        return self.weight[0] > 0

    def centres(self) -> Float32[Array, "clusters dim"]:
        """The means, less a point that is near all of them."""
        weight = self.seen[:, None].astype(jnp.float32)
        pivot = over(jnp.sum(self.mean[0] * weight, axis=0), jnp.sum(weight))
        # With equal weights: any point near them will do.
        pivot = lift(jnp.broadcast_to(jax.lax.stop_gradient(pivot), self.mean.shape[1:]))
        return jnp.where(self.seen[:, None], to_float(add(self.mean, -pivot)), 0)


@final
class ClusterMoments(AbstractStatistic):
    """The weight, the mean, and the sum of squared distances from the mean of the rows of each
    cluster: the statistic that [`eqmetrics.clustering.CalinskiHarabasz`][] and
    [`eqmetrics.clustering.DaviesBouldin`][] share in a `MetricDict`.

    No rows are kept: moments about a pivot near the rows merge as Chan, Golub and LeVeque do.

    **Arguments:**

    - `num_clusters`: the number of clusters, in `predicted_labels`.
    - `dim`: how many features a row has.

    The gradient is that of the moments.
    State: `6 * num_clusters * dim + 2 * num_clusters + 4` floats. Undefined when: the mean of a
    cluster, if it has no rows. A feature that is NaN or infinite, and a cluster out of range, are
    invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        moments = eqm.clustering.ClusterMoments(2, 1)
        features, clusters = jnp.array([[1.0], [3.0], [7.0]]), jnp.array([0, 0, 1])
        value = moments(features=features, predicted_labels=clusters)
        assert value["mean"].tolist() == [[2.0], [7.0]] and value["squares"].tolist() == [2, 0]
        ```
    """

    num_clusters: int = eqx.field(static=True)
    dim: int = eqx.field(static=True)
    groups: PerGroup
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self._valid}")

    def __init__(self, num_clusters: int, dim: int):
        check_sizes(num_clusters, dim)
        self.num_clusters = int(num_clusters)
        self.dim = int(dim)
        self.groups = PerGroup(VectorMoments(self.dim), self.num_clusters)
        self.invalid = jnp.zeros(2, jnp.float32)

    @property
    def _valid(self) -> str:
        return valid_in(self.num_clusters)

    def update(
        self,
        *,
        features: Values,
        predicted_labels: Labels,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`features` have the shape `(*rows, dim)`; the others that of the rows."""
        batch, cluster = clustered(
            features, predicted_labels, self.num_clusters, self.dim, mask, weights
        )
        given = {} if batch.weights is None else {"weights": batch.weights}
        groups = self.groups.update(
            values=batch.values, group=cluster, mask=batch.mask, **given
        )
        return self.replace(groups=groups, invalid=plus_invalid(self.invalid, batch))

    def clusters(self) -> Clusters:
        each: Any = self.groups.metric  # stacked
        first = lambda x: jnp.moveaxis(x, 1, 0)
        squares = jnp.sum(to_float(first(each.products)), axis=(1, 2))
        return Clusters(first(each.weight), first(each.mean)[:, :, 0], squares)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of `weight` and `squares`, of shape `(num_clusters,)`, and `mean`, of shape
        `(num_clusters, dim)`."""
        found = self.clusters()
        mean = jnp.where(found.seen[:, None], to_float(found.mean), jnp.nan)
        return {"weight": to_float(found.weight), "mean": mean, "squares": found.squares}


class Kept(NamedTuple):
    """Rows minus their mean; a place without a row has weight 0."""

    features: Float32[Array, "rows dim"]
    cluster: Int32[Array, "rows"]
    weights: Float32[Array, "rows"]
    within: Float32[Array, "rows clusters"]  # the weight, in the cluster of the row
    of_each: Float32[Array, "clusters"]  # the weight of each cluster
    centres: Float32[Array, "clusters dim"]


@final
class ClusterBuffer(AbstractStatistic):
    """The features of up to `capacity` rows, their clusters and their weights: the statistic of
    scores that need all rows at once. See [`eqmetrics.Buffer`][].

    **Arguments:**

    - `num_clusters`: the number of clusters, in `predicted_labels`.
    - `dim`: how many features a row has.
    - `capacity`: how many rows there is room for, on all devices together.

    The gradient is 0: the weights of the clusters don't depend on the features.
    State: `capacity * (dim + 2) + 7` numbers. Undefined when: there are more than `capacity` rows.
    A feature that is NaN or infinite, and a cluster out of range, are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kept = eqm.clustering.ClusterBuffer(2, 1, capacity=10)
        features, clusters = jnp.array([[1.0], [3.0], [7.0]]), jnp.array([0, 0, 1])
        assert kept(features=features, predicted_labels=clusters).tolist() == [2, 1]
        ```
    """

    num_clusters: int = eqx.field(static=True)
    dim: int = eqx.field(static=True)
    kept: Buffer
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self._valid}")

    def __init__(self, num_clusters: int, dim: int, *, capacity: int):
        check_sizes(num_clusters, dim)
        self.num_clusters = int(num_clusters)
        self.dim = int(dim)
        row = jax.ShapeDtypeStruct((self.dim,), jnp.float32)
        self.kept = Buffer(capacity, features=row, cluster=jnp.int32, weights=jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    @property
    def _valid(self) -> str:
        return valid_in(self.num_clusters)

    def update(
        self,
        *,
        features: Values,
        predicted_labels: Labels,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`features` have the shape `(*rows, dim)`; the others that of the rows."""
        batch, cluster = clustered(
            features, predicted_labels, self.num_clusters, self.dim, mask, weights
        )
        assert batch.mask is not None
        x = jnp.where(batch.mask[:, None], batch.values.astype(jnp.float32), 0)
        w = jnp.ones(len(x), jnp.float32) if batch.weights is None else batch.weights
        kept = self.kept.update(features=x, cluster=cluster, weights=w, mask=batch.mask)
        return self.replace(kept=kept, invalid=plus_invalid(self.invalid, batch))

    def rows(self) -> Kept:
        columns, mask = self.kept.rows()
        x, w = columns["features"], jnp.where(mask, columns["weights"], 0)
        # Subtract the mean: squares of an offset would cost all distances their digits.
        total = jnp.sum(jnp.where(mask[:, None], x, 0), axis=0)
        count = jnp.sum(mask, dtype=jnp.float32)
        mean = jax.lax.stop_gradient(over(total, count))
        x = jnp.where(mask[:, None], x - mean[None], 0)
        cluster = columns["cluster"]
        place = jnp.arange(self.num_clusters, dtype=jnp.int32)
        own = (cluster[:, None] == place[None]) & mask[:, None]
        within = jnp.where(own, w[:, None], 0)
        of_each = to_float(sum_rows(within))
        sums = jnp.matmul(within.T, x, precision="highest")
        return Kept(x, cluster, w, within, of_each, over(sums, of_each[:, None]))

    def compute(self) -> Float32[Array, "{self.num_clusters}"]:
        """The weight of each cluster, of shape `(num_clusters,)`."""
        return self.rows().of_each
