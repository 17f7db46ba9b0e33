from typing import ClassVar, final, Self

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._rows.quotient import over
from .mean_error import AbstractLossSums, Within
from .paired import errors_of, paired


@final
class MASE(AbstractLossSums, init=False):
    r"""The mean absolute scaled error of forecasts: each absolute error is relative to the mean
    absolute error $q$ of the naive forecast in the training part of its series,
    $\sum_i w_i |p_i - t_i| / q_i \,/ \sum_i w_i$.

    For a series `train` with season `m`, $q$ is `abs(train[m:] - train[:-m]).mean()`. It is passed
    with each row, so that one metric serves many series.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Rows with a naive
    error of 0 or less are invalid.
    Source: Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        train = jnp.array([1.0, 3.0, 2.0, 5.0])
        naive = jnp.abs(train[1:] - train[:-1]).mean()
        mase = eqm.MASE()
        p, t = jnp.array([4.0, 6.0]), jnp.array([5.0, 9.0])
        assert mase(predictions=p, targets=t, naive_errors=jnp.full(2, naive)) == 1.0
        ```
    """

    valid: ClassVar[str] = "naive_errors > 0, weights >= 0 and finite"

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        naive_errors: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions`, `targets` and `naive_errors` are real, of shape `(*rows, *outputs)`."""
        batch, (_, _, q) = paired(
            predictions, targets, mask, weights, self.outputs, naive_errors=naive_errors
        )
        errors = jnp.abs(errors_of(batch, predictions, targets))
        return self.plus(batch, Within(over(errors, q), ~(q <= 0)))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean())
