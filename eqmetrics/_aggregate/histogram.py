import math
from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import AbstractExact
from .._onepass.sums import Sums
from .._reduction.pair import is_wide, Pair, to_float
from .._rows.rows import rows


def _among_integers(edges: tuple[float, ...], x: Array) -> tuple[Array, Array]:
    """How many edges are at most each integer, and which integers equal the last edge."""
    info = jnp.iinfo(x.dtype)
    # The smallest integer that reaches each edge. All reach edges below the range of the type, and
    # none reaches those above it.
    first = [math.ceil(max(edge, info.min)) for edge in edges if edge <= info.max]
    index = jnp.searchsorted(jnp.asarray(first, x.dtype), x, side="right")
    last = edges[-1]
    on_edge = last == math.floor(last) and info.min <= last <= info.max
    return index, (x == jnp.asarray(int(last), x.dtype)) if on_edge else jnp.zeros(x.shape, bool)


@final
class Histogram(AbstractExact):
    """The weight of the values in each bin, and of those below and above all bins.

    A bin includes its lower edge; the last one includes its upper edge too, as in numpy. Values and
    edges are compared in float32, integers exactly.

    **Arguments:**

    - `edges`: the edges of the bins, increasing; one more than the number of bins.

    The gradient is 0: the value is piecewise constant.
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
        wide = np.asarray(edges, np.float64)
        # From 2^24 on there are more integers than floats.
        apart = np.where(np.abs(wide) < 2**24, wide.astype(np.float32), wide)
        if wide.ndim != 1 or wide.size < 2 or not np.all(np.diff(apart) > 0):
            raise ValueError(f"edges={edges}: expected increasing numbers, at least two.")
        self.edges = tuple(wide.tolist())
        self.sums = Sums("values that aren't NaN, weights >= 0 and finite", cells=wide.size + 1)

    def update(self, values: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        batch = rows(values, mask, weights)
        batch = batch.without(jnp.isnan(batch.values))
        if is_wide(batch.values):
            index, top = _among_integers(self.edges, batch.values)
        else:
            x, edges = batch.values.astype(jnp.float32), jnp.asarray(self.edges, jnp.float32)
            index, top = jnp.searchsorted(edges, x, side="right"), x == edges[-1]
        # The last bin is closed.
        last = len(self.edges) - 1
        index = jnp.where(top, last, index).astype(jnp.int32)[:, None]
        one = jnp.ones(index.shape, bool)
        return self.replace(sums=self.sums.add_at(batch, "cells", index, one))

    def exact(self) -> dict[str, Pair]:
        cells = self.sums.pair("cells")
        return {"counts": cells[:, 1:-1], "below": cells[:, 0], "above": cells[:, -1]}

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict: `counts`, of shape `(len(edges) - 1,)`; `below` and `above`, scalars."""
        return {name: to_float(x) for name, x in self.exact().items()}
