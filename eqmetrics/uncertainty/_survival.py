"""Predicted survival curves beside times that may be censored, as scikit-survival scores them."""

from collections.abc import Sequence
from typing import final, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._custom_types import Labels, Mask, Values
from .._metric.checks import describe
from .._metric.field import state
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import lift, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.cells import cumulated
from .._rows.quotient import over
from .._rows.rows import flat, rows, undefined_as
from .._wrap.buffer import Buffer


def _check_times(times: Sequence[float] | np.ndarray, least: int = 1) -> tuple[float, ...]:
    given = np.asarray(times, np.float32)
    finite = given.ndim == 1 and given.size >= least and np.all(np.isfinite(given))
    if not finite or np.any(np.diff(given) <= 0):
        raise ValueError(f"times={times!r}: expected at least {least} increasing number(s).")
    return tuple(given.tolist())


class Survival(NamedTuple):
    """Rows in the order of their times, those that aren't there last; and, before each place, the
    logarithm of the share of them that isn't censored, and of the share that lives."""

    targets: Float32[Array, "rows"]
    events: Bool[Array, "rows"]
    mask: Bool[Array, "rows"]
    predictions: Float32[Array, "rows times"]
    until: Float32[Array, "rows"]  # the share uncensored at the row's own time
    uncensored: Float32[Array, "places"]
    alive: Float32[Array, "places"]

    def at(self, times: Array) -> Array:
        """The place after the rows up to each time."""
        # Rows that aren't there are at infinity.
        return jnp.searchsorted(self.targets, times, side="right")


def _left(count: Array, at_risk: Array) -> Array:
    """Before each place, the product of what the places before leave: by Kaplan and Meier. In
    logarithms, whose sum is as accurate as that of pairs."""
    some = (count > 0) & (count < at_risk)
    share = count.astype(jnp.float32) / jnp.maximum(at_risk, 1).astype(jnp.float32)
    log = jnp.log1p(-jnp.where(some, share, 0))
    # Where all are gone, so is what is left: the exponential of this is 0.
    log = jnp.where((count > 0) & ~some, -1e3, log)
    return jnp.exp(to_float(cumulated(lift(log))))


@jax.jit
def _sorted(columns: dict[str, Array], mask: Array) -> Survival:
    t = jnp.where(mask, columns["targets"], jnp.inf)
    order = jnp.argsort(t).astype(jnp.int32)
    t, events, predictions = t[order], columns["events"][order], columns["predictions"][order]
    mask = mask[order]
    events = events & mask
    number = jnp.sum(mask, dtype=jnp.int32)
    before = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(events, dtype=jnp.int32)])
    place = lambda side: jnp.searchsorted(t, t, side=side).astype(jnp.int32)
    first, last = place("left"), place("right")
    starts = (first == jnp.arange(len(t), dtype=jnp.int32)) & mask
    died = before[last] - before[first]
    # At one time those who are censored come after those who die.
    censored = last - first - died
    alive = _left(jnp.where(starts, died, 0), number - first)
    uncensored = _left(jnp.where(starts, censored, 0), number - first - died)
    return Survival(t, events, mask, predictions, uncensored[last], uncensored, alive)


