from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.readout import AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import as_pair, Pair, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.rows import Rows
from .._wrap.buffer import Buffer
from .paired import paired


NUMBERS = "predictions", "targets", "predictions_low", "targets_low"


def numbers_of(batch: Rows, predictions: Any, targets: Any) -> dict[str, Array]:
    """Columns of predictions and targets, and of what their floats leave of integers."""
    both = [as_pair(x.reshape(batch.values.shape)) for x in (predictions, targets)]
    return dict(zip(NUMBERS, (x[half] for half in (0, 1) for x in both), strict=True))


def pairs_of(columns: dict[str, Array]) -> tuple[Pair, Pair]:
    p, t, p_low, t_low = (columns[name] for name in NUMBERS)
    return jnp.stack([p, p_low]), jnp.stack([t, t_low])


def appended(buffer: Buffer, batch: Rows, **columns: Array) -> Buffer:
    """The buffer with the rows of a batch and their weights."""
    weights = jnp.ones(batch.values.shape[:1], jnp.float32)
    weights = weights if batch.weights is None else batch.weights
    return buffer.update(**columns, weights=weights, mask=batch.mask)


@final
class PairBuffer(AbstractStatistic):
    """Predictions, targets and weights of up to `capacity` rows: the statistic that `Spearman`,
    `Kendall` and `NormalizedGini` read, and share in a `MetricDict`. See [`eqmetrics.Buffer`][].

    **Arguments:**

    - `capacity`: how many rows there is room for, on all devices together.

    The gradient is 0: the value is piecewise constant.
    State: `5 * capacity + 7` numbers. Undefined when: there were more than `capacity` rows. NaN and
    negative weights are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        pairs = eqm.PairBuffer(10).update(predictions=jnp.arange(3.0), targets=jnp.ones(3))
        predictions, targets, weights, mask = pairs.rows()
        assert mask.sum() == 3 and pairs.compute() == 3.0
        ```
    """

    capacity: int = eqx.field(static=True)
    kept: Buffer
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="predictions and targets without NaN, weights >= 0 and finite"
    )

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.kept = Buffer(capacity, **dict.fromkeys((*NUMBERS, "weights"), jnp.float32))
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real and of one shape; every entry is a row."""
        batch, (p, t) = paired(predictions, targets, mask, weights)
        batch = batch.without(jnp.isnan(p) | jnp.isnan(t))
        return self.replace(
            kept=appended(self.kept, batch, **numbers_of(batch, predictions, targets)),
            invalid=plus_invalid(self.invalid, batch),
        )

    def rows(self) -> tuple[Array, Array, Array, Bool[Array, "{self.capacity}"]]:
        """Predictions, targets, weights, and which places hold a row."""
        columns, mask = self.kept.rows()
        return columns["predictions"], columns["targets"], columns["weights"], mask

    def pairs(self) -> tuple[Pair, Pair, Array, Bool[Array, "{self.capacity}"]]:
        """As `rows`, with predictions and targets as pairs."""
        columns, mask = self.kept.rows()
        return *pairs_of(columns), columns["weights"], mask

    def compute(self) -> Float32[Array, ""]:
        """The weight of the rows."""
        _, _, weights, mask = self.rows()
        return to_float(sum_rows(jnp.where(mask, weights, 0)))
