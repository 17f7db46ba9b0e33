from typing import Any, final, Self

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.field import constant
from .._rows.quotient import over
from .._rows.row_mean import AbstractRowMean, Empty
from ._items import items_of, valid_items


@final
class Novelty(AbstractRowMean):
    r"""How little known the recommended items are, in bits, on average over the users. The novelty
    of a user's items is the mean of $-\log_2 p$ over them, where $p$ is the share of users who know
    an item.

    **Arguments:**

    - `popularity`: for each item the share of users who know it, from 0 to 1, such as the number of
        its interactions in the training data divided by the number of users. If an item with a
        share of 0 is recommended, the value is infinite: to avoid that, add 1 to all counts first.
    - `empty`: what a user without an item counts as: `"skip"` leaves it out, `"zero"` and `"one"`
        count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the inputs are item numbers.
    State: 6 floats, and a constant float for each item. Undefined when: no user has an item.
    Source: Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems",
    2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        novelty = eqm.ranking.Novelty([0.5, 0.25, 0.125])
        assert novelty(recommended=jnp.array([[0, 1], [2, 2]])) == 2.25
        ```
    """

    information: Float32[Array, "items"] = constant()

    def __init__(
        self, popularity: Any, *, empty: Empty = "skip", undefined: float | None = None
    ):
        shares = np.asarray(popularity, np.float64)
        if shares.ndim != 1 or shares.size == 0 or not np.all((shares >= 0) & (shares <= 1)):
            raise ValueError(
                "`popularity`: expected of each item the share of users who know it, from 0 to 1, "
                "of shape (items,). Of counts it is `counts / users`."
            )
        with np.errstate(divide="ignore"):
            self.information = jnp.asarray(-np.log2(shares) + 0, jnp.float32)
        AbstractRowMean.__init__(self, valid_items(shares.size), empty=empty, undefined=undefined)

    def update(self, *, recommended: Values, mask: Mask = None, weights: Weights = None) -> Self:
        """`recommended` are item numbers of shape `(*users, k)`. A `mask` with the shape of the
        users removes users; one with the shape of `recommended` removes items. `weights` has the
        shape of the users."""
        items = items_of(recommended, mask, weights, len(self.information))
        each = jnp.where(items.real, jnp.take(self.information, items.numbers, mode="clip"), 0)
        count = jnp.sum(items.real, axis=1, dtype=jnp.int32)
        mean = over(jnp.sum(each, axis=1), count.astype(jnp.float32))
        return self.plus(items.batch, mean, count > 0)
