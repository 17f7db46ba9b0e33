from typing import ClassVar, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32

from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._reduction import AbstractReduction, EXACT_SUM
from .._reduction.base import zeros
from .._reduction.pair import add, to_float
from .._rows.nearest_quotient import quotient_or
from .._rows.rows import rows


class _Newest(AbstractReduction):
    """Over devices: the sums of the batches of the newest step that any device has seen."""

    def identity(self, arrays):
        return zeros(arrays)

    def merge(self, left, right):
        (a, newest_a, updates_a), (b, newest_b, updates_b) = left, right
        later = newest_b > 0
        newest = jnp.where(later, updates_a + newest_b, newest_a)
        return jnp.where(later, b, a), newest, updates_a + updates_b

    def across(self, arrays, size):
        sums, newest, updates = arrays
        newest_of_all, most = yield "max", [newest, updates]
        # A device whose last batch was empty still holds an older one: leave it out.
        latest = jnp.where(newest == newest_of_all, sums, 0)
        total, weight = yield from EXACT_SUM.across((latest[:, 0], latest[:, 1]), size)
        return jnp.stack([total, weight], axis=-1), newest_of_all, most

    def check(self, dtype):
        return None


_NEWEST = _Newest()


@final
class LastValue(Metric):
    """The mean of the newest batch that wasn't empty.

    Ordered: over steps the newest batch counts; over devices, the weighted mean of their batches of
    the newest step (as in clu). Every update counts as a step, an empty one too.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats, 2 integers. Undefined when: no row was seen. Negative weights are
    invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rate = eqm.LastValue().update(jnp.array(0.1)).update(jnp.array(0.01))
        assert rate.compute() == jnp.float32(0.01)
        ```
    """

    ordered: ClassVar[bool] = True

    undefined: float | None = eqx.field(static=True)
    sums: Float32[Array, "2 2"] = state(reduce=_NEWEST)  # pairs of (total, weight)
    newest: Int32[Array, ""] = state(reduce=_NEWEST)
    updates: Int32[Array, ""] = state(reduce=_NEWEST)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="weights >= 0 and finite")

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.sums = jnp.zeros((2, 2), jnp.float32)
        self.newest = jnp.zeros((), jnp.int32)
        self.updates = jnp.zeros((), jnp.int32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self, values: Values, *, mask: Mask = None, weights: Weights = None
    ) -> Self:
        batch = rows(values, mask, weights)
        new = Sums(total=(), weight=()).add(batch, total=batch.values, weight=1)
        some, updates = new.read("weight") > 0, self.updates + 1
        return self.replace(
            sums=jnp.where(some, new.pairs, self.sums),
            newest=jnp.where(some, updates, self.newest),
            updates=updates,
            invalid=add(self.invalid, new.invalid),
        )

    def compute(self) -> Float32[Array, ""]:
        total, weight = to_float(self.sums)
        return quotient_or(total, weight, self.undefined)
