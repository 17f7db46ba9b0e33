from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._field import state
from .._metric import AbstractExact
from .._reduction import EXACT_SUM
from .._reduction.pair import Pair, to_float
from .._row_sum import AbstractRowSum, invalid_of, Part, Parts, row_sum
from .._rows import rows


@final
class Histogram(AbstractExact, AbstractRowSum):
    """The weight of the values in each bin, and of those below and above all bins.

    A bin holds its lower edge; the last one holds its upper edge too, as in numpy. Values and
    edges are compared in float32.

    **Arguments:**

    - `edges`: the edges of the bins, increasing; one more than there are bins.

    The gradient is 0: the value is constant but for jumps.
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
    cells: Float32[Array, "2 cells"] = state(reduce=EXACT_SUM)  # below, the bins, above
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="values that aren't NaN, weights >= 0"
    )

    def __init__(self, edges: Sequence[float] | np.ndarray):
        narrow = np.asarray(edges, np.float32)
        if narrow.ndim != 1 or narrow.size < 2 or not np.all(np.diff(narrow) > 0):
            raise ValueError(f"edges={edges}: expected increasing numbers, at least two.")
        self.edges = tuple(narrow.tolist())
        self.cells = jnp.zeros((2, narrow.size + 1), jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    @row_sum
    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Parts:
        batch = rows(values, mask, weights)
        x = batch.values.astype(jnp.float32)
        batch = batch.without(jnp.isnan(x))
        index = jnp.searchsorted(jnp.asarray(self.edges, jnp.float32), x, side="right")
        # The last bin is closed.
        last = len(self.edges) - 1
        index = jnp.where(x == self.edges[-1], last, index).astype(jnp.int32)[:, None]
        ones = jnp.ones(index.shape, bool)
        cells = Part(ones, batch.mask, batch.weights, index)
        return {"cells": cells, "invalid": invalid_of(batch)}

    def exact(self) -> dict[str, Pair]:
        return {
            "counts": self.cells[:, 1:-1],
            "below": self.cells[:, 0],
            "above": self.cells[:, -1],
        }

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`counts`, of shape `(len(edges) - 1,)`; `below` and `above`, scalars."""
        return {name: to_float(x) for name, x in self.exact().items()}
