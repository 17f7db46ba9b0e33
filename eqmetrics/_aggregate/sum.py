from typing import final, Self

import equinox as eqx
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import AbstractExact
from .._onepass.sums import Sums
from .._reduction.pair import Pair
from .._rows.rows import rows, trailing


@final
class Sum(AbstractExact):
    r"""The sum of all values: $\sum_i w_i x_i$, as accurate as `math.fsum`.

    The accumulator under nearly every metric. It keeps an unevaluated pair of float32,
    renormalised at every step: whole numbers are exact up to $2^{48}$, and other sums are correct
    to a few units in the last place of float32, whatever the number of updates.

    **Arguments:**

    - `shape`: trailing axes to keep; all axes before them are summed over.

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
    sums: Sums

    def __init__(self, shape: int | tuple[int, ...] = ()):
        self.shape = trailing(shape)
        self.sums = Sums(total=self.shape)

    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        """Adds `values` of shape `(*rows, *shape)`; `mask` and `weights` have the leading
        axes of the rows."""
        batch = rows(values, mask, weights, self.shape)
        return self.replace(sums=self.sums.add(batch, total=batch.values))

    def add(self, pair: Pair) -> Self:
        """Adds a sum that is already a pair, of shape `(2, *shape)`."""
        return self.replace(sums=self.sums.plus(total=pair))

    def exact(self) -> Pair:
        return self.sums.pair("total")

    def compute(self) -> Float32[Array, "..."]:
        """The float32 nearest to the sum, of shape `shape`."""
        return self.sums.read("total")


@final
class Count(AbstractExact):
    """The number of rows, exact up to $2^{48}$: all entries of `values` under the mask.

    The gradient is 0: the value is piecewise constant.
    State: 4 floats. Undefined when: never; an empty count is 0. `eqm.to_host` gives the exact
    integer where float32 can't.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        mask = jnp.array([True, False, True])
        assert eqm.Count()(jnp.zeros(3), mask=mask) == 2
        ```
    """

    sums: Sums

    def __init__(self):
        self.sums = Sums(rows=())

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        return self.replace(sums=self.sums.add(rows(values, mask, None), rows=1))

    def exact(self) -> Pair:
        return self.sums.pair("rows")

    def compute(self) -> Float32[Array, ""]:
        return self.sums.read("rows")
