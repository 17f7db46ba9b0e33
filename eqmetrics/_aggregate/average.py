from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._field import state
from .._quotient import ratio
from .._reduction import EXACT_SUM
from .._reduction.pair import to_float
from .._row_sum import AbstractRowSum, invalid_of, Parts, row_sum, total_of, weight_of
from .._rows import rows, trailing, undefined_as


@final
class Average(AbstractRowSum):
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
    total: Float32[Array, "2 ..."] = state(reduce=EXACT_SUM)
    weight: Float32[Array, "2"] = state(reduce=EXACT_SUM)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="weights >= 0 and finite")

    def __init__(self, shape: int | tuple[int, ...] = (), *, undefined: float | None = None):
        self.shape = trailing(shape)
        self.undefined = undefined
        self.total = jnp.zeros((2, *self.shape), jnp.float32)
        self.weight = jnp.zeros(2, jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    @row_sum
    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Parts:
        batch = rows(values, mask, weights, self.shape)
        return {
            "total": total_of(batch), "weight": weight_of(batch), "invalid": invalid_of(batch)
        }

    def compute(self) -> Float32[Array, "..."]:
        weight = to_float(self.weight)
        mean = ratio(to_float(self.total), weight)
        return undefined_as(mean, weight == 0, self.undefined)
