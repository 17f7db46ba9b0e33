from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric import AbstractExact
from .._onepass.sums import Sums
from .._reduction.pair import Pair, to_float
from .._rows import rows


@final
class Histogram(AbstractExact):
    """The weight of the values in each bin, and of those below and above all bins.

    A bin holds its lower edge; the last one holds its upper edge too, as in numpy. Values and
    edges are compared in float32.

    **Arguments:**

    - `edges`: the edges of the bins, increasing; one more than there are bins.

    State: `2 * len(edges) + 4` floats. Undefined when: never; an empty histogram is 0. NaN and
    negative weights are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        histogram = eqm.Histogram([0.0, 1.0, 2.0])(jnp.array([0.0, 0.5, 1.0, 2.0, 7.0]))
        assert histogram["counts"].tolist() == [2.0, 2.0] and histogram["above"] == 1.0
        ```
    """

    edges: tuple[float, ...] = eqx.field(static=True)
    sums: Sums  # `cells`: below, the bins, above

    def __init__(self, edges: Sequence[float] | np.ndarray):
        narrow = np.asarray(edges, np.float32)
        if narrow.ndim != 1 or narrow.size < 2 or not np.all(np.diff(narrow) > 0):
            raise ValueError(f"edges={edges}: expected increasing numbers, at least two.")
        self.edges = tuple(narrow.tolist())
        self.sums = Sums("values that aren't NaN, weights >= 0", cells=narrow.size + 1)

    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        batch = rows(values, mask, weights)
        x = batch.values.astype(jnp.float32)
        batch = batch.without(jnp.isnan(x))
        index = jnp.searchsorted(jnp.asarray(self.edges, jnp.float32), x, side="right")
        # The last bin is closed.
        last = len(self.edges) - 1
        index = jnp.where(x == self.edges[-1], last, index).astype(jnp.int32)[:, None]
        one = jnp.ones(index.shape, bool)
        return self.replace(sums=self.sums.add_at(batch, "cells", index, one))

    def exact(self) -> dict[str, Pair]:
        cells = self.sums.pair("cells")
        return {"counts": cells[:, 1:-1], "below": cells[:, 0], "above": cells[:, -1]}

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`counts`, of shape `(len(edges) - 1,)`; `below` and `above`, scalars."""
        return {name: to_float(x) for name, x in self.exact().items()}
