from typing import ClassVar, final

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._squares import square
from .mean_error import AbstractPairLoss


@final
class MeanSquaredError(AbstractPairLoss, init=False):
    r"""The mean squared error: $\sum_i w_i (p_i - t_i)^2 / \sum_i w_i$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, or their `"raw_values"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Errors to
    $10^{-15}$ and $10^{19}$ are squared; beyond, the value is NaN or infinite.
    Source: Gauss, Theoria combinationis observationum, 1823.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mse = eqm.MeanSquaredError()
        assert mse(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([0.0, 0.0])) == 5.0
        ```
    """

    valid: ClassVar[str] = "weights >= 0"

    def loss(self, predictions: Array, targets: Array) -> Array:
        return square(predictions - targets)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean_square())


@final
class RootMeanSquaredError(AbstractPairLoss, init=False):
    r"""The root of the mean squared error: $\sqrt{\sum_i w_i (p_i - t_i)^2 / \sum_i w_i}$.

    With `outputs`, the mean of the roots of the columns, as in scikit-learn.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, or their `"raw_values"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Errors to
    $10^{-15}$ and $10^{19}$ are squared; beyond, the value is NaN or infinite.
    Source: Gauss, Theoria combinationis observationum, 1823.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rmse = eqm.RootMeanSquaredError()
        assert rmse(predictions=jnp.array([3.0, -3.0]), targets=jnp.zeros(2)) == 3.0
        ```
    """

    valid: ClassVar[str] = "weights >= 0"

    def loss(self, predictions: Array, targets: Array) -> Array:
        return square(predictions - targets)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(jnp.sqrt(self.mean_square()))
