from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32, Shaped

from .._invalid import Invalid
from .._metric import Metric, state
from .._reduction import EXACT_SUM
from .._reduction.pair import add, to_float
from .._rows import rows, undefined_as
from .sum import Mask, Weights


@final
class Average(Metric):
    r"""The weighted mean of all entries: $\sum_i w_i x_i / \sum_i w_i$.

    **Arguments:**

    - `shape`: trailing axes to keep, `()` for a scalar mean of everything.
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
    invalid: Invalid
    total: Float32[Array, "2 ..."] = state(reduce=EXACT_SUM)
    weight: Float32[Array, "2"] = state(reduce=EXACT_SUM)

    def __init__(self, shape: tuple[int, ...] = (), *, undefined: float | None = None):
        self.shape = shape
        self.undefined = undefined
        self.total = jnp.zeros((2, *shape), jnp.float32)
        self.weight = jnp.zeros(2, jnp.float32)
        self.invalid = Invalid("weights >= 0")

    def update(
        self, values: Shaped[Array, "..."], *, mask: Mask = None, weights: Weights = None
    ) -> Self:
        batch = rows(values, mask, weights, self.shape)
        invalid = self.invalid
        if batch.invalid is not None:
            invalid = invalid.update(batch.invalid)
        return self.replace(
            total=add(self.total, batch.total()),
            weight=add(self.weight, batch.weight()),
            invalid=invalid,
        )

    def compute(self) -> Float32[Array, "..."]:
        weight = to_float(self.weight)
        mean = to_float(self.total) / weight
        return undefined_as(mean, weight == 0, self.undefined)
