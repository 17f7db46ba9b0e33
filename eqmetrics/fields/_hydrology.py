"""Scores of time series in hydrology, read from moments of pairs."""

from typing import final, get_args, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.readout import AbstractReadout
from .._regression.moment_score import AbstractMomentScore
from .._regression.pair_moments import PairMoments, Spreads
from .._regression.paired import checked_multioutput, Multioutput, over_columns
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .._rows.squares import divisor


@final
class NashSutcliffe(AbstractMomentScore, init=False):
    r"""The Nash-Sutcliffe efficiency of each site:
    $1 - \sum_i (t_i - p_i)^2 / \sum_i (t_i - \bar t)^2$. 1 is perfect, 0 is as good as always
    predicting the mean of the targets.

    It is [`eqmetrics.R2`][] under its name in hydrology, with the mean of each site over all rows
    seen. Members of a `MetricDict` share their moments.

    **Arguments:**

    - `outputs`: how many sites, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the sites, their `"raw_values"`, whose median is often
        reported, or a weight for each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: that of [`eqmetrics.PairMoments`][], shared. Undefined when: the targets of a site are
    constant.
    Source: Nash and Sutcliffe, "River flow forecasting through conceptual models", 1970.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        nse = eqm.fields.NashSutcliffe()
        assert nse(predictions=jnp.array([1.0, 2.0]), targets=jnp.array([0.0, 2.0])) == 0.5
        ```
    """

    def score(self, s: Spreads) -> tuple[Array, Bool[Array, "..."]]:
        unexplained = over(s.squared_error(), divisor(s.targets))
        # A spread of 0 that isn't of a constant has left the range of float32.
        return jnp.where(s.targets == 0, jnp.nan, 1 - unexplained), s.constant_targets


Variant = Literal["2009", "2012"]


@final
class KlingGupta(AbstractReadout):
    r"""The Kling-Gupta efficiency of each site:
    $1 - \sqrt{(r - 1)^2 + (\alpha - 1)^2 + (\beta - 1)^2}$, with the correlation $r$, the ratio of
    the spreads $\alpha$ and that of the means $\beta = \bar p / \bar t$. 1 is perfect; always
    predicting the mean of the targets scores $1 - \sqrt2$.

    $\alpha$ is the ratio of the standard deviations in the variant of 2009; in that of 2012 it is
    the ratio of the coefficients of variation, $(\sigma_p / \bar p) / (\sigma_t / \bar t)$, so that
    a bias doesn't count twice.

    **Arguments:**

    - `variant`: `"2009"` or `"2012"`.
    - `outputs`: how many sites, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the sites, their `"raw_values"`, or a weight for each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; 0 where the value is 1.
    State: that of [`eqmetrics.PairMoments`][], shared. Undefined when: the targets or the
    predictions of a site are constant, or the mean of the targets is 0; in the variant of 2012 also
    if that of the predictions is.
    Source: Gupta et al., "Decomposition of the mean squared error and NSE performance criteria",
    2009; Kling, Fuchs and Paulin, "Runoff conditions in the upper Danube basin under an ensemble of
    climate change scenarios", 2012.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kge = eqm.fields.KlingGupta()
        value = kge(predictions=jnp.array([2.0, 4.0]), targets=jnp.array([1.0, 2.0]))
        assert abs(value - (1 - 2**0.5)) < 1e-6  # r = 1, both ratios are 2
        ```
    """

    variant: Variant = eqx.field(static=True)
    multioutput: Multioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: PairMoments

    def __init__(
        self,
        variant: Variant = "2009",
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if variant not in get_args(Variant):
            raise ValueError(f"variant={variant!r}: expected '2009' or '2012'.")
        self.variant = variant
        self.multioutput = checked_multioutput(multioutput, outputs)
        self.undefined = undefined
        self.statistic = PairMoments(outputs)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        s = self.statistic.spreads()
        of_p, of_t = root(divisor(s.predictions)), root(divisor(s.targets))
        nothing = s.constant_targets | s.constant_predictions | (s.mean_target == 0)
        if self.variant == "2012":
            nothing = nothing | (s.mean_prediction == 0)
        safe = lambda x: jnp.where(nothing, 1, x)
        r = over(over(s.both, safe(of_p)), safe(of_t))
        spread = safe(of_p) / safe(of_t)
        if self.variant == "2012":
            spread = spread * safe(s.mean_target) / safe(s.mean_prediction)
        # The mean error has its own moments: as a difference of two means it would lose digits.
        off = safe(s.mean_error) / safe(s.mean_target)
        away = root((r - 1) ** 2 + (spread - 1) ** 2 + off**2)
        return over_columns(undefined_as(1 - away, nothing, self.undefined), self.multioutput)
