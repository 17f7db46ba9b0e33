"""The association of two nominal variables, from the table of both."""

from typing import final, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._reduction.pair import add, lift, Pair, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.quotient import over, root
from ._deviance import Information
from ._table import AbstractTableScore, Table, total_of


class _ChiSquared(NamedTuple):
    """Chi squared of a table, and the numbers of classes and clusters that have rows."""

    phi: Float32[Array, ""]  # chi squared over the number of rows
    classes: Float32[Array, ""]
    clusters: Float32[Array, ""]
    rest: Float32[Array, ""]  # the number of rows, less 1

    @classmethod
    def of(cls, table: Table) -> "_ChiSquared":
        d, mean = table.apart()
        classes, clusters = (jnp.sum(x, dtype=jnp.float32) for x in table.seen())
        total = to_float(table.total)
        rest = to_float(add(table.total, -lift(table.unit))) / table.unit
        return cls(total_of(over(d, mean) * d) / total, classes, clusters, rest)

    def corrected(self) -> tuple[Array, Array, Array]:
        """Corrected for bias: phi, and the numbers of classes and of clusters minus 1."""
        r, k = self.classes - 1, self.clusters - 1
        rest = jnp.where(self.rest > 0, self.rest, 1)
        phi = jnp.maximum(self.phi - k * r / rest, 0)
        return phi, r - r * r / rest, k - k * k / rest

    def parts(self, bias_correction: bool) -> tuple[Array, Array, Array]:
        if bias_correction:
            return self.corrected()
        return self.phi, self.classes - 1, self.clusters - 1


class _AbstractCorrected(AbstractTableScore):
    bias_correction: bool = eqx.field(static=True)

    def __init__(
        self,
        num_classes: int,
        num_clusters: int | None = None,
        *,
        bias_correction: bool = False,
        undefined: float | None = None,
    ):
        self.bias_correction = bias_correction
        AbstractTableScore.__init__(self, num_classes, num_clusters, undefined=undefined)


@final
class CramersV(_AbstractCorrected, init=False):
    r"""Cramér's V, from 0 (independent) to 1: $\sqrt{\frac{\chi^2 / n}{\min(r, k) - 1}}$ for $r$
    classes and $k$ clusters that have rows.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `bias_correction`: whether to subtract the part of $\chi^2$, $r$ and $k$ that is due to
        chance; then the scale of the weights matters. scipy doesn't; torchmetrics does by default.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: all rows
    are of one class, or in one cluster; with `bias_correction` also where there are hardly more
    rows than classes.
    Source: Cramér, Mathematical Methods of Statistics, 1946; Bergsma, "A bias-correction for
    Cramér's V and Tschuprow's T", 2013.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        association = eqm.clustering.CramersV(2)
        labels = jnp.array([0, 0, 1, 1])
        assert association(predicted_labels=1 - labels, labels=labels) == 1
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        chi = _ChiSquared.of(table)
        phi, r, k = chi.parts(self.bias_correction)
        least = jnp.minimum(r, k)
        several = (chi.classes > 1) & (chi.clusters > 1) & (least > 0)
        value = root(over(phi, jnp.where(several, least, 1)))
        return jnp.minimum(value, 1), several


@final
class TschuprowsT(_AbstractCorrected, init=False):
    r"""Tschuprow's T, from 0 (independent) to 1: $\sqrt{\frac{\chi^2 / n}{\sqrt{(r - 1)(k - 1)}}}$
    for $r$ classes and $k$ clusters that have rows. It is 1 only if $r = k$.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `bias_correction`: whether to subtract the part of $\chi^2$, $r$ and $k$ that is due to
        chance; then the scale of the weights matters. scipy doesn't; torchmetrics does by default.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: all rows
    are of one class, or in one cluster; with `bias_correction` also where there are hardly more
    rows than classes.
    Source: Tschuprow, Principles of the Mathematical Theory of Correlation, 1939; Bergsma, "A
    bias-correction for Cramér's V and Tschuprow's T", 2013.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        association = eqm.clustering.TschuprowsT(2)
        labels = jnp.array([0, 0, 1, 1])
        assert association(predicted_labels=1 - labels, labels=labels) == 1
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        chi = _ChiSquared.of(table)
        phi, r, k = chi.parts(self.bias_correction)
        several = (chi.classes > 1) & (chi.clusters > 1) & (r > 0) & (k > 0)
        mean = root(jnp.where(several, r * k, 1))
        return jnp.minimum(root(over(phi, mean)), 1), several


