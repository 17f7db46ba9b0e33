"""Scores of how much the clusters tell about the classes, in nats or as a share of the entropy."""

from typing import final, get_args, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from .._rows.quotient import over, root
from ._deviance import Information
from ._table import AbstractTableScore, Table


Average = Literal["arithmetic", "geometric", "min", "max"]  # of the entropies of both sides


def check_average(average: str) -> None:
    if average not in get_args(Average):
        raise ValueError(f"average={average!r}: expected one of {get_args(Average)}.")


def mean_of(x: Array, y: Array, average: Average) -> Array:
    if average == "arithmetic":
        return (x + y) / 2
    if average == "geometric":
        return root(x) * root(y)
    return jnp.minimum(x, y) if average == "min" else jnp.maximum(x, y)


class AbstractAveragedScore(AbstractTableScore):
    """A score that is divided by a mean of the entropies of both sides."""

    average: Average = eqx.field(static=True)

    def __init__(
        self,
        num_classes: int,
        num_clusters: int | None = None,
        *,
        average: Average = "arithmetic",
        undefined: float | None = None,
    ):
        check_average(average)
        self.average = average
        AbstractTableScore.__init__(self, num_classes, num_clusters, undefined=undefined)


@final
class MutualInformation(AbstractTableScore, init=False):
    r"""The mutual information of labels and clusters in nats:
    $\frac{1}{n} \sum_{ij} n_{ij} \log \frac{n\, n_{ij}}{a_i b_j}$, with $a_i$ rows of class $i$ and
    $b_j$ of cluster $j$.

    It is summed as deviances from independence, none of which is negative, so that no digits cancel
    where labels are nearly independent. For bits divide by $\log 2$.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: no row was
    seen. Source: Shannon, "A mathematical theory of communication", 1948.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        information = eqm.clustering.MutualInformation(2)
        labels = jnp.array([0, 0, 1, 1])
        assert abs(information(predicted_labels=1 - labels, labels=labels) - jnp.log(2.0)) < 1e-6
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        return Information.of(table).mutual / (table.total[0] + table.total[1]), table.some


@final
class VariationOfInformation(AbstractTableScore, init=False):
    r"""What labels and clusters don't tell about each other, in nats: the sum of the conditional
    entropies, $H(C \mid K) + H(K \mid C)$. A distance of partitions: 0 where they are the same.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: no row was
    seen. Source: Meilă, "Comparing clusterings: an information based distance", 2007.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        variation = eqm.clustering.VariationOfInformation(2)
        labels = jnp.array([0, 0, 1, 1])
        assert variation(predicted_labels=1 - labels, labels=labels) == 0
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        i = Information.of(table)
        return (i.of_classes + i.of_clusters) / (table.total[0] + table.total[1]), table.some


@final
class NormalizedMutualInformation(AbstractAveragedScore, init=False):
    r"""The mutual information over a mean of the entropies of labels and clusters: from 0 to 1.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `average`: `"arithmetic"`, `"geometric"`, `"min"` or `"max"`: which mean of the entropies.
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 1).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: that mean
    is 0: all rows are of one class and in one cluster; with `"geometric"` and `"min"`, one of these
    is enough.
    Source: Vinh, Epps and Bailey, "Information theoretic measures for clusterings comparison",
    2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        score = eqm.clustering.NormalizedMutualInformation(2)
        labels = jnp.array([0, 0, 1, 1])
        assert score(predicted_labels=1 - labels, labels=labels) == 1
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        i = Information.of(table)
        mean = mean_of(*i.entropies, self.average)
        return over(i.mutual, mean), mean > 0


@final
class Homogeneity(AbstractTableScore, init=False):
    r"""How far each cluster has rows of only one class: $1 - H(C \mid K) / H(C)$, from 0 to 1.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 1).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: all rows
    are of one class, or none was seen.
    Source: Rosenberg and Hirschberg, "V-measure: a conditional entropy-based external cluster
    evaluation measure", 2007.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        homogeneity = eqm.clustering.Homogeneity(2, 3)
        clusters, labels = jnp.array([0, 1, 2, 2]), jnp.array([0, 0, 1, 1])
        assert homogeneity(predicted_labels=clusters, labels=labels) == 1
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        i = Information.of(table)
        entropy, _ = i.entropies
        return over(i.mutual, entropy), entropy > 0


@final
class Completeness(AbstractTableScore, init=False):
    r"""How far the rows of each class are in only one cluster: $1 - H(K \mid C) / H(K)$, from 0 to
    1.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 1).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: all rows
    are in one cluster, or none was seen.
    Source: Rosenberg and Hirschberg, "V-measure: a conditional entropy-based external cluster
    evaluation measure", 2007.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        completeness = eqm.clustering.Completeness(3, 2)
        value = completeness(predicted_labels=jnp.array([0, 0, 1]), labels=jnp.array([0, 1, 2]))
        assert value == 1
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        i = Information.of(table)
        _, entropy = i.entropies
        return over(i.mutual, entropy), entropy > 0


@final
class VMeasure(AbstractTableScore):
    r"""The harmonic mean of homogeneity and completeness: $(1 + \beta) I / (\beta H(K) + H(C))$,
    with the mutual information $I$. With $\beta = 1$ it is the normalized mutual information.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `beta`: above 1 completeness counts more.
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 1).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: all rows
    are of one class and in one cluster, or none was seen.
    Source: Rosenberg and Hirschberg, "V-measure: a conditional entropy-based external cluster
    evaluation measure", 2007.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        score = eqm.clustering.VMeasure(2)
        value = score(predicted_labels=jnp.array([0, 0, 0, 1]), labels=jnp.array([0, 0, 1, 1]))
        assert abs(value - 0.343711) < 1e-6
        ```
    """

    beta: float = eqx.field(static=True)

    def __init__(
        self,
        num_classes: int,
        num_clusters: int | None = None,
        *,
        beta: float = 1.0,
        undefined: float | None = None,
    ):
        if not beta > 0:
            raise ValueError(f"beta={beta}: expected a number above 0.")
        self.beta = float(beta)
        AbstractTableScore.__init__(self, num_classes, num_clusters, undefined=undefined)

    def of(self, table: Table) -> tuple[Array, Array]:
        i = Information.of(table)
        classes, clusters = i.entropies
        below = self.beta * clusters + classes
        return over((1 + self.beta) * i.mutual, below), below > 0
