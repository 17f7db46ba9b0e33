import math
from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._rows.squares import square
from .mean_error import AbstractLossSums, AbstractPairLoss
from .paired import Multioutput


@final
class Huber(AbstractPairLoss):
    r"""The mean Huber loss: for an error $e$, $e^2 / 2$ where $|e| \le \delta$ and
    $\delta (|e| - \delta / 2)$ beyond.

    **Arguments:**

    - `delta`: the error where the loss turns from quadratic to linear.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. If all
    errors are below $10^{-15}$ the value is NaN: their squares leave the range of float32.
    Source: Huber, "Robust estimation of a location parameter", 1964.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        huber = eqm.Huber(delta=1.0)
        assert huber(predictions=jnp.array([1.0, 3.0]), targets=jnp.zeros(2)) == 1.5
        ```
    """

    valid: ClassVar[str] = "weights >= 0 and finite"
    delta: float = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        delta: float = 1.0,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if not 0 < delta < math.inf:
            raise ValueError(f"delta={delta}: expected a positive finite number.")
        AbstractLossSums.__init__(
            self, outputs=outputs, multioutput=multioutput, undefined=undefined
        )
        self.delta = float(delta)

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Array:
        x = jnp.abs(errors)
        line = self.delta * (x - self.delta / 2)
        return jnp.where(x > self.delta, line, square(x) / 2)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean_square())
