from typing import final, Self

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._aggregate.joint import Joint
from .._aggregate.moments import SQUARE
from .._metric.field import state
from .._metric.metric import Metric
from .._reduction.pair import add, as_pair, from_integer, is_wide, lift, Pair, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over


@final
class ChainMeans(Metric):
    """The variance of the means of chains, or of their halves, accurate at any offset: means are
    kept as pairs."""

    weight: Float32[Array, "2"] = state(reduce=SQUARE)
    mean: Float32[Array, "2 1"] = state(reduce=SQUARE)
    products: Float32[Array, "2 1"] = state(reduce=SQUARE)

    def __init__(self):
        self.weight, self.mean, self.products = SQUARE.empty(1)

    def add(
        self, first: Array, means: Float32[Array, "rows parts"], mask: Bool[Array, "rows"]
    ) -> Self:
        """Adds chains: `first` has the first draw of each, of any type, and their parts have the
        means `first + means`."""
        if not is_wide(first):
            first = first.astype(jnp.float32)
        # A number near the means, in the type of the draws: the largest first draw.
        least = -jnp.inf if first.dtype == jnp.float32 else jnp.iinfo(first.dtype).min
        lowest = jnp.asarray(least, first.dtype)
        pivot = jnp.max(jnp.where(mask, first, lowest), initial=lowest)
        pivot = lax.stop_gradient(jnp.where(jnp.any(mask), pivot, jnp.zeros_like(pivot)))
        keep, at = mask[:, None], as_pair(pivot)
        apart = to_float(add(as_pair(first), -jnp.broadcast_to(at[:, None], (2, first.shape[0]))))
        offset = jnp.where(keep, apart[:, None] + means, 0)
        number = from_integer(jnp.sum(mask, dtype=jnp.int32) * means.shape[1])
        centre = over(_total(offset), to_float(number))
        products = _total(jnp.where(keep, (offset - centre) ** 2, 0))
        mean = jnp.where(jnp.any(mask), add(at, lift(centre)), 0)
        new = Joint(number, mean[:, None], lift(products)[:, None])
        old = Joint(self.weight, self.mean, self.products)
        return self.replace(**SQUARE.plus(old, new)._asdict())

    def update(self) -> Self:
        raise TypeError("`ChainMeans` is held by a metric whose `update` adds to it.")

    def number(self) -> Float32[Array, ""]:
        return to_float(self.weight)

    def compute(self) -> Float32[Array, ""]:
        """The unbiased variance (`ddof=1`); 0 if there are fewer than two means."""
        number = self.number()
        few = number < 2
        return jnp.where(few, 0, to_float(self.products[:, 0]) / (jnp.where(few, 2, number) - 1))


def _total(x: Float32[Array, "rows parts"]) -> Float32[Array, ""]:
    sums: Pair = sum_rows(x)
    return to_float(sums).sum()
