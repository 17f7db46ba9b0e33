from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Labels, Mask, Values, Weights
from .._metric.field import state
from .._metric.metric import Metric
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import add, to_float
from .._rows.quotient import over
from .._rows.rows import undefined_as
from .._wrap.buffer import Buffer
from .ordered_pairs import ordered_pairs, ranks, scaled
from .pair_buffer import appended, NUMBERS, numbers_of, pairs_of
from .paired import paired


@jax.jit
def _index(columns: dict[str, Array], mask: Array) -> tuple[Array, Array]:
    p, t = pairs_of(columns)
    event, weights = columns["events"], columns["weights"]
    weights = scaled(weights, mask)
    died = event & mask
    # At equal times those censored come after those who died.
    order = 2 * ranks(t, mask) + (~died).astype(jnp.int32)
    pairs = ordered_pairs(order, ranks(p, mask), died, weights)
    # Pairs in the same order count twice, and those of equal predictions once.
    twice = add(pairs.total, pairs.difference)
    total = to_float(pairs.total)
    return jnp.clip(over(to_float(twice), total) / 2, 0, 1), total == 0


@final
class ConcordanceIndex(Metric):
    r"""Harrell's concordance index of predicted survival times: the share of comparable pairs of
    rows whose predictions are in the right order. Equal predictions count as half a pair, and a
    weight repeats a row.

    A pair is comparable if the row with the smaller time died, or if both have the same time and
    one of them died. Predictions are larger for those who live longer: pass the negative of a
    risk. Exact, from a buffer of all rows, in $O(n \sqrt n)$ comparisons.

    **Arguments:**

    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `6 * capacity + 7` numbers. Undefined when: no pair is comparable, or more than
    `capacity` rows were seen. NaN is invalid.
    Source: Harrell, Lee and Mark, "Multivariable prognostic models", 1996.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        index = eqm.ConcordanceIndex(capacity=100)
        value = index(
            predictions=jnp.array([1.0, 3.0, 2.0]),
            targets=jnp.array([5.0, 7.0, 9.0]),  # the times
            events=jnp.array([True, True, False]),  # the last one was alive at that time
        )
        assert abs(value - 2 / 3) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    kept: Buffer
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM,
        valid="predictions and targets without NaN, events 0 or 1, weights >= 0 and finite",
    )

    def __init__(self, capacity: int, *, undefined: float | None = None):
        numbers = dict.fromkeys((*NUMBERS, "weights"), jnp.float32)
        self.undefined = undefined
        self.kept = Buffer(capacity, events=jnp.bool_, **numbers)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        events: Labels,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`targets` are the times, and `events` says whether each is that of a death, as booleans
        or 1 and 0; all three are of one shape, and every entry is a row."""
        batch, (p, t, e) = paired(predictions, targets, mask, weights, events=events)
        batch = batch.without(jnp.isnan(p) | jnp.isnan(t) | ((e != 0) & (e != 1)))
        numbers = numbers_of(batch, predictions, targets)
        return self.replace(
            kept=appended(self.kept, batch, events=e != 0, **numbers),
            invalid=plus_invalid(self.invalid, batch),
        )

    def compute(self) -> Float32[Array, ""]:
        value, nothing = _index(*self.kept.rows())
        return undefined_as(value, nothing, self.undefined)
