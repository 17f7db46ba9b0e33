"""Predicted survival beside times that may be censored, and the curves of Kaplan and Meier."""

from collections.abc import Sequence
from typing import final, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._custom_types import Labels, Mask, Values
from .._metric.field import state
from .._metric.messages import describe
from .._metric.readout import AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import lift, to_float
from .._rows.cells import cumulated
from .._rows.rows import flat, rows
from .._wrap.buffer import Buffer


def check_times(times: Sequence[float] | np.ndarray, least: int = 1) -> tuple[float, ...]:
    given = np.asarray(times, np.float32)
    finite = given.ndim == 1 and given.size >= least and np.all(np.isfinite(given))
    if not finite or np.any(np.diff(given) <= 0):
        raise ValueError(f"times={times!r}: expected at least {least} increasing number(s).")
    return tuple(given.tolist())


class Survival(NamedTuple):
    """Rows in the order of their times, with places without a row last; and, before each place, the
    Kaplan-Meier estimates of the share that isn't censored and of the share that survives."""

    targets: Float32[Array, "rows"]
    events: Bool[Array, "rows"]
    mask: Bool[Array, "rows"]
    predictions: Float32[Array, "rows times"]
    until: Float32[Array, "rows"]  # the share uncensored at the row's own time
    uncensored: Float32[Array, "places"]
    alive: Float32[Array, "places"]

    def at(self, times: Array) -> Array:
        """The place after the last row up to each time."""
        # Places without a row are at infinity.
        return jnp.searchsorted(self.targets, times, side="right")


def _left(count: Array, at_risk: Array) -> Array:
    """Before each place, the Kaplan-Meier product of the shares that the earlier places leave; a
    sum of logarithms in pairs, for accuracy."""
    some = (count > 0) & (count < at_risk)
    share = count.astype(jnp.float32) / jnp.maximum(at_risk, 1).astype(jnp.float32)
    log = jnp.log1p(-jnp.where(some, share, 0))
    # If none of those at risk are left, the share is 0, the exponential of this number.
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
    # At equal times deaths come before censoring.
    censored = last - first - died
    alive = _left(jnp.where(starts, died, 0), number - first)
    uncensored = _left(jnp.where(starts, censored, 0), number - first - died)
    return Survival(t, events, mask, predictions, uncensored[last], uncensored, alive)


@final
class SurvivalBuffer(AbstractStatistic):
    """Predicted survival at given times, and when a row died or was last seen alive, of up to
    `capacity` rows: the statistic that [`eqmetrics.uncertainty.IPCWBrier`][],
    [`eqmetrics.uncertainty.IntegratedBrier`][] and [`eqmetrics.uncertainty.TimeDependentAUC`][]
    read, and share in a `MetricDict`. See [`eqmetrics.Buffer`][].

    **Arguments:**

    - `times`: increasing numbers.
    - `capacity`: how many rows there is room for, on all devices together.

    The gradient is 0: the value is a count.
    State: `capacity * (len(times) + 2) + 7` numbers. Undefined when: there were more than
    `capacity` rows. Rows whose time isn't finite, with events other than 0 and 1 or with
    predictions outside [0, 1], are invalid.

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
        self.times = check_times(times)
        self.capacity = capacity
        curve = jax.ShapeDtypeStruct((len(self.times),), jnp.float32)
        self.kept = Buffer(capacity, predictions=curve, targets=jnp.float32, events=jnp.bool_)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self, *, predictions: Values, targets: Values, events: Labels, mask: Mask = None
    ) -> Self:
        """`predictions` are the probabilities of surviving each of the `times`, of shape
        `(*rows, times)`; `targets`, of shape `(*rows,)`, the time when a row died or was last seen,
        and `events` whether it died, as booleans or 1 and 0."""
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
        """The rows by their times, and the Kaplan-Meier estimates."""
        columns, mask = self.kept.rows()
        return _sorted(columns, mask)

    def compute(self) -> Float32[Array, ""]:
        """The number of rows."""
        return self.kept.count.astype(jnp.float32)
