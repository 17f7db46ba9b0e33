from typing import ClassVar, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._reduction.pair import at_most
from .mean_error import AbstractLossSums, Within
from .paired import errors_of, Multioutput, together


@final
class IntervalCoverage(AbstractLossSums, init=False):
    r"""The share of targets inside their predicted intervals, ends included:
    $\sum_i w_i [l_i \le t_i \le u_i] / \sum_i w_i$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Rows whose lower
    end is above the upper one, or that hold NaN, are invalid.
    Source: Christoffersen, "Evaluating interval forecasts", 1998.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coverage = eqm.IntervalCoverage()
        lower, upper = jnp.zeros(4), jnp.ones(4)
        assert coverage(lower=lower, upper=upper, targets=jnp.array([0.0, 0.5, 2.0, 1.0])) == 0.75
        ```
    """

    valid: ClassVar[str] = "lower <= upper, no NaN, weights >= 0 and finite"

    def update(
        self,
        *,
        lower: Values,
        upper: Values,
        targets: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`lower`, `upper` and `targets` are real, of shape `(*rows, *outputs)`."""
        batch, (_, _, t) = together(
            mask, weights, self.outputs, lower=lower, upper=upper, targets=targets
        )
        ends = (lower, targets), (targets, upper), (lower, upper)
        above, below, valid = (at_most(x, y).reshape(t.shape) for x, y in ends)
        return self.plus(batch, Within(above & below, valid & ~jnp.isnan(t)))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean())


@final
class WinklerScore(AbstractLossSums):
    r"""The mean interval score of central prediction intervals of level $1 - \alpha$: their width,
    and $2 / \alpha$ times the distance of a target outside.

    **Arguments:**

    - `alpha`: the share of targets that the intervals are meant to leave outside: 0.1 for 90 %.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Rows whose lower
    end is above the upper one are invalid.
    Source: Winkler, "A decision-theoretic approach to interval estimation", 1972.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        winkler = eqm.WinklerScore(alpha=0.5)
        lower, upper = jnp.zeros(2), jnp.ones(2)
        assert winkler(lower=lower, upper=upper, targets=jnp.array([0.5, 2.0])) == 3.0
        ```
    """

    valid: ClassVar[str] = "lower <= upper, weights >= 0 and finite"
    alpha: float = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        alpha: float,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha={alpha}: expected a number above 0 and at most 1.")
        AbstractLossSums.__init__(
            self, outputs=outputs, multioutput=multioutput, undefined=undefined
        )
        self.alpha = float(alpha)

    def update(
        self,
        *,
        lower: Values,
        upper: Values,
        targets: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`lower`, `upper` and `targets` are real, of shape `(*rows, *outputs)`."""
        batch, _ = together(
            mask, weights, self.outputs, lower=lower, upper=upper, targets=targets
        )
        ends = (lower, targets), (targets, upper), (upper, lower)
        above, below, width = (errors_of(batch, x, y) for x, y in ends)
        outside = jnp.maximum(above, 0) + jnp.maximum(below, 0)
        return self.plus(batch, Within(width + (2 / self.alpha) * outside, ~(width < 0)))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean())
