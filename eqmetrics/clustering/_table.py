"""How often each class met each cluster: the statistic of all scores of two partitions, and the
table that they read from it."""

import abc
from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._decisions.confusion_counts import ConfusionCounts, MOST_CLASSES
from .._decisions.decision import best
from .._decisions.inputs import AbstractLabelled, check_shape, Inputs, scores_of
from .._decisions.task import Multiclass
from .._metric.metric import AbstractExact
from .._metric.numbers import check_whole
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import add, divide, lift, multiply, Pair, power_of, to_float
from .._reduction.pair_sums import sum_pairs, sum_rows
from .._rows.rows import flat, narrow, rows, undefined_as


@final
class ContingencyCounts(AbstractStatistic, AbstractExact, AbstractLabelled):
    """How many rows each class has in each cluster: the statistic of scores of clusterings. With as
    many clusters as classes these use [`eqmetrics.ConfusionCounts`][] instead, which they share
    with a confusion matrix.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`.

    `logits` or `probabilities` of shape `(*rows, num_clusters)` may take the place of
    `predicted_labels`: the cluster is that of the highest.

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_classes * num_clusters + 2` floats. Undefined when: never.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        counts = eqm.clustering.ContingencyCounts(2, 3)
        table = counts(predicted_labels=jnp.array([0, 2, 2]), labels=jnp.array([0, 1, 1]))
        assert table.tolist() == [[1, 0, 0], [0, 0, 2]]
        ```
    """

    num_classes: int = eqx.field(static=True)
    num_clusters: int = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_classes: int, num_clusters: int):
        check_whole("num_classes", num_classes)
        check_whole("num_clusters", num_clusters)
        if num_classes * num_clusters > MOST_CLASSES**2:
            raise ValueError(
                f"A table of {num_classes} classes and {num_clusters} clusters has more than "
                f"{MOST_CLASSES}**2 cells."
            )
        self.num_classes = int(num_classes)
        self.num_clusters = int(num_clusters)
        self.sums = Sums(
            f"labels in [0, {num_classes}), clusters in [0, {num_clusters}), scores without NaN, "
            "probabilities in [0, 1], weights >= 0 and finite",
            cells=(self.num_classes, self.num_clusters),
        )

    def see(self, inputs: Inputs) -> Self:
        labels = inputs.labels
        name, scores = scores_of(inputs)
        if name == "predicted_labels":
            check_shape(name, scores, labels.shape, labels, "that of `labels`")
            cluster = flat(narrow(scores))
            known = (cluster >= 0) & (cluster < self.num_clusters)
        else:
            shape = *labels.shape, self.num_clusters
            check_shape(name, scores, shape, labels, "that of `labels` and the clusters")
            cluster, _, known = best(name, flat(scores, shape[-1:]))
        batch = rows(narrow(labels), inputs.mask, inputs.weights, name="labels")
        known &= (batch.values >= 0) & (batch.values < self.num_classes)
        batch = batch.without(~known)
        index = jnp.where(known, batch.values * jnp.int32(self.num_clusters) + cluster, 0)
        return self.replace(sums=self.sums.add_at(batch, "cells", index[:, None], known[:, None]))

    def exact(self) -> Pair:
        return self.sums.pair("cells")

    def compute(self) -> Float32[Array, "classes clusters"]:
        """The counts: a row for each class, a column for each cluster."""
        return self.sums.read("cells")


Counts = ConfusionCounts | ContingencyCounts


def counts_of(num_classes: int, num_clusters: int | None) -> Counts:
    """The statistic: that of a confusion matrix if there are as many clusters as classes."""
    check_whole("num_classes", num_classes)
    if num_clusters is None or num_clusters == num_classes:
        return ConfusionCounts(Multiclass(num_classes))
    return ContingencyCounts(num_classes, num_clusters)


