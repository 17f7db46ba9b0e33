from typing import final, Self

import equinox as eqx
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient_or
from .._rows.rows import rows, trailing


@final
class Average(Metric):
    r"""The weighted mean of all values: $\sum_i w_i x_i / \sum_i w_i$.

    **Arguments:**

    - `shape`: trailing axes to keep; `()`, not given, for a scalar mean of everything.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(shape) + 4` floats. Undefined when: the weights sum to 0 (no rows, or
    all masked). NaN values propagate, as in `jnp.mean`; negative weights are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mean = eqm.Average().update(jnp.array([1.0, 2.0])).update(jnp.array([6.0]))
        assert mean.compute() == 3.0
        ```
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, shape: int | tuple[int, ...] = (), *, undefined: float | None = None):
        self.shape = trailing(shape)
        self.undefined = undefined
        self.sums = Sums(total=self.shape, weight=())

    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        batch = rows(values, mask, weights, self.shape)
        return self.replace(sums=self.sums.add(batch, total=batch.values, weight=1))

    def compute(self) -> Float32[Array, "..."]:
        total, weight = self.sums.read("total", "weight")
        return quotient_or(total, weight, self.undefined)
