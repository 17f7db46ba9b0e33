from typing import ClassVar, final

import jax.numpy as jnp
from jaxtyping import Array

from .._rows.quotient import over
from .mean_error import AbstractMeanLoss, Within


@final
class MeanAbsoluteError(AbstractMeanLoss, init=False):
    r"""The mean absolute error: $\sum_i w_i |p_i - t_i| / \sum_i w_i$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, or their `"raw_values"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0.
    Source: Laplace, Théorie analytique des probabilités, 1812.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mae = eqm.MeanAbsoluteError()
        assert mae(predictions=jnp.array([1.0, -3.0]), targets=jnp.zeros(2)) == 2.0
        ```
    """

    valid: ClassVar[str] = "weights >= 0 and finite"

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Array:
        return jnp.abs(errors)


@final
class MeanAbsolutePercentageError(AbstractMeanLoss, init=False):
    r"""The mean of the absolute errors relative to the targets, as a fraction:
    $\sum_i w_i |p_i - t_i| / |t_i| \,/ \sum_i w_i$.

    A target of 0 has no relative error: the row is invalid. (scikit-learn divides by 2e-16,
    torchmetrics by 1e-6.)

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, or their `"raw_values"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0.
    Source: Makridakis, "Accuracy measures: theoretical and practical concerns", 1993.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mape = eqm.MeanAbsolutePercentageError()
        assert mape(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([2.0, 4.0])) == 0.375
        ```
    """

    valid: ClassVar[str] = "targets != 0, weights >= 0 and finite"

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Within:
        return Within(jnp.abs(over(errors, targets)), targets != 0)


@final
class SymmetricMAPE(AbstractMeanLoss, init=False):
    r"""The mean of the absolute errors relative to the mean size of prediction and target, from
    0 to 2: $\sum_i w_i \frac{2 |p_i - t_i|}{|p_i| + |t_i|} / \sum_i w_i$.

    Where both are 0 the prediction is right, and counts as 0.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, or their `"raw_values"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0.
    Source: Makridakis, "Accuracy measures: theoretical and practical concerns", 1993.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        smape = eqm.SymmetricMAPE()
        assert smape(predictions=jnp.array([1.0, 0.0]), targets=jnp.array([3.0, 0.0])) == 0.5
        ```
    """

    valid: ClassVar[str] = "weights >= 0 and finite"

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Array:
        # Halves first: their sum stays in the range of float32.
        size = jnp.abs(predictions) / 2 + jnp.abs(targets) / 2
        return over(jnp.abs(errors), size)
