from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._rows.row_mean import Empty
from .._rows.rows import undefined_as
from ._at_k import DivideBy
from ._precision_recall_curve import RetrievalPrecisionRecallCurve
from ._ranks import Ties


# The precision of each query is rounded before the mean: 7 of 10 is a little less than 0.7.
_ROUNDED = 2.0**-21


@final
class RetrievalRecallAtPrecision(AbstractReadout):
    """The highest mean recall among the first `k` documents, for all `k` up to `max_k` at which the
    mean precision is at least `min_precision`. Also the smallest such `k` with this recall.

    **Arguments:**

    - `min_precision`: above 0, at most 1. A precision that is lower by 5e-7 still counts, because
        of rounding.
    - `max_k`, `divide_by`, `ties`, `empty`: those of
        [`RetrievalPrecisionRecallCurve`][eqmetrics.ranking.RetrievalPrecisionRecallCurve].
    - `undefined`: what replaces undefined values; NaN if not given.

    The gradient is 0: the values are piecewise constant.
    State: that of the curve, shared. Undefined when: no query has a relevant document, or no `k`
    reaches the precision.
    Source: Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, section
    8.4.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        recall = eqm.ranking.RetrievalRecallAtPrecision(0.6, max_k=3)
        value = recall(scores=jnp.array([[4.0, 3.0, 2.0]]), relevance=jnp.array([[1, 0, 1]]))
        assert value == {"recall": 1.0, "k": 3.0}
        ```
    """

    min_precision: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: RetrievalPrecisionRecallCurve

    def __init__(
        self,
        min_precision: float,
        max_k: int,
        *,
        divide_by: DivideBy = "k",
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        if not 0 < min_precision <= 1:
            raise ValueError(f"min_precision={min_precision}: expected above 0 and at most 1.")
        self.min_precision = min_precision
        self.undefined = undefined
        self.statistic = RetrievalPrecisionRecallCurve(
            max_k, divide_by=divide_by, ties=ties, empty=empty
        )

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """`recall` and `k`."""
        # Computed from totals, which are 0 without a query. A NaN of the curve would stop a program
        # under `jax_debug_nans`.
        precision, recall, weight = self.statistic.sums.read("precision", "recall", "weight")
        reached = precision >= (self.min_precision - _ROUNDED) * weight
        best = jnp.argmax(jnp.where(reached, recall, -1))
        none = (weight == 0) | ~jnp.any(reached)
        share = recall[best] / jnp.where(weight == 0, 1, weight)
        place = (best + 1).astype(jnp.float32)
        return {
            name: undefined_as(x, none, self.undefined)
            for name, x in (("recall", share), ("k", place))
        }
