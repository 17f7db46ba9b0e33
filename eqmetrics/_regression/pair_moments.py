from typing import final, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._aggregate.joint import AbstractJointMoments, is_constant, Joint
from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.readout import AbstractStatistic
from .._onepass.moments import add_moments
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import to_float
from .._rows.quotient import over
from .._rows.rows import trailing
from .paired import errors_of, paired


class _Pair(AbstractJointMoments):
    """Moments of targets, predictions and errors. Those of the errors are kept apart: as
    differences of the others they would lose their digits where predictions are good."""

    def factors(self, variables):
        return np.array([0, 1, 0, 2]), np.array([0, 1, 1, 2])

    def __repr__(self):
        return "pair moments"


PAIR = _Pair()


class Spreads(NamedTuple):
    """For each column, means over the rows, and whether it is constant. `both` is the mean product
    of the deviations of targets and predictions; `targets`, `predictions` and `errors` are mean
    squares of deviations."""

    weight: Float32[Array, ""]
    mean_target: Array
    mean_prediction: Array
    mean_error: Array
    targets: Array
    predictions: Array
    both: Array
    errors: Array
    constant_targets: Bool[Array, "..."]
    constant_predictions: Bool[Array, "..."]

    def squared_error(self) -> Array:
        return self.errors + self.mean_error**2


@final
class PairMoments(AbstractStatistic):
    """The weight of the rows, and the means, squares and products of the deviations of targets,
    predictions and errors: the statistic that `R2`, `Pearson` and others read, and share in a
    `MetricDict`.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.

    State: `18 * prod(outputs) + 4` floats. Undefined when: never; empty moments are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        moments = eqm.PairMoments()
        value = moments(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([2.0, 6.0]))
        assert value["mean"].tolist() == [4.0, 2.0, -2.0]
        assert value["products"].tolist() == [8.0, 2.0, 4.0, 2.0]
        ```
    """

    outputs: tuple[int, ...] = eqx.field(static=True)
    weight: Float32[Array, "2"] = state(reduce=PAIR)
    mean: Float32[Array, "2 3 ..."] = state(reduce=PAIR)  # target, prediction, error
    # Of targets, of predictions, of both and of errors.
    products: Float32[Array, "2 4 ..."] = state(reduce=PAIR)
    # The largest values, and opposites, of targets and predictions.
    ends: Float32[Array, "2 2 ..."] = state(reduce="max")
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="weights >= 0 and finite")

    def __init__(self, outputs: int | tuple[int, ...] = ()):
        self.outputs = trailing(outputs)
        self.weight, self.mean, self.products = PAIR.empty(3, self.outputs)
        self.ends = jnp.full((2, 2, *self.outputs), -jnp.inf, jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real, of shape `(*rows, *outputs)`."""
        batch, _ = paired(predictions, targets, mask, weights, self.outputs)
        p, t = (jnp.asarray(x).reshape(batch.values.shape) for x in (predictions, targets))
        old = Joint(self.weight, self.mean, self.products)
        new, ends = add_moments(PAIR, old, self.ends, batch, t, p, errors_of(batch, p, t))
        return self.replace(**new._asdict(), ends=ends, invalid=plus_invalid(self.invalid, batch))

    def spreads(self) -> Spreads:
        weight = to_float(self.weight)
        products = over(to_float(self.products), weight)
        constant = is_constant(self.ends, products[:2])
        return Spreads(weight, *to_float(self.mean), *products, *constant)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict: `weight`, a scalar; `mean`, of targets, predictions and errors; `products` of the
        deviations: squares of targets, of predictions, products of both, squares of errors. The
        latter two have `outputs` as further axes."""
        return {
            "weight": to_float(self.weight),
            "mean": to_float(self.mean),
            "products": to_float(self.products),
        }
