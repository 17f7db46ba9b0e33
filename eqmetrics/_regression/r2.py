from typing import final, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .._rows.squares import divisor, nan_if_lost, square
from .moment_score import AbstractMomentScore, checked_weighted, explained, WeightedMultioutput
from .pair_moments import PairMoments, Spreads
from .paired import checked_multioutput, Multioutput, over_columns


@final
class R2(AbstractReadout):
    r"""The coefficient of determination:
    $1 - \sum_i w_i (t_i - p_i)^2 / \sum_i w_i (t_i - \bar t)^2$.

    **Arguments:**

    - `adjusted`: the number of regressors of the model; each column is then
        $1 - (1 - R^2) (n - 1) / (n - \mathrm{adjusted} - 1)$, with $n = \sum_i w_i$: the scale of
        the weights matters here.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`,
        `"variance_weighted"`, by the variance of their targets, or a weight for each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.PairMoments`][], shared. Undefined when: the targets of a column are
    constant, or there is one row (scikit-learn returns 0 or 1 for a constant); `adjusted`, if
    $n \le \mathrm{adjusted} + 1$. Deviations below $10^{-15}$ or from $10^{19}$ on have no square
    in float32: NaN.
    Source: Draper and Smith, Applied Regression Analysis, 1998.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        r2 = eqm.R2()
        assert r2(predictions=jnp.array([1.0, 2.0]), targets=jnp.array([0.0, 2.0])) == 0.5
        ```
    """

    adjusted: int = eqx.field(static=True)
    multioutput: WeightedMultioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: PairMoments

    def __init__(
        self,
        *,
        adjusted: int = 0,
        outputs: int | tuple[int, ...] = (),
        multioutput: WeightedMultioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if adjusted < 0:
            raise ValueError(f"adjusted={adjusted}: expected the number of regressors.")
        self.adjusted = adjusted
        self.multioutput = checked_weighted(multioutput, outputs)
        self.undefined = undefined
        self.statistic = PairMoments(outputs)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        s = self.statistic.spreads()
        s = s._replace(targets=divisor(s.targets))
        unexplained = s.squared_error()
        if self.adjusted > 0:
            left = s.weight - self.adjusted - 1
            unexplained = unexplained * over(s.weight - 1, left)
            s = s._replace(constant_targets=s.constant_targets | ~(left > 0))
        return explained(unexplained, s, self.multioutput, self.undefined)


@final
class ExplainedVariance(AbstractReadout):
    r"""The share of the variance of the targets that predictions explain, where a constant error
    costs nothing: $1 - \mathrm{Var}(t - p) / \mathrm{Var}(t)$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`,
        `"variance_weighted"`, by the variance of their targets, or a weight for each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.PairMoments`][], shared. Undefined when: the targets of a column
    are constant. Source: scikit-learn, `explained_variance_score`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        explained = eqm.ExplainedVariance()
        value = explained(predictions=jnp.array([6.0, 7.0]), targets=jnp.array([0.0, 2.0]))
        assert value == 0.75
        ```
    """

    multioutput: WeightedMultioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: PairMoments

    def __init__(
        self,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: WeightedMultioutput = "uniform_average",
        undefined: float | None = None,
    ):
        self.multioutput = checked_weighted(multioutput, outputs)
        self.undefined = undefined
        self.statistic = PairMoments(outputs)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        s = self.statistic.spreads()
        s = s._replace(targets=divisor(s.targets))
        return explained(s.errors, s, self.multioutput, self.undefined)


@final
class RelativeSquaredError(AbstractMomentScore, init=False):
    r"""The squared error relative to that of always predicting the mean of the targets, $1 - R^2$:
    $\sum_i w_i (t_i - p_i)^2 / \sum_i w_i (t_i - \bar t)^2$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.PairMoments`][], shared. Undefined when: the targets of a column
    are constant.
    Source: Witten, Frank and Hall, Data Mining, 2011.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rse = eqm.RelativeSquaredError()
        assert rse(predictions=jnp.array([1.0, 2.0]), targets=jnp.array([0.0, 2.0])) == 0.5
        ```
    """

    def score(self, s: Spreads) -> tuple[Array, Array]:
        ratio = over(s.squared_error(), divisor(s.targets))
        return jnp.where(s.targets == 0, jnp.nan, ratio), s.constant_targets


@final
class NormalizedRMSE(AbstractReadout):
    r"""The root mean squared error relative to the size of the targets.

    **Arguments:**

    - `by`: `"range"`, the largest less the smallest target; `"std"`, their standard deviation (the
        root of [`eqmetrics.RelativeSquaredError`][]); `"mean"`, the absolute value of their mean,
        as torchmetrics does by default; or `"norm"`, the root of their mean square, which gives
        $\|p - t\| / \|t\|$. (torchmetrics' `"l2"` is that over the root of the number of rows: it
        falls as rows are added.)
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.PairMoments`][], shared. Undefined when: the targets of a column are
    constant; with `"mean"` or `"norm"` instead if that is 0, or no row was seen.
    Source: Shcherbakov et al., "A survey of forecast error measures", 2013.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        nrmse = eqm.NormalizedRMSE()
        assert nrmse(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([0.0, 2.0])) == 0.5
        ```
    """

    by: Literal["range", "std", "mean", "norm"] = eqx.field(static=True)
    multioutput: Multioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: PairMoments

    def __init__(
        self,
        by: Literal["range", "std", "mean", "norm"] = "range",
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if by not in ("range", "std", "mean", "norm"):
            raise ValueError(f"by={by!r}: expected 'range', 'std', 'mean' or 'norm'.")
        self.by = by
        self.multioutput = checked_multioutput(multioutput, outputs)
        self.undefined = undefined
        self.statistic = PairMoments(outputs)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        s = self.statistic.spreads()
        nothing = s.constant_targets
        if self.by == "mean":
            size = jnp.abs(s.mean_target)
            nothing = (s.weight == 0) | (size == 0)
        elif self.by == "norm":
            size = root(divisor(s.targets + square(s.mean_target)))
            nothing = (s.weight == 0) | (size == 0)
        elif self.by == "std":
            size = root(divisor(s.targets))
        else:
            size = self.statistic.ends[0, 0] + self.statistic.ends[1, 0]
        values = over(root(nan_if_lost(s.squared_error())), size)
        values = jnp.where(size == 0, jnp.nan, values)
        return over_columns(undefined_as(values, nothing, self.undefined), self.multioutput)
