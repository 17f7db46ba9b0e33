import math
from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .pair_moments import PairMoments


@final
class LimitsOfAgreement(AbstractReadout):
    r"""Bland and Altman's limits of agreement, between which most errors lie:
    $\bar e \pm 1.96\, s$, where $e = p - t$, and $s$ is the standard deviation of the errors, over
    $\sum_i w_i - 1$ (weights are counts).

    **Arguments:**

    - `factor`: how many standard deviations the limits are from the mean error. If the errors are
        normal, 95 % of them lie within 1.96.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 22 floats, those of [`eqmetrics.PairMoments`][], shared. Undefined when: the weights sum
    to 0; the limits also if they sum to 1 or less. Deviations of the errors below $10^{-15}$ count
    as 0, and those from $10^{19}$ on have no square in float32.
    Source: Bland and Altman, "Statistical methods for assessing agreement between two methods of
    clinical measurement", 1986.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        limits = eqm.LimitsOfAgreement(factor=2.0)
        value = limits(predictions=jnp.array([1.0, 2.0, 6.0]), targets=jnp.array([1.0, 1.0, 4.0]))
        assert value == {"bias": 1.0, "lower": -1.0, "upper": 3.0}
        ```
    """

    factor: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: PairMoments

    def __init__(self, factor: float = 1.96, *, undefined: float | None = None):
        if not 0 < factor < math.inf:
            raise ValueError(f"factor={factor}: expected a positive number.")
        self.factor = float(factor)
        self.undefined = undefined
        self.statistic = PairMoments()

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict: `bias`, the mean error; `lower` and `upper`, the limits."""
        s = self.statistic.spreads()
        single = ~(s.weight > 1)
        variance = over(s.errors * s.weight, jnp.where(single, 1, s.weight - 1))
        width = self.factor * root(variance)
        either = {"lower": s.mean_error - width, "upper": s.mean_error + width}
        limits = {k: undefined_as(x, single, self.undefined) for k, x in either.items()}
        return {"bias": undefined_as(s.mean_error, s.weight == 0, self.undefined), **limits}