@final
class ContingencyCoefficient(AbstractTableScore, init=False):
    r"""Pearson's contingency coefficient: $\sqrt{\frac{\chi^2}{n + \chi^2}}$. 0 where classes and
    clusters are independent; at most $\sqrt{1 - 1/k}$ for $k$ classes and clusters.

    **Arguments:**

    - `num_classes`: the number of classes: `labels` are in `[0, num_classes)`.
    - `num_clusters`: the number of clusters, in `predicted_labels`; `num_classes` if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: no row was
    seen. Source: Pearson, "On the theory of contingency and its relation to association and normal
    correlation", 1904.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        association = eqm.clustering.ContingencyCoefficient(2)
        labels = jnp.array([0, 0, 1, 1])
        value = association(predicted_labels=1 - labels, labels=labels)
        assert abs(value - jnp.sqrt(0.5)) < 1e-6
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        phi = _ChiSquared.of(table).phi
        return root(phi / (1 + phi)), table.some


@final
class TheilsU(AbstractTableScore, init=False):
    r"""Theil's U, the uncertainty coefficient of the labels given the predicted labels:
    $1 - H(C \mid K) / H(C)$. From 0 to 1; not symmetric. For clusters it is the homogeneity.

    **Arguments:**

    - `num_classes`: the number of values of the predicted variable, in `labels`.
    - `num_clusters`: the number of values of the predicting variable, in `predicted_labels`; as
        many as classes if not given.
    - `undefined`: what replaces an undefined value; NaN if not given (dython: 1).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: all rows
    are of one class, or none was seen. Source: Theil, Statistical Decomposition Analysis, 1972.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        tells = eqm.clustering.TheilsU(2, 3)
        assert tells(predicted_labels=jnp.array([0, 1, 2, 2]), labels=jnp.array([0, 0, 1, 1])) == 1
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        i = Information.of(table)
        entropy, _ = i.entropies
        return over(i.mutual, entropy), entropy > 0


def _most(x: Pair) -> Pair:
    """The largest of pairs along the first axis."""
    high = jnp.max(x[0], axis=0)
    low = jnp.max(jnp.where(x[0] == high[None], x[1], -jnp.inf), axis=0)
    return jnp.stack([high, low])


@final
class GoodmanKruskalLambda(AbstractTableScore, init=False):
    r"""Goodman and Kruskal's lambda of the labels given the predicted labels. Always predicting the
    most frequent class makes errors: lambda is the share of these that knowing the cluster avoids.
    From 0 to 1; not symmetric.

    **Arguments:**

    - `num_classes`: the number of values of the predicted variable, in `labels`.
    - `num_clusters`: the number of values of the predicting variable, in `predicted_labels`; as
        many as classes if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.clustering.ContingencyCounts`][], shared. Undefined when: all rows
    are of one class, or none was seen.
    Source: Goodman and Kruskal, "Measures of association for cross classifications", 1954.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        tells = eqm.clustering.GoodmanKruskalLambda(2)
        value = tells(predicted_labels=jnp.array([0, 0, 0, 1]), labels=jnp.array([0, 0, 1, 1]))
        assert value == 0.5
        ```
    """

    def of(self, table: Table) -> tuple[Array, Array]:
        right, always = sum_pairs(_most(table.cells)), _most(table.classes)
        wrong = to_float(add(table.total, -always))
        defined = table.some & (jnp.sum(table.classes[0] > 0, dtype=jnp.int32) > 1)
        return over(to_float(add(right, -always)), jnp.where(defined, wrong, 1)), defined
