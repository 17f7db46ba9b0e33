from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.quotient import over
from .._rows.rows import rows, undefined_as


def _check_shapes(numerator: Any, denominator: Any) -> None:
    if numerator.shape != denominator.shape:
        raise TypeError(
            f"`numerator` is {describe(numerator)} and `denominator` is {describe(denominator)}: "
            "they must have the same shape. Of one that is a number for each row and one of the "
            "whole batch, sum the first: `jnp.sum(loss)`."
        )


@final
class Ratio(Metric):
    r"""The ratio of two sums: $\sum_i w_i a_i / \sum_i w_i b_i$, such as loss per token, cost per
    item or predicted over true clicks.

    It is not the mean of the ratios of batches, which gives a batch of few tokens the weight of
    one of many. Name two outputs like this: `Ratio().from_output("loss_sum", "tokens")`.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats. Undefined when: the sum of the denominators is 0.

    !!! example

        ```python
        import eqmetrics as eqm
        loss = eqm.training.Ratio().from_output("loss_sum", "tokens")
        loss = loss.update(loss_sum=30.0, tokens=10).update(loss_sum=4.0, tokens=2)
        assert abs(loss.compute() - 34 / 12) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.sums = Sums(numerator=(), denominator=())

    def update(
        self,
        numerator: Values,
        denominator: Values,
        *,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`numerator` and `denominator` of one shape, that of the rows: a number for each row, or
        scalars for a whole batch."""
        _check_shapes(numerator, denominator)
        batch = rows(numerator, mask, weights, name="numerator")
        below = jnp.reshape(denominator, batch.values.shape)
        new = self.sums.add(batch, numerator=batch.values, denominator=below)
        return self.replace(sums=new)

    def compute(self) -> Float32[Array, ""]:
        """The ratio, a scalar."""
        above, below = self.sums.read("numerator", "denominator")
        none = below == 0
        return undefined_as(over(jnp.where(none, 0, above), below), none, self.undefined)
