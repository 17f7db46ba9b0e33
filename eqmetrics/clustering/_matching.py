"""Scores that match clusters with classes, or look at the neighbours of each row."""

from typing import final

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.assignment import assign
from .._rows.nearest_quotient import quotient
from .._rows.quotient import over
from ._table import AbstractTableScore, Table, total_of


@final
class Purity(AbstractTableScore, init=False):
    """The share of rows that are of the most frequent class of their cluster.

    Several clusters may have the same class, so with a cluster for each row it is 1. See
    [`eqmetrics.clustering.ClusterAccuracy`][] where each class has one cluster.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: no row was
    seen. Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, 16.3.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        purity = eqm.clustering.Purity(2)
        value = purity(predicted_labels=jnp.array([0, 0, 0, 1]), labels=jnp.array([0, 0, 1, 1]))
        assert value == 0.75
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        most = jnp.max(to_float(table.cells), axis=0)
        return quotient(total_of(most), to_float(table.total)), table.some


@final
class BCubed(AbstractTableScore, init=False):
    r"""B-cubed precision, recall and F1. Precision is the share of a row's cluster that is of its
    class, recall the share of its class that is in its cluster, both averaged over the rows. F1 is
    the harmonic mean of the two averages.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A row counts as one of its own class and cluster.
    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: no row was
    seen. Source: Bagga and Baldwin, "Entity-based cross-document coreferencing using the vector
    space model", 1998.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        score = eqm.clustering.BCubed(2)
        value = score(predicted_labels=jnp.array([0, 0, 0, 0]), labels=jnp.array([0, 0, 1, 1]))
        assert value["precision"] == 0.5 and value["recall"] == 1
        ```
    """

    def of(self, table: Table) -> tuple[dict[str, Array], Array]:
        cells, total = to_float(table.cells), to_float(table.total)
        shares = [
            quotient(cells, to_float(table.clusters)[None, :]),
            quotient(cells, to_float(table.classes)[:, None]),
        ]
        precision, recall = (quotient(total_of(cells * share), total) for share in shares)
        f1 = over(2 * precision * recall, precision + recall)
        return {"precision": precision, "recall": recall, "f1": f1}, table.some

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict of scalars: `precision`, `recall` and `f1`."""
        return self.read()


@final
class ClusterAccuracy(AbstractTableScore, init=False):
    """The accuracy with the best one-to-one assignment of clusters to classes.

    If there are more clusters than classes, or fewer, some remain unassigned. The assignment is
    found on the device. The time grows with the cube of the number of clusters: use it for up to
    some hundreds.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: no row was
    seen. Source: Kuhn, "The Hungarian method for the assignment problem", 1955; Xie, Girshick and
    Farhadi, "Unsupervised deep embedding for clustering analysis", 2016, equation 10.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        accuracy = eqm.clustering.ClusterAccuracy(2)
        value = accuracy(predicted_labels=jnp.array([1, 1, 1, 0]), labels=jnp.array([0, 0, 1, 1]))
        assert value == 0.75
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        cells = table.cells
        if cells.shape[1] > cells.shape[2]:
            cells = jnp.swapaxes(cells, 1, 2)
        place = assign(-to_float(cells))
        matched = jnp.take_along_axis(cells, place[None, :, None], axis=2)[:, :, 0]
        return quotient(to_float(sum_pairs(matched)), to_float(table.total)), table.some