class Table(NamedTuple):
    """The counts times a power of 2 that brings their sum between 1/2 and 1. That keeps them exact,
    and products of weights in the range of a float."""

    cells: Float32[Array, "2 classes clusters"]
    classes: Float32[Array, "2 classes"]
    clusters: Float32[Array, "2 clusters"]
    total: Float32[Array, "2"]  # 1 if there are no rows
    some: Bool[Array, ""]  # whether there is a row
    unit: Float32[Array, ""]  # what a count of 1 is here

    @classmethod
    def of(cls, statistic: Counts) -> "Table":
        cells = statistic.sums.pair("cells")
        unit = lax.stop_gradient(power_of(sum_pairs(cells.reshape(2, -1))))
        cells = cells * unit
        clusters, classes = sum_pairs(cells), sum_pairs(jnp.swapaxes(cells, 1, 2))
        total = sum_pairs(clusters)
        some = total[0] > 0
        total = jnp.where(some, total, lift(jnp.ones((), jnp.float32)))
        return cls(cells, classes, clusters, total, some, unit)

    def shares(self) -> tuple[Pair, Pair]:
        """The shares of the classes, and of the clusters."""
        return per(self.classes, self.total), per(self.clusters, self.total)

    def expected(self) -> Float32[Array, "2 classes clusters"]:
        """What the cells would be if classes and clusters were independent."""
        share = per(self.clusters, self.total)
        return multiply(*jnp.broadcast_arrays(self.classes[:, :, None], share[:, None, :]))

    def apart(self) -> tuple[Array, Array]:
        """The differences of the cells from the expected cells, and the latter; exactly 0 where all
        rows are of one class, or in one cluster."""
        expected = self.expected()
        several = [jnp.sum(x, dtype=jnp.int32) > 1 for x in self.seen()]
        d = jnp.where(several[0] & several[1], less(self.cells, expected), 0)
        return d, to_float(expected)

    def seen(self) -> tuple[Bool[Array, "classes"], Bool[Array, "clusters"]]:
        """Which classes, and which clusters, have a row."""
        return self.classes[0] > 0, self.clusters[0] > 0


def per(x: Pair, total: Pair) -> Pair:
    """Pairs of any shape divided by one pair."""
    return divide(x, jnp.broadcast_to(total.reshape(2, *(1,) * (x.ndim - 1)), x.shape))


def total_of(x: Float32[Array, "..."]) -> Array:
    """The sum of all entries, compensated."""
    return to_float(sum_rows(x.ravel()))


def less(x: Pair, y: Pair) -> Float32[Array, "..."]:
    """The difference of pairs, as a float."""
    return to_float(add(*jnp.broadcast_arrays(x, -y)))


class AbstractTableScore(AbstractReadout):
    """A value of the table of classes and clusters. A subclass writes `of`."""

    undefined: float | None = eqx.field(static=True)
    statistic: Counts

    def __init__(
        self, num_classes: int, num_clusters: int | None = None, *, undefined: float | None = None
    ):
        self.undefined = undefined
        self.statistic = counts_of(num_classes, num_clusters)

    @abc.abstractmethod
    def of(self, table: Table) -> tuple[Any, Array]:
        """The value, and whether it is defined."""

    def read(self) -> Any:
        value, defined = _value(self)
        return jax.tree.map(lambda x: undefined_as(x, ~defined, self.undefined), value)

    def compute(self) -> Any:
        """The value: a scalar."""
        return self.read()


@jax.jit  # some hundred small operations
def _value(metric: AbstractTableScore) -> tuple[Any, Array]:
    return metric.of(Table.of(metric.statistic))


@final
class ContingencyMatrix(AbstractReadout, AbstractExact):
    """How many rows each class (rows of the matrix) has in each cluster (columns).

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: never.
    `eqm.to_host` reads counts exactly up to $2^{48}$.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        matrix = eqm.clustering.ContingencyMatrix(2)
        table = matrix(predicted_labels=jnp.array([0, 0, 0, 1]), labels=jnp.array([0, 0, 1, 1]))
        assert table.tolist() == [[2, 0], [1, 1]]
        ```
    """

    statistic: Counts

    def __init__(self, num_classes: int, num_clusters: int | None = None):
        self.statistic = counts_of(num_classes, num_clusters)

    def exact(self) -> Pair:
        return self.statistic.exact()

    def compute(self) -> Float32[Array, "classes clusters"]:
        """The counts, of shape `(num_classes, num_clusters)`."""
        return self.statistic.compute()
