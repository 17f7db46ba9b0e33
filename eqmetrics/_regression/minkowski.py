import math
from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._rows.squares import SMALLEST
from .mean_error import AbstractLossSums, AbstractPairLoss
from .paired import Multioutput


@final
class Minkowski(AbstractPairLoss):
    r"""The Minkowski distance of all predictions from all targets,
    $(\sum_i w_i |p_i - t_i|^p)^{1/p}$: of a sum, not a mean, as in scipy and torchmetrics.

    **Arguments:**

    - `p`: the power, at least 1: 1 for the Manhattan, 2 for the Euclidean distance. For the
        maximum see [`eqmetrics.MaxError`][].
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Where powers
    of the errors leave the range of float32, the value is NaN or infinite.
    Source: Minkowski, Geometrie der Zahlen, 1896.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        distance = eqm.Minkowski(2)
        assert distance(predictions=jnp.array([3.0, 4.0]), targets=jnp.zeros(2)) == 5.0
        ```
    """

    valid: ClassVar[str] = "weights >= 0 and finite"
    p: float = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        p: float,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if not 1 <= p < math.inf:
            raise ValueError(f"p={p}: expected a finite number of at least 1.")
        AbstractLossSums.__init__(
            self, outputs=outputs, multioutput=multioutput, undefined=undefined
        )
        self.p = float(p)

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Array:
        x = jnp.abs(errors)
        # As in `square`: a power below the range of float32 counts as a small number.
        return jnp.where(x == 0, 0, jnp.maximum(x**self.p, SMALLEST))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        total = jnp.where(jnp.isnan(self.mean_square()), jnp.nan, self.sums.read("total"))
        return self.overall(total ** (1 / self.p))
