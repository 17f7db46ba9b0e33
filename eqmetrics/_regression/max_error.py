from typing import final, Self

from jaxtyping import Array, Float32

from .._aggregate.extrema import Max
from .._custom_types import Mask, Values
from .._metric.metric import Metric
from .paired import errors_of, paired


@final
class MaxError(Metric):
    r"""The largest absolute error: $\max_i |p_i - t_i|$; NaN if one of them is NaN.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 5 floats. Undefined when: no row was seen.
    Source: scikit-learn, `max_error`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        worst = eqm.MaxError()
        assert worst(predictions=jnp.array([1.0, -3.0]), targets=jnp.zeros(2)) == 3.0
        ```
    """

    largest: Max

    def __init__(self, *, undefined: float | None = None):
        self.largest = Max(undefined=undefined)

    def update(self, *, predictions: Values, targets: Values, mask: Mask = None) -> Self:
        """`predictions` and `targets` are real and of one shape."""
        batch, _ = paired(predictions, targets, mask, None)
        errors = abs(errors_of(batch, predictions, targets))
        return self.replace(largest=self.largest.update(errors, mask=batch.mask))

    def compute(self) -> Float32[Array, ""]:
        return self.largest.compute()
