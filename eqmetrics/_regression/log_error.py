from typing import ClassVar, final

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._rows.quotient import root
from .._rows.squares import square
from .mean_error import AbstractPairLoss, Within


class AbstractSquaredLogError(AbstractPairLoss, init=False):
    """The sum of the squared differences of logarithms."""

    valid: ClassVar[str] = "predictions > -1, targets > -1, weights >= 0 and finite"

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Within:
        # From the quotient: the difference of the logarithms of close numbers loses digits.
        ratio = errors / (1 + targets)
        near = jnp.log1p(jnp.where(jnp.abs(ratio) < 0.5, ratio, 0))
        far = jnp.log1p(predictions) - jnp.log1p(targets)
        log = jnp.where(jnp.abs(ratio) < 0.5, near, far)
        inside = ~((predictions <= -1) | (targets <= -1))  # NaN isn't outside: it propagates
        return Within(square(log), inside)


@final
class MeanSquaredLogError(AbstractSquaredLogError, init=False):
    r"""The mean squared difference of the logarithms:
    $\sum_i w_i (\ln(1 + p_i) - \ln(1 + t_i))^2 / \sum_i w_i$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Rows with a
    value of -1 or less are invalid. If all errors of the logarithms are below $10^{-15}$ the value
    is NaN: their squares leave the range of float32. Source: scikit-learn,
    `mean_squared_log_error`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        msle = eqm.MeanSquaredLogError()
        value = msle(predictions=jnp.expm1(jnp.array([1.0])), targets=jnp.array([0.0]))
        assert abs(value - 1) < 1e-6
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean_square())


@final
class RootMeanSquaredLogError(AbstractSquaredLogError, init=False):
    r"""The root of the mean squared difference of the logarithms, of each column:
    $\sqrt{\sum_i w_i (\ln(1 + p_i) - \ln(1 + t_i))^2 / \sum_i w_i}$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Rows with a
    value of -1 or less are invalid. If all errors of the logarithms are below $10^{-15}$ the value
    is NaN: their squares leave the range of float32. Source: scikit-learn,
    `root_mean_squared_log_error`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rmsle = eqm.RootMeanSquaredLogError()
        value = rmsle(predictions=jnp.expm1(jnp.array([2.0])), targets=jnp.array([0.0]))
        assert abs(value - 2) < 1e-6
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(root(self.mean_square()))


@final
class LogCosh(AbstractPairLoss, init=False):
    r"""The mean of the logarithm of the hyperbolic cosine of the errors:
    $\sum_i w_i \ln\cosh(p_i - t_i) / \sum_i w_i$, where each term is about $e^2 / 2$ for small
    errors $e$ and $|e| - \ln 2$ for large ones.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. If all
    errors are below $10^{-15}$ the value is NaN: their squares leave the range of float32.
    Source: Green, "Bayesian reconstructions from emission tomography data", 1990.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        value = eqm.LogCosh()(predictions=jnp.array([1.0]), targets=jnp.array([0.0]))
        assert abs(value - jnp.log(jnp.cosh(1.0))) < 1e-6
        ```
    """

    valid: ClassVar[str] = "weights >= 0 and finite"

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Array:
        x = jnp.abs(errors)
        # cosh(x)^-2 = 1 - tanh(x)^2: a form without a difference, which has no digits for a small
        # x. For a large x, tanh(x) is 1. Both forms take the same logarithm, once.
        near = x < 1
        log = jnp.log1p(jnp.where(near, -square(jnp.tanh(x)), jnp.exp(-2 * x)))
        return jnp.where(near, -log / 2, x + log - jnp.log(2.0))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean_square())
