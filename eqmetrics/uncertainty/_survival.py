"""Scores of predicted survival, as scikit-survival defines them."""

from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._survival_buffer import check_times, SurvivalBuffer


class AbstractSurvivalScore(AbstractReadout):
    """A value of predicted survival at some times. A subclass writes `compute`."""

    undefined: float | None = eqx.field(static=True)
    statistic: SurvivalBuffer

    def __init__(
        self,
        times: Sequence[float] | np.ndarray,
        *,
        capacity: int,
        undefined: float | None = None,
    ):
        self.undefined = undefined
        self.statistic = SurvivalBuffer(times, capacity=capacity)


def _brier(statistic: SurvivalBuffer) -> tuple[Array, Array]:
    """The score at each time, and whether it is undefined."""
    s, times = statistic.in_order(), jnp.asarray(statistic.times, jnp.float32)
    place = s.at(times)
    later = s.targets[:, None] > times[None]
    case = (s.events & (s.until > 0))[:, None] & ~later
    control = s.mask[:, None] & later
    own, common = jnp.where(s.until > 0, s.until, 1)[:, None], s.uncensored[place][None]
    common = jnp.where(common > 0, common, 1)
    p = s.predictions
    each = jnp.where(case, p * p / own, jnp.where(control, (1 - p) ** 2 / common, 0))
    number = jnp.sum(s.mask, dtype=jnp.int32)
    mean = to_float(sum_rows(each)) / jnp.maximum(number, 1).astype(jnp.float32)
    return mean, place >= number


@final
class IPCWBrier(AbstractSurvivalScore, init=False):
    r"""The Brier score of predicted survival at given times: the mean squared difference of the
    predicted probability and the outcome, with inverse probability of censoring weights (IPCW): the
    other rows count more, to make up for those censored before the time.

    $\frac{1}{n} \sum_i \hat S_i(t)^2 \frac{[T_i \le t, \delta_i]}{\hat G(T_i)} +
    (1 - \hat S_i(t))^2 \frac{[T_i > t]}{\hat G(t)}$, where $\hat G$ is the Kaplan-Meier estimate
    of the share that isn't censored, from the rows that were seen. scikit-survival takes $\hat G$
    from training data, which may be the same rows; as there, $\hat G(T_i)$ includes rows censored
    at $T_i$ itself, and at equal times deaths come before censoring.

    **Arguments:**

    - `times`: increasing numbers.
    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Exact, from a buffer of all rows, in $O(n \log n)$ and $O(n)$ for each time. The gradient with
    respect to the predictions is that of the value.
    State: `capacity * (len(times) + 2) + 7` numbers, shared in a `MetricDict`. Undefined when: no
    row outlives the time, none was seen, or more than `capacity` were. Rows whose time isn't
    finite, with events other than 0 and 1 or with predictions outside [0, 1], are invalid.
    Source: Graf et al., "Assessment and comparison of prognostic classification schemes for
    survival data", 1999.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        brier = eqm.uncertainty.IPCWBrier((1.5,), capacity=100)
        value = brier(
            predictions=jnp.array([[0.5], [0.8], [0.9]]),
            targets=jnp.array([1.0, 2.0, 3.0]),
            events=jnp.array([True, False, True]),
        )
        assert abs(value[0] - (0.25 + 0.04 + 0.01) / 3) < 1e-6
        ```
    """

    def compute(self) -> Float32[Array, "times"]:
        """The score at each time, of shape `(len(times),)`."""
        return undefined_as(*_brier(self.statistic), self.undefined)


@final
class IntegratedBrier(AbstractSurvivalScore):
    r"""The mean of [`eqmetrics.uncertainty.IPCWBrier`][] over the time from the first to the last
    of the given times, by trapezoids: $\frac{1}{t_k - t_1} \int_{t_1}^{t_k} BS(t) \, dt$.

    The score is exact at the times themselves and taken as a straight line between them, so choose
    them close enough.

    **Arguments:**

    - `times`: increasing numbers, at least two.
    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient with respect to the predictions is that of the value.
    State: `capacity * (len(times) + 2) + 7` numbers, shared in a `MetricDict`. Undefined when: no
    row outlives the last of the times, or more than `capacity` were seen. Rows whose time
    isn't finite, with events other than 0 and 1 or with predictions outside [0, 1], are invalid.
    Source: Graf et al., 1999; scikit-survival's `integrated_brier_score`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        brier = eqm.uncertainty.IntegratedBrier((1.5, 2.5), capacity=100)
        value = brier(
            predictions=jnp.array([[0.5, 0.5], [0.8, 0.5], [1.0, 0.5]]),
            targets=jnp.array([1.0, 2.0, 3.0]),
            events=jnp.ones(3, bool),
        )
        assert abs(value - ((0.25 + 0.04) / 3 + 0.25) / 2) < 1e-6
        ```
    """

    def __init__(
        self,
        times: Sequence[float] | np.ndarray,
        *,
        capacity: int,
        undefined: float | None = None,
    ):
        check_times(times, least=2)
        AbstractSurvivalScore.__init__(self, times, capacity=capacity, undefined=undefined)

    def compute(self) -> Float32[Array, ""]:
        scores, none = _brier(self.statistic)
        width = np.diff(np.asarray(self.statistic.times, np.float64))
        share = jnp.asarray(width / np.sum(width), jnp.float32)
        mean = jnp.sum((scores[1:] + scores[:-1]) / 2 * share)
        return undefined_as(mean, none[-1], self.undefined)


