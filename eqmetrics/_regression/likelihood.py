import math
from typing import ClassVar, final, Self

import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._rows.quotient import xlogy
from .deviance import deviance
from .mean_error import AbstractLossSums, AbstractMeanLoss, Within
from .paired import errors_of, paired


@final
class PoissonNLL(AbstractMeanLoss, init=False):
    r"""The mean negative log-likelihood of Poisson distributions with the predicted means:
    $\sum_i w_i (p_i - t_i \ln p_i + \ln t_i!) / \sum_i w_i$.

    It has the last term, which doesn't depend on the predictions and which torch and keras leave
    out by default: so models of different kinds are comparable.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Infinite if a
    positive target has a prediction of 0; negative predictions and targets are invalid.
    Source: McCullagh and Nelder, Generalized Linear Models, 1989; for large counts Loader,
    "Fast and accurate computation of binomial probabilities", 2000.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        nll = eqm.PoissonNLL()
        value = nll(predictions=jnp.array([1.0, 2.0]), targets=jnp.array([1.0, 0.0]))
        assert abs(value - 1.5) < 1e-6
        ```
    """

    valid: ClassVar[str] = "predictions >= 0, targets >= 0, weights >= 0 and finite"

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Within:
        direct = predictions - xlogy(targets, predictions) + gammaln(targets + 1)
        # The terms cancel for large counts: take half the deviance, and Stirling's series, instead.
        t = jnp.maximum(targets, 10)
        rest = jnp.log(2 * math.pi * t) / 2 + (1 - 1 / (30 * t * t)) / (12 * t)
        errors = jnp.where(targets > 10, errors, predictions - t)
        large = deviance(1, predictions, t, errors) / 2 + rest
        losses = jnp.where(targets > 10, large, direct)
        return Within(losses, ~((predictions < 0) | (targets < 0)))


@final
class GaussianNLL(AbstractLossSums, init=False):
    r"""The mean negative log-likelihood of normal distributions with the predicted means and
    standard deviations:
    $\sum_i w_i \left(\ln \sigma_i + \frac{(t_i - p_i)^2}{2 \sigma_i^2}
    + \frac{\ln 2 \pi}{2}\right) / \sum_i w_i$.

    It has the constant, which torch leaves out by default.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Rows with
    scales of 0 or less are invalid.
    Source: Nix and Weigend, "Estimating the mean and variance of the target probability
    distribution", 1994.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        one = jnp.array([1.0])
        value = eqm.GaussianNLL()(predictions=one, targets=one, scales=one)
        assert abs(value - jnp.log(2 * jnp.pi) / 2) < 1e-6
        ```
    """

    valid: ClassVar[str] = "scales > 0, weights >= 0 and finite"

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        scales: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions`, `targets` and `scales`, the standard deviations, are real, of shape
        `(*rows, *outputs)`."""
        batch, (_, _, s) = paired(predictions, targets, mask, weights, self.outputs, scales=scales)
        z = errors_of(batch, targets, predictions) / s
        losses = jnp.log(s) + z * z / 2 + math.log(2 * math.pi) / 2
        return self.plus(batch, Within(losses, ~(s <= 0)))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean())
