from typing import Any, ClassVar, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values
from .._metric.field import state
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.operations import max_rows
from .._onepass.sums import Sums
from .._reduction import AbstractReduction, EXACT_SUM
from .._reduction.base import zeros
from .._reduction.extremum import MAX
from .._reduction.pair import add, lift, to_float
from .._rows.nearest_quotient import quotient_or
from .._rows.rows import Rows, rows


class _Longest(AbstractReduction):
    """Over time the sum; over devices, which work at the same time, the longest."""

    def identity(self, arrays):
        return zeros(arrays)

    def merge(self, left, right):
        return EXACT_SUM.merge(left, right)

    def across(self, arrays, size):
        high = tuple(x[0] for x in arrays)
        longest = MAX.values((yield "max", MAX.keys(high)), high)
        low = tuple(
            jnp.where(x[0] == top, x[1], -jnp.inf) for x, top in zip(arrays, longest, strict=True)
        )
        rest = MAX.values((yield "max", MAX.keys(low)), low)
        # Where the longest is NaN, no device equals it: its low half is 0.
        return tuple(
            jnp.stack([top, jnp.where(jnp.isfinite(r), r, 0)])
            for top, r in zip(longest, rest, strict=True)
        )

    def check(self, dtype):
        return EXACT_SUM.check(dtype)

    def __repr__(self):
        return "longest"


_LONGEST = _Longest()


def _steps(items: Any, seconds: Any, mask: Any) -> tuple[Rows, Array]:
    if seconds.shape != items.shape:
        raise TypeError(
            f"`items` is {describe(items)} and `seconds` is {describe(seconds)}: they must "
            "have the same shape."
        )
    batch = rows(items, mask, name="items")
    time = seconds.ravel().astype(jnp.float32)
    return batch.without(~((batch.values >= 0) & (time >= 0))), time


@final
class Throughput(Metric):
    """Items per second: the items of all steps over their time.

    Ordered: over steps items and seconds add; over devices, which work at the same time, items add
    and the longest time counts. Measure the seconds yourself, after `jax.block_until_ready`.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats. Undefined when: the seconds sum to 0. Negative or NaN items and seconds are
    invalid.

    !!! example

        ```python
        import eqmetrics as eqm
        rate = eqm.Throughput().update(items=256, seconds=0.5).update(items=256, seconds=1.5)
        assert rate.compute() == 256.0
        ```
    """

    ordered: ClassVar[bool] = True

    undefined: float | None = eqx.field(static=True)
    sums: Sums
    seconds: Float32[Array, "2"] = state(reduce=_LONGEST)

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.sums = Sums("items >= 0, seconds >= 0", items=())
        self.seconds = jnp.zeros(2, jnp.float32)

    def update(self, *, items: Values, seconds: Values, mask: Mask = None) -> Self:
        """One step: `items`, how many it had, and `seconds`, how long it took, of one shape. Of
        several entries, such as those of several devices, items add and the longest time counts."""
        batch, time = _steps(items, seconds, mask)
        assert batch.mask is not None
        (longest,) = max_rows(1, False)(jnp.zeros((), jnp.float32), time, batch.mask)
        return self.replace(
            sums=self.sums.add(batch, items=batch.values), seconds=add(self.seconds, lift(longest))
        )

    def compute(self) -> Float32[Array, ""]:
        seconds = to_float(self.seconds)
        items = self.sums.read("items")
        return quotient_or(items, seconds, self.undefined)
