from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._aggregate.quantile_sketch import bracket, QuantileSketch
from .._metric.bounds import AbstractBounded
from .._metric.readout import AbstractReadout
from .._metric.wrapped import nan_where_left_out
from .._reduction.pair import add, from_integer, lift, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.rows import undefined_as
from ._shares import as_pairs, floor, just_below
from ._value_buffer import ValueBuffer


@final
class ConformalQuantile(AbstractReadout, AbstractBounded):
    r"""The threshold of split conformal prediction: the
    $\lceil (n + 1)(1 - \alpha) \rceil$-th smallest of the scores of $n$ calibration rows. The set
    of all candidates whose score is at most this contains the truth of a new row with a probability
    of at least $1 - \alpha$.

    A score is large where model and truth disagree: 1 minus the probability of the true class, or
    the absolute error. Where the rank is above $n$, as for 8 scores at $\alpha = 0.1$, the
    threshold is infinity: only the set of all candidates is safe. (MAPIE raises an error there;
    `np.quantile` at $1 - \alpha$ is too small, and doesn't guarantee the coverage.)

    `bounds()` gives two numbers that the threshold lies between, as for [`eqmetrics.Quantile`][]:
    at most 0.39 % of the value apart and about 6.1e-5 of the range. `compute()` is the upper one,
    so that the guarantee holds. With `exact=capacity`, `compute()` is the score itself.

    **Arguments:**

    - `alpha`: the share of sets that may miss the truth, as 0.1; or several in a list or tuple.
    - `exact`: if given, keep up to so many rows in a [`eqmetrics.uncertainty.ValueBuffer`][]
        instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The rounding of $\alpha$ doesn't move a rank: for 9 scores at 0.3 it is the 7th. A weight
    repeats a score, and the sum of the weights is $n$, so that their scale matters. (The weights
    for covariate shift of Tibshirani et al., 2019, mean something else.) With `exact` there are no
    weights.
    The gradient is 0: the state has only the cells of the values, or stops the gradient.
    State: that of [`eqmetrics.QuantileSketch`][], 1.3 MB, shared; or `capacity + 7` numbers.
    Undefined when: no row was seen. Values that aren't finite are invalid.
    Source: Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005; Lei et al.,
    "Distribution-free predictive inference for regression", 2018.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        quantile = eqm.uncertainty.ConformalQuantile(0.2, exact=100)
        assert quantile(jnp.arange(1.0, 10.0)) == 8.0
        assert eqm.uncertainty.ConformalQuantile(0.01)(jnp.arange(9.0)) == jnp.inf
        ```
    """

    alpha: float | tuple[float, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: QuantileSketch | ValueBuffer

    def __init__(
        self,
        alpha: float | Sequence[float],
        *,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        each = tuple(alpha) if isinstance(alpha, Sequence) else (alpha,)
        if not each or not all(0 < x < 1 for x in each):
            raise ValueError(f"alpha={alpha}: expected numbers between 0 and 1.")
        several = isinstance(alpha, Sequence)
        self.alpha = tuple(map(float, each)) if several else float(each[0])
        self.undefined = undefined
        self.statistic = QuantileSketch() if exact is None else ValueBuffer(exact)

    def _ends(self) -> tuple[Array, Array]:
        statistic = self.statistic
        if isinstance(statistic, ValueBuffer):
            count = from_integer(statistic.kept.count)
        else:
            count = sum_pairs(statistic.linear)
        shares = jnp.asarray(as_pairs(1 - np.asarray(self.alpha, np.float64)))
        rank = just_below(add(count, lift(jnp.ones((), jnp.float32))), shares)
        beyond = to_float(add(rank, -jnp.broadcast_to(count[:, None], rank.shape))) >= 0
        if isinstance(statistic, ValueBuffer):
            at = jnp.minimum(floor(rank), statistic.capacity - 1)
            low = high = statistic.in_order()[at]
        else:
            low, high = bracket(statistic, rank)
        empty, shape = to_float(count) == 0, np.shape(self.alpha)
        ends = (jnp.where(beyond, jnp.inf, x).reshape(shape) for x in (low, high))
        low, high = (undefined_as(x, empty, self.undefined) for x in ends)
        return low, high

    def bounds(self) -> tuple[Float32[Array, "..."], Float32[Array, "..."]]:
        """Two numbers that the threshold lies between."""
        return nan_where_left_out(self, self._ends())

    def compute(self) -> Float32[Array, "..."]:
        """The upper bound: a scalar; of shape `(len(alpha),)` if `alpha` is a tuple."""
        return self._ends()[1]
