"""Scores of pairs of rows: whether both are in one class, and in one cluster. For 100 000 rows, the
number of pairs exceeds 32-bit integers, and products of such numbers exceed 64-bit integers. Here
each number is kept as two floats."""

from typing import final, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.metric import AbstractExact
from .._metric.readout import AbstractReadout
from .._reduction.pair import add, inlined, lift, multiply, Pair, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.nearest_quotient import quotient
from .._rows.quotient import root
from ._table import AbstractTableScore, Counts, counts_of, per, Table


class Together(NamedTuple):
    """Numbers of pairs of rows, each in both orders, in units of the square of the table's unit:
    together in both, only in the class, only in the cluster, in neither; and all pairs."""

    both: Float32[Array, "2"]
    in_class: Float32[Array, "2"]
    in_cluster: Float32[Array, "2"]
    neither: Float32[Array, "2"]
    all: Float32[Array, "2"]

    @classmethod
    def of(cls, table: Table) -> "Together":
        one = lift(table.unit)

        def pairs_of(x: Pair) -> Pair:
            each = x.reshape(2, -1)
            rest = add(each, -jnp.broadcast_to(one[:, None], each.shape))
            return sum_pairs(multiply(each, rest))

        both, of_class, of_cluster, whole = (
            pairs_of(x) for x in (table.cells, table.classes, table.clusters, table.total)
        )
        whole = jnp.where(table.some, whole, 0)
        in_class, in_cluster = add(of_class, -both), add(of_cluster, -both)
        # In this order, so that where no pair is in neither, exactly 0 is left.
        neither = add(add(whole, -of_class), -in_cluster)
        return cls(both, in_class, in_cluster, neither, whole)


@inlined
def _confusion(statistic: Counts) -> Pair:
    table = Table.of(statistic)
    pairs = Together.of(table)
    unit = 1 / table.unit
    rows = (pairs.neither, pairs.in_cluster), (pairs.in_class, pairs.both)
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2) * unit * unit


@final
class PairConfusion(AbstractReadout, AbstractExact):
    """The confusion matrix of pairs of rows: whether they are in the same class (rows of the
    matrix) and in the same cluster (columns); each pair counts in both orders, as in scikit-learn.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.

    A weight repeats a row: the scale of the weights matters. `eqm.to_host` reads the numbers
    exactly up to $2^{48}$, the pairs of 16 million rows.
    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: never.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        pairs = eqm.clustering.PairConfusion(2)
        matrix = pairs(predicted_labels=jnp.array([0, 0, 0, 1]), labels=jnp.array([0, 0, 1, 1]))
        assert matrix.tolist() == [[4, 4], [2, 2]]
        ```
    """

    statistic: Counts

    def __init__(self, num_classes: int, num_clusters: int | None = None):
        self.statistic = counts_of(num_classes, num_clusters)

    def exact(self) -> Pair:
        return _confusion(self.statistic)

    def compute(self) -> Float32[Array, "2 2"]:
        """The counts: apart and together in the class (rows), and in the cluster (columns)."""
        return to_float(_confusion(self.statistic))


@final
class RandScore(AbstractTableScore, init=False):
    """The share of pairs of rows that are together in both class and cluster, or in neither.

    A weight repeats a row: the scale of the weights matters.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 1).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: there are
    fewer than two rows.
    Source: Rand, "Objective criteria for the evaluation of clustering methods", 1971.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rand = eqm.clustering.RandScore(2)
        assert rand(predicted_labels=jnp.array([0, 0, 0, 1]), labels=jnp.array([0, 0, 1, 1])) == 0.5
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        pairs = Together.of(table)
        # With whole counts the sum is exactly the whole where all pairs agree.
        agree = to_float(add(pairs.both, pairs.neither))
        return quotient(agree, to_float(pairs.all)), pairs.all[0] > 0


@final
class AdjustedRandScore(AbstractTableScore, init=False):
    r"""The Rand score adjusted for chance: 0 for independent partitions, 1 where both are the same.
    With $n_{11}$ pairs of rows together in both, $n_{10}$ only in the class, $n_{01}$ only in the
    cluster and $n_{00}$ in neither, $2 (n_{11} n_{00} - n_{10} n_{01})$ over
    $(n_{11} + n_{01})(n_{01} + n_{00}) + (n_{11} + n_{10})(n_{10} + n_{00})$.

    A weight repeats a row: the scale of the weights matters.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 1).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: there are
    fewer than two rows, both sides have a single group, or both have one for each row.
    Source: Hubert and Arabie, "Comparing partitions", 1985.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        score = eqm.clustering.AdjustedRandScore(2)
        assert score(predicted_labels=jnp.array([0, 0, 0, 1]), labels=jnp.array([0, 0, 1, 1])) == 0
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        pairs = Together.of(table)
        one = lift(jnp.ones((), jnp.float32))
        whole = jnp.where(pairs.all[0] > 0, pairs.all, one)
        n11, n10, n01, n00 = (per(x, whole) for x in pairs[:4])
        above = add(multiply(n11, n00), -multiply(n10, n01))
        sides = [multiply(add(n11, x), add(x, n00)) for x in (n01, n10)]
        below = to_float(add(*sides))
        return quotient(2 * to_float(above), below), (pairs.all[0] > 0) & (below > 0)


@final
class FowlkesMallows(AbstractTableScore, init=False):
    r"""The geometric mean of the precision and the recall of pairs of rows: the number of pairs
    together in both class and cluster, divided by the root of the product of the numbers together
    in a class and together in a cluster.

    A weight repeats a row: the scale of the weights matters.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 0).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: no two rows
    are of one class, or no two in one cluster.
    Source: Fowlkes and Mallows, "A method for comparing two hierarchical clusterings", 1983.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        score = eqm.clustering.FowlkesMallows(2)
        labels = jnp.array([0, 0, 1, 1])
        assert score(predicted_labels=1 - labels, labels=labels) == 1
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        pairs = Together.of(table)
        both = to_float(pairs.both)
        sides = [to_float(add(pairs.both, x)) for x in (pairs.in_class, pairs.in_cluster)]
        value = root(quotient(both, sides[0]) * quotient(both, sides[1]))
        return value, (sides[0] > 0) & (sides[1] > 0)