@final
class SurvivalBuffer(AbstractStatistic):
    """Predicted survival at some times, and when a row died or was last seen alive, of up to
    `capacity` rows: the statistic that [`eqmetrics.uncertainty.IPCWBrier`][],
    [`eqmetrics.uncertainty.IntegratedBrier`][] and [`eqmetrics.uncertainty.TimeDependentAUC`][]
    read, and share in a `MetricDict`. See [`eqmetrics.Buffer`][].

    **Arguments:**

    - `times`: increasing numbers.
    - `capacity`: how many rows there is room for, on all devices together.

    The gradient is 0: the value is a count.
    State: `capacity * (len(times) + 2) + 7` numbers. Undefined when: there were more rows than
    that. Rows whose time isn't finite, with events other than 0 and 1 or with predictions outside
    of [0, 1], are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kept = eqm.uncertainty.SurvivalBuffer((1.0, 2.0), capacity=10)
        kept = kept.update(
            predictions=jnp.array([[0.9, 0.5]]), targets=jnp.array([3.0]), events=jnp.array([True])
        )
        assert kept.compute() == 1.0
        ```
    """

    times: tuple[float, ...] = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    kept: Buffer
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="finite targets, events 0 or 1, predictions in [0, 1]"
    )

    def __init__(self, times: Sequence[float] | np.ndarray, *, capacity: int):
        self.times = _check_times(times)
        self.capacity = capacity
        curve = jax.ShapeDtypeStruct((len(self.times),), jnp.float32)
        self.kept = Buffer(capacity, predictions=curve, targets=jnp.float32, events=jnp.bool_)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self, *, predictions: Values, targets: Values, events: Labels, mask: Mask = None
    ) -> Self:
        """`predictions` are the probabilities to live beyond each of the `times`, of shape
        `(*rows, times)`; `targets`, of shape `rows`, when a row died or was last seen, and
        `events` whether it died, in booleans or in 1 and 0."""
        p, t, e = (jnp.asarray(x) for x in (predictions, targets, events))
        if e.shape != t.shape or p.shape != (*t.shape, len(self.times)):
            raise TypeError(
                f"`predictions` is {describe(p)}, `targets` is {describe(t)} and `events` is "
                f"{describe(e)}: expected (*rows, {len(self.times)}), the probability to live "
                "beyond each of the times, and two arrays of shape rows."
            )
        batch = rows(t, mask, name="targets")
        rows(p, None, None, p.shape[-1:], "predictions")  # real numbers
        curve = flat(p, p.shape[-1:]).astype(jnp.float32)
        time, died = batch.values.astype(jnp.float32), e.ravel()
        right = jnp.isfinite(time) & ((died == 0) | (died == 1))
        batch = batch.without(~(right & jnp.all((curve >= 0) & (curve <= 1), axis=1)))
        kept = self.kept.update(predictions=curve, targets=time, events=died != 0, mask=batch.mask)
        return self.replace(kept=kept, invalid=plus_invalid(self.invalid, batch))

    def in_order(self) -> Survival:
        """The rows by their times, and the curves of Kaplan and Meier."""
        columns, mask = self.kept.rows()
        return _sorted(columns, mask)

    def compute(self) -> Float32[Array, ""]:
        """The number of rows."""
        return self.kept.count.astype(jnp.float32)


