from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.moments import add_cross_moments
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import to_float
from .._rows.quotient import over
from .._rows.rows import rows, undefined_as
from .._rows.squares import out_of_range
from .joint import AbstractJointMoments, correlation, is_constant, Joint


class _Cross(AbstractJointMoments):
    """The products of every variable with every other, once each."""

    def factors(self, variables):
        return np.triu_indices(variables)

    def __repr__(self):
        return "cross moments"


CROSS = _Cross()


@final
class CrossMoments(AbstractStatistic):
    """The weight of the rows, the means of their columns, and the sums of products of the
    deviations from these means: the statistic that `Covariance` and `Correlation` read, and share
    in a `MetricDict`.

    **Arguments:**

    - `size`: how many columns the rows have.

    State: `size * (size + 5) + 2` floats, and 2 for the invalid rows. Undefined when: never;
    empty moments are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        moments = eqm.CrossMoments(2)(jnp.array([[1.0, 2.0], [3.0, -2.0]]))
        assert moments["mean"].tolist() == [2.0, 0.0]
        assert moments["products"].tolist() == [[2.0, -4.0], [-4.0, 8.0]]
        ```
    """

    size: int = eqx.field(static=True)
    weight: Float32[Array, "2"] = state(reduce=CROSS)
    mean: Float32[Array, "2 size"] = state(reduce=CROSS)
    products: Float32[Array, "2 products"] = state(reduce=CROSS)
    ends: Float32[Array, "2 size"] = state(reduce="max")  # of the values and of their opposites
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="weights >= 0 and finite")

    def __init__(self, size: int):
        if size < 1:
            raise ValueError(f"size={size}: expected at least one column.")
        self.size = size
        self.weight, self.mean, self.products = CROSS.empty(size)
        self.ends = jnp.full((2, size), -jnp.inf, jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        """`values` has shape `(*rows, size)`; `mask` and `weights` have the shape of the rows."""
        batch = rows(values, mask, weights, (self.size,))
        old = Joint(self.weight, self.mean, self.products)
        new, ends = add_cross_moments(CROSS, old, self.ends, batch, batch.values)
        return self.replace(**new._asdict(), ends=ends, invalid=plus_invalid(self.invalid, batch))

    def matrix(self) -> Float32[Array, "size size"]:
        """The sums of products of deviations, of shape `(size, size)`."""
        i, j = CROSS.factors(self.size)
        x = to_float(self.products)
        return jnp.zeros((self.size, self.size), jnp.float32).at[i, j].set(x).at[j, i].set(x)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict: `weight`, a scalar; `mean`, of shape `(size,)`; `products`, `(size, size)`."""
        return {
            "weight": to_float(self.weight),
            "mean": to_float(self.mean),
            "products": self.matrix(),
        }


@final
class Covariance(AbstractReadout):
    r"""The covariance matrix of the columns:
    $\sum_i w_i (x_{ij} - \bar x_j)(x_{ik} - \bar x_k) / (\sum_i w_i - \mathrm{ddof})$.

    **Arguments:**

    - `size`: how many columns the rows have.
    - `ddof`: 1 for the unbiased estimate (weights are counts), as in numpy; or 0.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `size * (size + 5) + 4` floats, shared with `Correlation` in a `MetricDict`.
    Undefined when: the weights sum to `ddof` or less. Deviations from $10^{-15}$ to $10^{19}$ can
    be squared in float32; beyond, the entries of a column are NaN or infinite.
    Source: Chan, Golub and LeVeque, 1979; for pairs Bennett et al., "Numerically stable,
    single-pass, parallel statistics algorithms", 2009.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        covariance = eqm.Covariance(2)(jnp.array([[1.0, 2.0], [3.0, -2.0]]))
        assert covariance.tolist() == [[2.0, -4.0], [-4.0, 8.0]]
        ```
    """

    ddof: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: CrossMoments

    def __init__(self, size: int, *, ddof: int = 1, undefined: float | None = None):
        self.ddof = ddof
        self.undefined = undefined
        self.statistic = CrossMoments(size)

    def compute(self) -> Float32[Array, "size size"]:
        """The covariance matrix, of shape `(size, size)`."""
        count = to_float(self.statistic.weight)
        matrix = self.statistic.matrix()
        spread = over(jnp.diagonal(matrix), count)
        lost = out_of_range(spread, is_constant(self.statistic.ends, spread))
        matrix = jnp.where(lost[:, None] | lost[None, :], jnp.nan, matrix)
        products = over(matrix, count - self.ddof)
        return undefined_as(products, ~(count > self.ddof), self.undefined)


@final
class Correlation(AbstractReadout):
    r"""Pearson's correlation of each pair of columns: the covariance divided by the standard
    deviations of both.

    **Arguments:**

    - `size`: how many columns the rows have.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `size * (size + 5) + 4` floats, shared with `Covariance` in a `MetricDict`.
    Undefined when: one of the columns is constant, or no row was seen. Deviations
    below $10^{-15}$ or above $10^{19}$ have no square in float32: NaN.
    Source: Pearson, "Notes on regression and inheritance in the case of two parents", 1895.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        correlation = eqm.Correlation(2)(jnp.array([[1.0, 2.0], [3.0, -2.0]]))
        assert jnp.allclose(correlation, jnp.array([[1.0, -1.0], [-1.0, 1.0]]))
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: CrossMoments

    def __init__(self, size: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = CrossMoments(size)

    def compute(self) -> Float32[Array, "size size"]:
        """The correlation matrix, of shape `(size, size)`."""
        matrix, count = self.statistic.matrix(), to_float(self.statistic.weight)
        squares = jnp.diagonal(matrix)
        values = correlation(matrix, squares[:, None], squares[None, :], count)
        constant = is_constant(self.statistic.ends, over(squares, count))
        return undefined_as(values, constant[:, None] | constant[None, :], self.undefined)