@final
class TimeDependentAUC(AbstractSurvivalScore, init=False):
    r"""The AUC at each of the given times, and their mean. The AUC is the probability that a row
    that has died by then has a lower predicted survival than a row that is still alive. Ties count
    one half.

    Cases are cumulative (all deaths up to $t$), controls dynamic (all rows alive after $t$). A row
    that died at $T_i \le t$ weighs $1 / \hat G(T_i)$, where $\hat G$ is the share that isn't
    censored, as for [`eqmetrics.uncertainty.IPCWBrier`][]. The mean is weighted by the share that
    dies between one time and the next, by Kaplan and Meier, as in scikit-survival's
    `cumulative_dynamic_auc`. The AUC at each time is exact; the mean depends on the choice of the
    times.

    Only the order of the predictions matters. A risk $r$ that is the same at all times is given as
    `jnp.repeat(jax.nn.sigmoid(-r)[:, None], len(times), axis=1)`.

    **Arguments:**

    - `times`: increasing numbers.
    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Exact, from a buffer of all rows, in $O(n \log n)$ for each time. The gradient is 0: the
    value is piecewise constant.
    State: `capacity * (len(times) + 2) + 7` numbers, shared in a `MetricDict`. Undefined when: no
    row died until the time or none outlives it (the mean leaves such times out), no row was seen,
    or more than `capacity` were. Rows whose time isn't finite, with events other than 0 and 1 or
    with predictions outside [0, 1], are invalid.
    Source: Uno et al., "Evaluating prediction rules for t-year survivors with censored regression
    models", 2007; Lambert and Chevret, 2016, for the mean.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        auc = eqm.uncertainty.TimeDependentAUC((1.5,), capacity=100)
        value = auc(
            predictions=jnp.array([[0.5], [0.8], [0.3]]),
            targets=jnp.array([1.0, 2.0, 3.0]),
            events=jnp.array([True, False, True]),
        )
        assert value["auc"].tolist() == [0.5] and value["mean"] == 0.5
        ```
    """

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of `auc`, of shape `(len(times),)`, and `mean`, a scalar."""
        s, times = self.statistic.in_order(), jnp.asarray(self.statistic.times, jnp.float32)
        later = s.mask[:, None] & (s.targets[:, None] > times[None])
        case = (s.events & (s.until > 0))[:, None] & (s.targets[:, None] <= times[None])
        p = lax.stop_gradient(s.predictions)
        above = jnp.sort(jnp.where(later, p, 2), axis=0)  # those who live, from low to high
        side = lambda side: jax.vmap(
            lambda x, y: jnp.searchsorted(x, y, side=side), in_axes=1, out_axes=1
        )(above, p)
        # Twice the number of living rows with a larger prediction; equal ones count half.
        alive = jnp.sum(later, axis=0, dtype=jnp.int32)
        twice = (2 * alive[None] - side("left") - side("right")).astype(jnp.float32)
        weight = jnp.where(case, 1 / jnp.where(s.until > 0, s.until, 1)[:, None], 0)
        top, bottom = (to_float(sum_rows(x)) for x in (weight * twice, weight))
        pairs = 2 * alive.astype(jnp.float32) * bottom
        auc, none = over(top, pairs), pairs == 0
        lives = jnp.concatenate([jnp.ones(1, jnp.float32), s.alive[s.at(times)]])
        share = jnp.where(none, 0, lives[:-1] - lives[1:])
        total = jnp.sum(share)
        mean = over(jnp.sum(auc * share), total)
        return {
            "auc": undefined_as(auc, none, self.undefined),
            "mean": undefined_as(mean, total == 0, self.undefined),
        }