def _brier(statistic: SurvivalBuffer) -> tuple[Array, Array]:
    """At each time the score, and whether there is none."""
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
class IPCWBrier(AbstractReadout):
    r"""The Brier score of predicted survival at each of some times: the mean square of what was
    predicted less what was, where rows that are censored before the time, of which that isn't
    known, are made up for by the others.

    $\frac{1}{n} \sum_i \hat S_i(t)^2 \frac{[T_i \le t, \delta_i]}{\hat G(T_i)} +
    (1 - \hat S_i(t))^2 \frac{[T_i > t]}{\hat G(t)}$, where $\hat G$ is the share that isn't
    censored, by Kaplan and Meier: of the rows that were seen, and exactly, from all their times.
    scikit-survival has $\hat G$ from data for training, which may be the same; as there,
    $\hat G(T_i)$ includes those who are censored at $T_i$ itself, and deaths come before them.

    **Arguments:**

    - `times`: increasing numbers.
    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Exact, from a buffer of all rows, in $O(n \log n)$ and $O(n)$ for each time. The gradient, of
    the predictions, is that of the value.
    State: `capacity * (len(times) + 2) + 7` numbers, shared in a `MetricDict`. Undefined when: of a
    time that no row outlives; of all if no row was seen, or more than there is room for. Rows
    whose time isn't finite, with events other than 0 and 1 or with predictions outside of [0, 1],
    are invalid.
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

    def compute(self) -> Float32[Array, "times"]:
        """The score at each time, of shape `(len(times),)`."""
        return undefined_as(*_brier(self.statistic), self.undefined)


@final
class IntegratedBrier(AbstractReadout):
    r"""The mean of [`eqmetrics.uncertainty.IPCWBrier`][] over the time from the first to the last
    of some times, in trapezoids: $\frac{1}{t_k - t_1} \int_{t_1}^{t_k} BS(t) \, dt$.

    Between two times the score is a straight line. What that leaves out depends on how close they
    are; at the times themselves it is exact.

    **Arguments:**

    - `times`: increasing numbers, at least two.
    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient, of the predictions, is that of the value.
    State: `capacity * (len(times) + 2) + 7` numbers, shared in a `MetricDict`. Undefined when: no
    row outlives the last of the times, or more were seen than there is room for. Rows whose time
    isn't finite, with events other than 0 and 1 or with predictions outside of [0, 1], are invalid.
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

    undefined: float | None = eqx.field(static=True)
    statistic: SurvivalBuffer

    def __init__(
        self,
        times: Sequence[float] | np.ndarray,
        *,
        capacity: int,
        undefined: float | None = None,
    ):
        _check_times(times, least=2)
        self.undefined = undefined
        self.statistic = SurvivalBuffer(times, capacity=capacity)

    def compute(self) -> Float32[Array, ""]:
        scores, none = _brier(self.statistic)
        width = np.diff(np.asarray(self.statistic.times, np.float64))
        share = jnp.asarray(width / np.sum(width), jnp.float32)
        mean = jnp.sum((scores[1:] + scores[:-1]) / 2 * share)
        return undefined_as(mean, none[-1], self.undefined)


@final
class TimeDependentAUC(AbstractReadout):
    r"""At each of some times, how often a row that has died by then was predicted to survive less
    than one that is still alive, ties counting one half; and the mean over the times.

    Cumulative cases and dynamic controls: a row that died at $T_i \le t$ weighs
    $1 / \hat G(T_i)$, where $\hat G$ is the share that isn't censored, as of
    [`eqmetrics.uncertainty.IPCWBrier`][]. The mean is weighted by how many die between one time and
    the next, by Kaplan and Meier, as scikit-survival's `cumulative_dynamic_auc` has it; the AUC
    at each time is exact, and how well the times cover all others the grid decides.

    Only the order of the predictions matters. A risk $r$ that is one for all times is given as
    `jnp.repeat(jax.nn.sigmoid(-r)[:, None], len(times), axis=1)`.

    **Arguments:**

    - `times`: increasing numbers.
    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Exact, from a buffer of all rows, in $O(n \log n)$ for each time. The gradient is 0: the
    value is constant but for jumps.
    State: `capacity * (len(times) + 2) + 7` numbers, shared in a `MetricDict`. Undefined when: of a
    time until which no row died or that none outlives, which the mean leaves out; of all if no
    row was seen, or more than there is room for. Rows whose time isn't finite, with events other
    than 0 and 1 or with predictions outside of [0, 1], are invalid.
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

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`auc`, of shape `(len(times),)`, and their `mean`."""
        s, times = self.statistic.in_order(), jnp.asarray(self.statistic.times, jnp.float32)
        later = s.mask[:, None] & (s.targets[:, None] > times[None])
        case = (s.events & (s.until > 0))[:, None] & (s.targets[:, None] <= times[None])
        p = lax.stop_gradient(s.predictions)
        above = jnp.sort(jnp.where(later, p, 2), axis=0)  # those who live, from low to high
        side = lambda side: jax.vmap(
            lambda x, y: jnp.searchsorted(x, y, side=side), in_axes=1, out_axes=1
        )(above, p)
        # Twice the number of those who live and had a larger prediction, or half an equal one.
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
