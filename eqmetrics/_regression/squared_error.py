"""Means of squared errors, which two scores read from one statistic."""

from typing import final, Self

import equinox as eqx
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._rows.quotient import over, root
from .._rows.rows import trailing, undefined_as
from .._rows.squares import nan_if_lost, square
from .paired import checked_multioutput, errors_of, Multioutput, over_columns, paired


@final
class SquaredErrors(AbstractStatistic):
    """The sum of the squared errors for each column, and of the weights: the statistic that
    `MeanSquaredError` and `RootMeanSquaredError` read, and share in a `MetricDict`.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.

    State: `2 * prod(outputs) + 4` floats. Undefined when: never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        errors = eqm.SquaredErrors()
        value = errors(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([0.0, 0.0]))
        assert value == {"total": 10.0, "weight": 2.0}
        ```
    """

    outputs: tuple[int, ...] = eqx.field(static=True)
    sums: Sums

    def __init__(self, outputs: int | tuple[int, ...] = ()):
        self.outputs = trailing(outputs)
        self.sums = Sums(total=self.outputs, weight=())

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real, of shape `(*rows, *outputs)`."""
        batch, _ = paired(predictions, targets, mask, weights, self.outputs)
        errors = errors_of(batch, predictions, targets)
        return self.replace(sums=self.sums.add(batch, total=square(errors), weight=1))

    def means(self) -> Float32[Array, "..."]:
        """The mean of each column; NaN if the squares left the range of float32."""
        total, weight = self.sums.read("total", "weight")
        return nan_if_lost(over(total, weight), total)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict: `total`, of shape `outputs`, and `weight`, a scalar."""
        return self.sums.compute()


class _AbstractSquaredError(AbstractReadout):
    outputs: int | tuple[int, ...] = eqx.field(static=True)
    multioutput: Multioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: SquaredErrors

    def __init__(
        self,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        self.outputs = outputs
        self.multioutput = checked_multioutput(multioutput, outputs)
        self.undefined = undefined
        self.statistic = SquaredErrors(outputs)

    def overall(self, values: Array) -> Float32[Array, "..."]:
        """The value of the metric from those of the columns."""
        empty = self.statistic.sums.read("weight") == 0
        return over_columns(undefined_as(values, empty, self.undefined), self.multioutput)


@final
class MeanSquaredError(_AbstractSquaredError, init=False):
    r"""The mean squared error: $\sum_i w_i (p_i - t_i)^2 / \sum_i w_i$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.SquaredErrors`][], shared. Undefined when: the weights sum to 0.
    Errors from $10^{-15}$ to $10^{19}$ can be squared in float32; beyond, the value is NaN or
    infinite.
    Source: Gauss, Theoria combinationis observationum, 1823.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mse = eqm.MeanSquaredError()
        assert mse(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([0.0, 0.0])) == 5.0
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.statistic.means())


@final
class RootMeanSquaredError(_AbstractSquaredError, init=False):
    r"""The square root of the mean squared error: $\sqrt{\sum_i w_i (p_i - t_i)^2 / \sum_i w_i}$.

    With `outputs`, the mean of the roots of the columns, as in scikit-learn.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.SquaredErrors`][], shared. Undefined when: the weights sum to 0.
    Errors from $10^{-15}$ to $10^{19}$ can be squared in float32; beyond, the value is NaN or
    infinite.
    Source: Gauss, Theoria combinationis observationum, 1823.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rmse = eqm.RootMeanSquaredError()
        assert rmse(predictions=jnp.array([3.0, -3.0]), targets=jnp.zeros(2)) == 3.0
        ```
    """

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(root(self.statistic.means()))
