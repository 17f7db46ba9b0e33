from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from .mean_error import AbstractLossSums, AbstractMeanLoss
from .paired import Multioutput


@final
class Pinball(AbstractMeanLoss):
    r"""The mean pinball (quantile) loss, which is smallest for the $\alpha$ quantile of the
    targets:
    $\alpha (t - p)$ where $p \le t$, and $(1 - \alpha) (p - t)$ above.

    **Arguments:**

    - `alpha`: the quantile that is predicted, from 0 to 1. At 0.5 the loss is half the mean
        absolute error.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0.
    Source: Koenker and Bassett, "Regression quantiles", 1978.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        pinball = eqm.Pinball(alpha=0.75)
        assert pinball(predictions=jnp.array([1.0, 1.0]), targets=jnp.array([3.0, -1.0])) == 1.0
        ```
    """

    valid: ClassVar[str] = "weights >= 0 and finite"
    alpha: float = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        alpha: float = 0.5,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha={alpha}: expected a number from 0 to 1.")
        AbstractLossSums.__init__(
            self, outputs=outputs, multioutput=multioutput, undefined=undefined
        )
        self.alpha = float(alpha)

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Array:
        x = -errors
        return jnp.where(x < 0, (self.alpha - 1) * x, self.alpha * x)
