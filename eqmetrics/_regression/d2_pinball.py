"""Pinball losses relative to that of a quantile of the targets, known from a sketch by bounds."""

from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._aggregate.quantile_sketch import bracket, layouts, QuantileSketch
from .._custom_types import Mask, Values, Weights
from .._metric.bounds import AbstractBounded
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._metric.wrapped import nan_where_left_out
from .._onepass.sums import Sums
from .._reduction.pair import add, lift, multiply, Pair, to_float
from .._reduction.pair_sums import sum_pairs, sum_rows
from .._rows.quotient import over
from .._rows.rows import undefined_as
from .paired import errors_of, paired, unless


@final
class OneSidedErrors(AbstractStatistic):
    r"""The sums of the errors above and below the targets, and a sketch of the targets: the
    statistic that `D2Pinball` and `D2AbsoluteError` read, and share in a `MetricDict`.

    The gradient is 0: the state has only the cells of the targets.
    State: a [`eqmetrics.QuantileSketch`][], 1.3 MB, and 6 floats. Undefined when: never; empty sums
    are 0. Rows that aren't finite, and negative weights, are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        errors = eqm.OneSidedErrors()
        value = errors(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([2.0, 0.0]))
        assert value == {"below": 1.0, "above": 3.0}
        ```
    """

    targets: QuantileSketch
    sums: Sums

    def __init__(self):
        self.targets = QuantileSketch()
        self.sums = Sums(below=(), above=())

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real and of one shape."""
        # A sketch has no gradient, and that of half a quotient would be wrong.
        predictions, targets = jax.lax.stop_gradient((predictions, targets))
        batch, (p, t) = paired(predictions, targets, mask, weights)
        finite = jnp.isfinite(p) & jnp.isfinite(t)
        # The sketch counts the invalid rows.
        batch = batch.only(finite)._replace(invalid=None)
        errors = errors_of(batch, predictions, targets)
        shown, counted = unless(~finite, targets, weights)
        return self.replace(
            targets=self.targets.update(shown, mask=mask, weights=counted),
            sums=self.sums.add(
                batch, below=jnp.maximum(-errors, 0), above=jnp.maximum(errors, 0)
            ),
        )

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict of the sums of errors: `below`, of predictions below their targets; `above`, of
        the others."""
        return self.sums.compute()


@jax.jit
def _losses(sketch: QuantileSketch, share: Pair) -> tuple[Array, Array, Array]:
    """Bounds of the smallest pinball loss of all values to one number, and an estimate. That number
    is the value of rank `share` of their weight."""
    alpha, rest = to_float(share), to_float(add(lift(jnp.ones_like(share[0])), -share))
    rank = multiply(sum_pairs(sketch.linear), share)
    q = [x[0] for x in bracket(sketch, rank[:, None])]

    def loss(x: Array) -> Array:
        return jnp.where(x < 0, -rest * x, alpha * x)

    found = []
    for cells in layouts(sketch):
        weight = to_float(cells.weights[0])
        least, most = cells.low - q[1], cells.high - q[0]
        middle = (cells.low - q[0]) / 2 + (cells.high - q[1]) / 2
        over = (least <= 0) & (most >= 0)
        ends = (
            jnp.where(over, 0, jnp.minimum(loss(least), loss(most))),
            jnp.maximum(loss(least), loss(most)),
            loss(middle),
        )
        found.append([to_float(sum_rows(jnp.where(weight > 0, weight * x, 0))) for x in ends])
    (low, high, near), (other_low, other_high, other_near) = found
    near = jnp.where(high - low < other_high - other_low, near, other_near)
    # Room for the rounding of the sums.
    low = jnp.maximum(low, other_low) * (1 - 2.0**-21)
    high = jnp.minimum(high, other_high) * (1 + 2.0**-21)
    return low, high, jnp.clip(near, low, high)


