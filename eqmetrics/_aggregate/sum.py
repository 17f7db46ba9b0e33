from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._field import state
from .._metric import AbstractExact
from .._reduction import EXACT_SUM
from .._reduction.pair import add, Pair, to_float
from .._row_sum import AbstractRowSum, invalid_of, Parts, row_sum, total_of, weight_of
from .._rows import rows, trailing


@final
class Sum(AbstractExact, AbstractRowSum):
    r"""The sum of all values: $\sum_i w_i x_i$, as accurate as `math.fsum`.

    The accumulator under nearly every metric. It keeps an unevaluated pair of float32,
    renormalised at every step: whole numbers are exact up to $2^{48}$, and other sums are
    right to a few units in the last place of float32, whatever the number of updates.

    **Arguments:**

    - `shape`: trailing axes to keep; all axes before them are summed.

    State: `2 * prod(shape)` floats, and 2 for the invalid rows.
    Undefined when: never; an empty sum is 0.
    Source: Dekker, "A floating-point technique for extending the available precision", 1971.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        total = eqm.Sum().update(jnp.array([1.0, 2.0, 3.0]))
        assert total.compute() == 6.0
        ```
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    pair: Float32[Array, "2 ..."] = state(reduce=EXACT_SUM)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="weights >= 0 and finite")

    def __init__(self, shape: int | tuple[int, ...] = ()):
        self.shape = trailing(shape)
        self.pair = jnp.zeros((2, *self.shape), jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    @row_sum
    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Parts:
        """Adds `values` of shape `(*rows, *shape)`; `mask` and `weights` have the leading
        axes of the rows."""
        batch = rows(values, mask, weights, self.shape)
        return {"pair": total_of(batch), "invalid": invalid_of(batch)}

    def add(self, pair: Pair) -> Self:
        """Adds a sum that is already a pair, of shape `(2, *shape)`."""
        return self.replace(pair=add(self.pair, pair))

    def exact(self) -> Pair:
        return self.pair

    def compute(self) -> Float32[Array, "..."]:
        """The float32 nearest to the sum, of shape `shape`."""
        return to_float(self.pair)


@final
class Count(AbstractExact, AbstractRowSum):
    """The number of rows under the mask; exact up to $2^{48}$.

    The gradient is 0: the value is constant but for jumps.
    State: 2 floats. Undefined when: never; an empty count is 0. Rows are all axes of
    `values`. `eqm.to_host` gives the exact integer where float32 can't.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mask = jnp.array([True, False, True])
        assert eqm.Count()(jnp.zeros(3), mask=mask) == 2
        ```
    """

    pair: Float32[Array, "2"] = state(reduce=EXACT_SUM)

    def __init__(self):
        self.pair = jnp.zeros(2, jnp.float32)

    @row_sum
    def update(self, values: Values, *, mask: Mask = None) -> Parts:
        return {"pair": weight_of(rows(values, mask, None))}

    def exact(self) -> Pair:
        return self.pair

    def compute(self) -> Float32[Array, ""]:
        return to_float(self.pair)
