"""Means and covariances of many features, streamed."""

from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._aggregate.joint import AbstractJointMoments, Joint
from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.metric import Metric
from .._metric.readout import AbstractStatistic
from .._onepass.operations import DEVIATE
from .._onepass.sums import plus_invalid, weight_column
from .._reduction import EXACT_SUM
from .._reduction.pair import lift, Pair, to_float, two_sum
from .._reduction.pair_sums import count_rows, sum_rows
from .._rows.quotient import over
from .._rows.rows import Rows
from ._features import check_dim, sides_of, VALID


class _Matrix(AbstractJointMoments):
    """The products of every variable with every other, as a whole matrix: a list of the two million
    pairs of two thousand variables would be slow."""

    def factors(self, variables: int) -> tuple[Any, Any]:
        numbers = np.arange(variables)
        return numbers[:, None], numbers[None, :]

    def __repr__(self):
        return "matrix moments"


MATRIX = _Matrix()


def weight_of(batch: Rows) -> Pair:
    """The weight of the rows of a batch."""
    if batch.weights is not None:
        return sum_rows(batch.weights)
    if batch.mask is not None:
        return count_rows(batch.mask)
    return lift(jnp.full((), batch.values.shape[0], jnp.float32))


def _moments(batch: Rows) -> Joint:
    """The moments of one batch, about a pivot near its mean, which is subtracted before
    squaring."""
    d, pivot, _ = DEVIATE(batch.values, *weight_column(batch))
    if batch.mask is not None:
        d = jnp.where(batch.mask[:, None], d, 0)
    weighted = d if batch.weights is None else d * batch.weights[:, None]
    n, first = weight_of(batch), to_float(sum_rows(weighted))
    second = jnp.matmul(weighted.T, d, precision="highest")
    offset = over(first, to_float(n)[None])
    second = second - first[:, None] * offset[None, :]
    diagonal = jnp.eye(d.shape[1], dtype=bool)
    second = jnp.where(diagonal, jnp.maximum(second, 0), (second + second.T) / 2)
    pivot = jnp.where(to_float(n)[None] > 0, pivot, 0)
    return Joint(n, jnp.stack(two_sum(pivot, offset)), lift(second))


@final
class SideMoments(Metric):
    """The weight of rows of features, their mean, and the products of their deviations.

    State: `2 * dim * (dim + 1) + 2` floats, and 2 for the invalid rows. Undefined when: never;
    empty moments are 0.
    """

    dim: int = eqx.field(static=True)
    valid: str = eqx.field(static=True)
    weight: Float32[Array, "2"] = state(reduce=MATRIX)
    mean: Float32[Array, "2 dim"] = state(reduce=MATRIX)
    products: Float32[Array, "2 dim dim"] = state(reduce=MATRIX)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.valid}")

    def __init__(self, dim: int, valid: str = VALID):
        check_dim(dim)
        self.dim = dim
        self.valid = valid
        self.weight = jnp.zeros(2, jnp.float32)
        self.mean = jnp.zeros((2, dim), jnp.float32)
        self.products = jnp.zeros((2, dim, dim), jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def plus(self, batch: Rows) -> Self:
        old = Joint(self.weight, self.mean, self.products)
        new = MATRIX.plus(old, _moments(batch))
        return self.replace(**new._asdict(), invalid=plus_invalid(self.invalid, batch))

    def update(self) -> Self:
        raise TypeError("What holds these moments adds to them: `moments.plus(batch)`.")

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        return {
            "weight": to_float(self.weight),
            "mean": to_float(self.mean),
            "covariance": jnp.where(self.several(), self.covariance(), jnp.nan),
        }

    def several(self) -> Bool[Array, ""]:
        """Whether there are enough rows for a covariance."""
        return to_float(self.weight) > 1

    def covariance(self) -> Float32[Array, "dim dim"]:
        """The covariance (`ddof=1`); 0 if there are too few rows."""
        some = self.several()
        # 1 is subtracted from the pair, so that large counts lose nothing.
        count = (self.weight[0] - 1) + self.weight[1]
        return jnp.where(some, to_float(self.products) / jnp.where(some, count, 1), 0)


@final
class FeatureMoments(AbstractStatistic):
    """The weight, the mean and the covariance of the real and of the generated features: the
    statistic that [`eqmetrics.generative.FrechetDistance`][] reads.

    Each update takes both sides, or one of them. Covariances are those of `numpy.cov` (`ddof=1`).
    No rows are kept: moments about a pivot near the mean of each batch merge as Chan, Golub and
    LeVeque do.

    **Arguments:**

    - `dim`: how many features a row has.
    - `real`: whether real features are taken too; `False` if there is a stored reference.

    State: `2 * dim * (dim + 1) + 4` floats a side: 34 MB at 2048 features. Undefined when: the
    covariance, if the weights sum to 1 or less.

    The gradient is that of the moments.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        moments = eqm.generative.FeatureMoments(2)
        moments = moments.update(real_features=jnp.array([[1.0, 2.0], [3.0, -2.0]]))
        real = moments.compute()["real"]
        assert real["mean"].tolist() == [2.0, 0.0]
        assert real["covariance"].tolist() == [[2.0, -4.0], [-4.0, 8.0]]
        ```
    """

    dim: int = eqx.field(static=True)
    sides: dict[str, SideMoments]

    def __init__(self, dim: int, *, real: bool = True):
        self.dim = dim
        self.sides = {"generated": SideMoments(dim)} | ({"real": SideMoments(dim)} if real else {})

    def update(
        self,
        *,
        real_features: Values | None = None,
        generated_features: Values | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Features have the shape `(*rows, dim)`; `mask` and `weights` have that of the rows, and
        apply to both sides if both are given."""
        if real_features is not None and "real" not in self.sides:
            raise TypeError(
                "`real_features` were given to a metric with a stored reference, which stands for "
                "them. Leave them out: `metric.from_output(real_features=None)`; or build the "
                "metric without `reference`."
            )
        given = sides_of(real_features, generated_features, self.dim, mask, weights)
        new = {k: self.sides[k].plus(batch) for k, batch in given.items()}
        return self.replace(sides=self.sides | new)

    def compute(self) -> dict[str, dict[str, Float32[Array, "..."]]]:
        """A dict of the sides `"real"` and `"generated"`, each a dict of `weight`, a scalar,
        `mean`, of shape `(dim,)`, and `covariance`, of shape `(dim, dim)`."""
        return {name: side.compute() for name, side in self.sides.items()}