def _scores(
    statistic: OneSidedErrors, alpha: float, undefined: float | None
) -> tuple[Array, Array, Array]:
    sketch = statistic.targets
    below, above = statistic.sums.read("below", "above")
    loss = alpha * below + (1 - alpha) * above
    high = np.float32(alpha)
    least = _losses(sketch, jnp.asarray(np.stack([high, np.float32(alpha - float(high))])))
    constant = ~(sketch.ends[0] > -sketch.ends[1]) | (to_float(sum_pairs(sketch.linear)) == 0)
    low, high, near = (undefined_as(1 - over(loss, x), constant, undefined) for x in least)
    return low, high, near


@final
class D2Pinball(AbstractReadout, AbstractBounded):
    r"""The share of the pinball loss of the targets that is explained, an $R^2$ with another loss:
    $1 - \sum_i w_i \rho_\alpha(t_i - p_i) / \sum_i w_i \rho_\alpha(t_i - q_\alpha)$, where
    $q_\alpha$, the $\alpha$ quantile of the targets, is the constant with the smallest loss.

    1 is perfect, and 0 is as good as always predicting that quantile. The state is of fixed size,
    so the denominator isn't exact: each target is known to 0.39 % of its value, or to 6.1e-5 of the
    range of the targets, whichever is less. `bounds()` gives two numbers that the score lies
    between, and `compute()` an estimate between them.

    **Arguments:**

    - `alpha`: the quantile that is predicted, between 0 and 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the state has only the cells of the targets.
    State: that of [`eqmetrics.OneSidedErrors`][], shared. Undefined when: the targets are constant,
    or there is one row. Rows that aren't finite are invalid.
    Source: Koenker and Machado, "Goodness of fit and related inference processes for quantile
    regression", 1999.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        targets = jnp.arange(101.0)
        d2 = eqm.D2Pinball(0.25).update(predictions=targets - 5, targets=targets)
        low, high = d2.bounds()
        assert low < 1 - 0.25 * 5 * 101 / 956.25 < high and high - low < 2e-4
        ```
    """

    alpha: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: OneSidedErrors

    def __init__(self, alpha: float = 0.5, *, undefined: float | None = None):
        if not 0 < alpha < 1:
            raise ValueError(
                f"alpha={alpha}: expected a number between 0 and 1. The loss of 0 or 1 to the "
                "smallest or the largest target is 0."
            )
        self.alpha = float(alpha)
        self.undefined = undefined
        self.statistic = OneSidedErrors()

    def bounds(self) -> tuple[Float32[Array, ""], Float32[Array, ""]]:
        """Two numbers that the score lies between."""
        return nan_where_left_out(self, _scores(self.statistic, self.alpha, self.undefined)[:2])

    def compute(self) -> Float32[Array, ""]:
        return _scores(self.statistic, self.alpha, self.undefined)[2]


@final
class D2AbsoluteError(AbstractReadout, AbstractBounded):
    r"""The share of the absolute error of the targets that is explained, an $R^2$ with another
    loss: $1 - \sum_i w_i |t_i - p_i| / \sum_i w_i |t_i - \mathrm{median}(t)|$, the
    [`eqmetrics.D2Pinball`][] of 0.5.

    1 is perfect, and 0 is as good as always predicting the median. As for `D2Pinball`, `bounds()`
    gives two numbers that the score lies between.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the state has only the cells of the targets.
    State: that of [`eqmetrics.OneSidedErrors`][], shared. Undefined when: the targets are constant,
    or there is one row. Rows that aren't finite are invalid.
    Source: Koenker and Machado, "Goodness of fit and related inference processes for quantile
    regression", 1999.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        d2 = eqm.D2AbsoluteError()
        targets = jnp.array([0.0, 1.0, 5.0])
        d2 = d2.update(predictions=jnp.array([1.0, 1.0, 4.0]), targets=targets)
        low, high = d2.bounds()
        assert low < 0.6 < high and high - low < 2e-4
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: OneSidedErrors

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = OneSidedErrors()

    def bounds(self) -> tuple[Float32[Array, ""], Float32[Array, ""]]:
        """Two numbers that the score lies between."""
        return nan_where_left_out(self, _scores(self.statistic, 0.5, self.undefined)[:2])

    def compute(self) -> Float32[Array, ""]:
        return _scores(self.statistic, 0.5, self.undefined)[2]
