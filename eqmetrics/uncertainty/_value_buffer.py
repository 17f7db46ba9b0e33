from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values
from .._metric.field import state
from .._metric.readout import AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._rows.rows import rows
from .._wrap.buffer import Buffer


@final
class ValueBuffer(AbstractStatistic):
    """Up to `capacity` values: the statistic that [`eqmetrics.uncertainty.ConformalQuantile`][]
    reads if it is built with `exact=capacity`. See [`eqmetrics.Buffer`][].

    **Arguments:**

    - `capacity`: how many rows there is room for, on all devices together.

    The gradient is 0: the value is a count.
    State: `capacity + 7` numbers. Undefined when: there were more than `capacity` rows. Values that
    aren't finite are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kept = eqm.uncertainty.ValueBuffer(10).update(jnp.array([3.0, 1.0]))
        assert kept.compute() == 2.0 and kept.in_order()[:2].tolist() == [1.0, 3.0]
        ```
    """

    capacity: int = eqx.field(static=True)
    kept: Buffer
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="finite values")

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.kept = Buffer(capacity, values=jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        """`values` are real, of any shape; each is a row. `mask` has the same shape."""
        batch = rows(values, mask)
        x = batch.values.astype(jnp.float32)
        batch = batch.without(~jnp.isfinite(x))
        return self.replace(
            kept=self.kept.update(values=x, mask=batch.mask),
            invalid=plus_invalid(self.invalid, batch),
        )

    def in_order(self) -> Float32[Array, "{self.capacity}"]:
        """The values in ascending order, then infinity in places without a row."""
        columns, mask = self.kept.rows()
        return jnp.sort(lax.stop_gradient(jnp.where(mask, columns["values"], jnp.inf)))

    def compute(self) -> Float32[Array, ""]:
        """The number of values."""
        return self.kept.count.astype(jnp.float32)
