from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._aggregate.quantile import bounds_of, value_of
from .._aggregate.quantile_sketch import QuantileSketch
from .._custom_types import Mask, Values, Weights
from .._metric.bounds import AbstractBounded
from .._metric.wrapped import nan_where_left_out
from .paired import errors_of, paired


@final
class MedianAbsoluteError(AbstractBounded):
    r"""The median of the absolute errors $|p_i - t_i|$, with bounds, from a state of fixed size.

    `bounds()` gives two numbers that the median lies between, and `compute()` their middle. Where
    the order statistics on both sides lie in one cell they are at most 0.39 % of the value apart,
    and at most 6.1e-5 of the range of the errors. The scale of the weights doesn't matter. See
    [`eqmetrics.Quantile`][].

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the state has only the cells of the errors.
    State: a [`eqmetrics.QuantileSketch`][], 1.3 MB. Undefined when: no row was seen. Errors that
    aren't finite, and negative weights, are invalid.
    Source: Hampel, "The influence curve and its role in robust estimation", 1974.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        error = eqm.MedianAbsoluteError()
        error = error.update(predictions=jnp.array([1.0, -2.0, 90.0]), targets=jnp.zeros(3))
        low, high = error.bounds()
        assert low <= 2.0 <= high and high - low < 0.006
        ```
    """

    undefined: float | None = eqx.field(static=True)
    errors: QuantileSketch

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.errors = QuantileSketch()

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real and of one shape."""
        batch, _ = paired(predictions, targets, mask, weights)
        error = jnp.abs(errors_of(batch, predictions, targets)).reshape(jnp.shape(targets))
        return self.replace(errors=self.errors.update(error, mask=mask, weights=weights))

    def bounds(self) -> tuple[Float32[Array, ""], Float32[Array, ""]]:
        """Two numbers that the median lies between."""
        return nan_where_left_out(self, bounds_of(self.errors, 0.5, self.undefined))

    def compute(self) -> Float32[Array, ""]:
        return value_of(self.errors, 0.5, self.undefined)
