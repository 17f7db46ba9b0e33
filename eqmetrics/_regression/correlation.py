from typing import final

import jax.numpy as jnp
from jaxtyping import Array

from .._aggregate.joint import correlation
from .._rows.quotient import over
from .._rows.squares import divisor
from .moment_score import AbstractMomentScore
from .pair_moments import Spreads


@final
class Pearson(AbstractMomentScore, init=False):
    r"""Pearson's linear correlation of predictions and targets:
    $\mathrm{Cov}(p, t) / (\sigma_p \sigma_t)$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.PairMoments`][], shared. Undefined when: predictions or targets of a
    column are constant. Deviations below $10^{-15}$ or from $10^{19}$ on have no square in float32:
    NaN.
    Source: Pearson, "Notes on regression and inheritance in the case of two parents", 1895.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        pearson = eqm.Pearson()
        value = pearson(predictions=jnp.array([1.0, 2.0, 3.0]), targets=jnp.array([5.0, 7.0, 9.0]))
        assert abs(value - 1) < 1e-6
        ```
    """

    def score(self, s: Spreads) -> tuple[Array, Array]:
        value = correlation(s.both, s.targets, s.predictions, jnp.ones_like(s.weight))
        return value, s.constant_targets | s.constant_predictions


@final
class Concordance(AbstractMomentScore, init=False):
    r"""Lin's concordance correlation coefficient, how close predictions and targets are to the
    line $p = t$: $2\,\mathrm{Cov}(p, t) / (\sigma_p^2 + \sigma_t^2 + (\bar p - \bar t)^2)$.

    Variances are over $n$, as Lin defines them; torchmetrics divides by $n - 1$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.PairMoments`][], shared. Undefined when: predictions and targets of
    a column are constant.
    Source: Lin, "A concordance correlation coefficient to evaluate reproducibility", 1989.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        concordance = eqm.Concordance()
        value = concordance(predictions=jnp.array([2.0, 4.0]), targets=jnp.array([1.0, 3.0]))
        assert abs(value - 2 / 3) < 1e-6
        ```
    """

    def score(self, s: Spreads) -> tuple[Array, Array]:
        spread = divisor(s.targets + s.predictions) + s.mean_error**2
        ratio = jnp.where(spread == 0, jnp.nan, over(2 * s.both, spread))
        return ratio, s.constant_targets & s.constant_predictions
