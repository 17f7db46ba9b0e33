from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values
from .._metric.field import state
from .._metric.metric import Metric
from .._onepass.operations import max_rows
from .._onepass.sums import Sums
from .._rows.rows import rows, undefined_as


def _updated(old: Array, count: Sums, values: Any, mask: Any, sign: int) -> tuple[Array, Sums]:
    batch = rows(values, mask, None)
    masks = [] if batch.mask is None else [batch.mask]
    (most,) = max_rows(sign, True)(old, batch.values.astype(jnp.float32), *masks)
    return most, count.add(batch, rows=1)


@final
class Max(Metric):
    """The largest value under the mask; NaN if one of them is NaN.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    Integers beyond $2^{24}$ become the nearest float32.

    State: 5 floats. Undefined when: no row was seen.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        assert eqm.Max()(jnp.array([1.0, 3.0, 2.0])) == 3.0
        ```
    """

    undefined: float | None = eqx.field(static=True)
    count: Sums
    largest: Float32[Array, ""] = state(reduce="max")

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.largest = jnp.full((), -jnp.inf, jnp.float32)
        self.count = Sums(rows=())

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        most, count = _updated(self.largest, self.count, values, mask, 1)
        return self.replace(largest=most, count=count)

    def compute(self) -> Float32[Array, ""]:
        return undefined_as(self.largest, self.count.read("rows") == 0, self.undefined)


@final
class Min(Metric):
    """The smallest value under the mask; NaN if one of them is NaN.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    Integers beyond $2^{24}$ become the nearest float32.

    State: 5 floats. Undefined when: no row was seen.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        assert eqm.Min()(jnp.array([2.0, 1.0, 3.0])) == 1.0
        ```
    """

    undefined: float | None = eqx.field(static=True)
    count: Sums
    largest_opposite: Float32[Array, ""] = state(reduce="max")

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.largest_opposite = jnp.full((), -jnp.inf, jnp.float32)
        self.count = Sums(rows=())

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        most, count = _updated(self.largest_opposite, self.count, values, mask, -1)
        return self.replace(largest_opposite=most, count=count)

    def compute(self) -> Float32[Array, ""]:
        return undefined_as(-self.largest_opposite, self.count.read("rows") == 0, self.undefined)
