from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._aggregate.quantile_sketch import accumulate, Cells, layouts, QuantileSketch
from .._custom_types import Mask, Values, Weights
from .._metric.bounds import AbstractBounded
from .._metric.wrapped import nan_where_left_out
from .._reduction.pair import add, to_float
from .._reduction.pair_sums import sum_pairs, sum_rows
from .._rows.quotient import over
from .._rows.rows import undefined_as
from .paired import paired, unless


def _distance(cells: Cells, weight: Array) -> tuple[Array, Array]:
    """The distance with every value in the middle of its cell, and how far off it may be."""
    p, t = cells.weights
    apart = over(jnp.abs(to_float(accumulate(add(p, -t))))[:-1], weight)
    # From middle to middle. A middle itself needn't be a float.
    gaps = (cells.low[1:] - cells.low[:-1]) / 2 + (cells.high[1:] - cells.high[:-1]) / 2
    moved = over(to_float(p) + to_float(t), weight) * (cells.high / 2 - cells.low / 2)
    return to_float(sum_rows(apart * gaps)), to_float(sum_rows(moved))


@jax.jit
def _distances(predictions: QuantileSketch, targets: QuantileSketch) -> tuple[Array, ...]:
    """A lower and an upper bound, an estimate, and the weight."""
    weight = to_float(sum_pairs(targets.linear))
    found = [_distance(cells, weight) for cells in layouts(predictions, targets)]
    low, high = (jnp.stack([x + sign * e for x, e in found]) for sign in (-1, 1))
    # Room for the rounding of the sums.
    low = jnp.maximum(jnp.max(low), 0) * (1 - 2.0**-21)
    high = jnp.min(high) * (1 + 2.0**-21)
    (linear, moved), (bits, others) = found
    near = jnp.where(moved < others, linear, bits)
    return low, high, jnp.clip(near, low, high), weight


@final
class Wasserstein1D(AbstractBounded):
    r"""The Wasserstein (earth mover's) distance of the distribution of the predictions from that of
    the targets: $\int |F_p(x) - F_t(x)| \, dx$. Which prediction belongs to which target doesn't
    matter.

    The state is of fixed size: each value is known to 0.39 % of itself, or to 6.1e-5 of the range
    of all values, whichever is less, and the distance to the mean of these. `bounds()` gives two
    numbers that the distance lies between, and `compute()` an estimate between them.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the state has only the cells of the values.
    State: two [`eqmetrics.QuantileSketch`][], 2.6 MB. Undefined when: the weights sum to 0. Rows
    that aren't finite, and negative weights, are invalid.
    Source: Vallender, "Calculation of the Wasserstein distance between probability distributions on
    the line", 1974.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        distance = eqm.Wasserstein1D()
        targets = jnp.array([0.0, 1.0, 2.0])
        distance = distance.update(predictions=targets[::-1] + 0.5, targets=targets)
        low, high = distance.bounds()
        assert low < 0.5 < high and high - low < 5e-4
        ```
    """

    undefined: float | None = eqx.field(static=True)
    predictions: QuantileSketch
    targets: QuantileSketch

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.predictions = QuantileSketch()
        self.targets = QuantileSketch()

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real and of one shape."""
        _, both = paired(predictions, targets, mask, weights)
        finite = jnp.isfinite(both[0]) & jnp.isfinite(both[1])
        (p, p_weights), (t, t_weights) = (
            unless(~finite, x, weights) for x in (predictions, targets)
        )
        return self.replace(
            predictions=self.predictions.update(p, mask=mask, weights=p_weights),
            targets=self.targets.update(t, mask=mask, weights=t_weights),
        )

    def _read(self) -> tuple[Array, Array, Array]:
        *found, weight = _distances(self.predictions, self.targets)
        low, high, near = (undefined_as(x, weight == 0, self.undefined) for x in found)
        return low, high, near

    def bounds(self) -> tuple[Float32[Array, ""], Float32[Array, ""]]:
        """Two numbers that the distance lies between."""
        return nan_where_left_out(self, self._read()[:2])

    def compute(self) -> Float32[Array, ""]:
        return self._read()[2]
