from typing import Any, final, Self

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.readout import AbstractStatistic
from .._onepass.moments import add_moments
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import to_float
from .._rows.rows import rows
from .joint import AbstractJointMoments, Joint


class _Square(AbstractJointMoments):
    """Of each variable with itself."""

    def factors(self, variables: int) -> tuple[Any, Any]:
        return np.arange(variables), np.arange(variables)

    def __repr__(self):
        return "moments"


SQUARE = _Square()


@final
class CentredMoments(AbstractStatistic):
    """Count, mean and sum of squared deviations: the statistic that `Std` and `Variance`
    read, and share in a `MetricDict`.

    State: 8 floats, and 2 for the invalid rows. Undefined when: never; an empty statistic is three
    zeros.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        moments = eqm.CentredMoments().update(jnp.array([1.0, 3.0]))
        assert moments.compute().tolist() == [2.0, 2.0, 2.0]
        ```
    """

    weight: Float32[Array, "2"] = state(reduce=SQUARE)
    mean: Float32[Array, "2 1"] = state(reduce=SQUARE)
    products: Float32[Array, "2 1"] = state(reduce=SQUARE)
    ends: Float32[Array, "2 1"] = state(reduce="max")  # the largest value, and of the opposites
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="weights >= 0 and finite")

    def __init__(self):
        self.weight, self.mean, self.products = SQUARE.empty(1)
        self.ends = jnp.full((2, 1), -jnp.inf, jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self, values: Values, *, mask: Mask = None, weights: Weights = None
    ) -> Self:
        batch = rows(values, mask, weights)
        old = Joint(self.weight, self.mean, self.products)
        new, ends = add_moments(SQUARE, old, self.ends, batch, batch.values)
        return self.replace(**new._asdict(), ends=ends, invalid=plus_invalid(self.invalid, batch))

    def compute(self) -> Float32[Array, "3"]:
        """The sum of the weights, the mean, and the sum of squared deviations."""
        both = self.mean[:, 0], self.products[:, 0]
        return jnp.stack([to_float(x) for x in (self.weight, *both)])
