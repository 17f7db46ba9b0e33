import math
from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from .._rows.quotient import over
from .mean_error import AbstractLossSums, AbstractMeanLoss, Within
from .paired import Multioutput


@final
class MeanAbsoluteError(AbstractMeanLoss, init=False):
    r"""The mean absolute error: $\sum_i w_i |p_i - t_i| / \sum_i w_i$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
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


class AbstractRelativeLoss(AbstractMeanLoss):
    """The mean of a loss that is divided by a size, which `floor` bounds from below."""

    floor: float = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        *,
        floor: float = 0.0,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if not 0 <= floor < math.inf:
            raise ValueError(f"floor={floor}: expected a finite number from 0 on.")
        self.floor = float(floor)
        AbstractLossSums.__init__(
            self, outputs=outputs, multioutput=multioutput, undefined=undefined
        )

    def at_least(self, size: Array) -> Array:
        return jnp.maximum(size, self.floor) if self.floor else size


@final
class MeanAbsolutePercentageError(AbstractRelativeLoss, init=False):
    r"""The mean of the absolute errors relative to the targets, as a fraction:
    $\sum_i w_i |p_i - t_i| / |t_i| \,/ \sum_i w_i$.

    A target of 0 has no relative error: the row is invalid, unless there is a `floor`.
    (scikit-learn's is 2e-16, torchmetrics' 1.17e-6, keras' 1e-7.)

    **Arguments:**

    - `floor`: the smallest size $f$ that a target counts as: $|p_i - t_i| / \max(|t_i|, f)$.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
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

    @property
    def valid(self) -> str:
        """Which rows are valid, in words."""
        return ("" if self.floor else "targets != 0, ") + "weights >= 0 and finite"

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Within:
        size = self.at_least(jnp.abs(targets))
        return Within(jnp.abs(over(errors, size)), size != 0)


@final
class SymmetricMAPE(AbstractRelativeLoss, init=False):
    r"""The mean of the absolute errors relative to the mean size of prediction and target, from
    0 to 2: $\sum_i w_i \frac{2 |p_i - t_i|}{|p_i| + |t_i|} / \sum_i w_i$.

    Where both are 0 the prediction is right, and counts as 0.

    **Arguments:**

    - `floor`: the smallest value that the mean size of prediction and target, which divides the
        error, counts as: a small error where both are near 0 then counts little.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
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
        # Halves first: so their sum stays in the range of float32.
        size = jnp.abs(predictions) / 2 + jnp.abs(targets) / 2
        return over(jnp.abs(errors), self.at_least(size))
