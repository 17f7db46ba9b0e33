from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient
from .._rows.rows import undefined_as
from ._items import items_of, valid_items


@final
class CatalogCoverage(Metric):
    """The share of all items that were recommended to at least one user.

    **Arguments:**

    - `num_items`: how many items there are.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the inputs are item numbers. Users of weight 0 don't count; otherwise
    weights change nothing.
    State: `2 * num_items + 2` floats. Undefined when: nothing was recommended.
    Source: Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy: evaluating recommender systems by
    coverage and serendipity", 2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coverage = eqm.ranking.CatalogCoverage(4)
        assert coverage(recommended=jnp.array([[0, 1], [1, 3]])) == 0.75
        ```
    """

    num_items: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_items: int, *, undefined: float | None = None):
        if not isinstance(num_items, int) or not 0 < num_items < 2**30:
            raise ValueError(f"num_items={num_items!r}: expected a whole number from 1 to 2^30.")
        self.num_items = num_items
        self.undefined = undefined
        self.sums = Sums(valid_items(num_items), counts=num_items)

    def update(self, *, recommended: Values, mask: Mask = None, weights: Weights = None) -> Self:
        """`recommended` are item numbers of shape `(*users, k)`. A `mask` with the shape of the
        users removes users; one with the shape of `recommended` removes items. `weights` has the
        shape of the users."""
        items = items_of(recommended, mask, weights, self.num_items)
        return self.replace(sums=self.sums.add_at(items.batch, "counts", items.numbers, items.real))

    def compute(self) -> Float32[Array, ""]:
        """A scalar."""
        seen = jnp.sum(self.sums.pair("counts")[0] > 0, dtype=jnp.int32)
        share = quotient(seen.astype(jnp.float32), jnp.float32(self.num_items))
        return undefined_as(share, seen == 0, self.undefined)
