import functools as ft
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values
from .._field import state
from .._metric import Metric
from .._reduction.base import Extremum, MAX, MIN
from .._reduction.pair import fused
from .._rows import rows, undefined_as


@ft.partial(fused, static_argnames="reduction")
def _updated(
    value: Array, seen: Array, values: Array, mask: Array | None, reduction: Extremum
) -> dict[str, Array]:
    # Through the reduction's integer keys: XLA's CPU max drops NaN for some shapes.
    batch = rows(values, mask, None)
    x = batch.values.astype(jnp.float32)
    (empty,) = reduction.identity((jnp.zeros((), jnp.float32),))
    if batch.mask is not None:
        x = jnp.where(batch.mask, x, empty)
    (value,) = reduction.merge((value,), (reduction.of_rows(x),))
    some = values.size > 0 if batch.mask is None else jnp.any(batch.mask)
    return {"value": value, "seen": seen | some}


@final
class Max(Metric):
    """The largest value under the mask; NaN if one of them is NaN.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    Integers beyond $2^{24}$ become the nearest float32.

    State: 1 float, 1 boolean. Undefined when: no row was seen.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        assert eqm.Max()(jnp.array([1.0, 3.0, 2.0])) == 3.0
        ```
    """

    undefined: float | None = eqx.field(static=True)
    value: Float32[Array, ""] = state(reduce="max")
    seen: Bool[Array, ""] = state(reduce="max")

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.value = jnp.full((), -jnp.inf, jnp.float32)
        self.seen = jnp.zeros((), jnp.bool_)

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        return self.replace(**_updated(self.value, self.seen, values, mask, reduction=MAX))

    def compute(self) -> Float32[Array, ""]:
        return undefined_as(self.value, ~self.seen, self.undefined)


@final
class Min(Metric):
    """The smallest value under the mask; NaN if one of them is NaN.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    Integers beyond $2^{24}$ become the nearest float32.

    State: 1 float, 1 boolean. Undefined when: no row was seen.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        assert eqm.Min()(jnp.array([2.0, 1.0, 3.0])) == 1.0
        ```
    """

    undefined: float | None = eqx.field(static=True)
    value: Float32[Array, ""] = state(reduce="min")
    seen: Bool[Array, ""] = state(reduce="max")

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.value = jnp.full((), jnp.inf, jnp.float32)
        self.seen = jnp.zeros((), jnp.bool_)

    def update(self, values: Values, *, mask: Mask = None) -> Self:
        return self.replace(**_updated(self.value, self.seen, values, mask, reduction=MIN))

    def compute(self) -> Float32[Array, ""]:
        return undefined_as(self.value, ~self.seen, self.undefined)
