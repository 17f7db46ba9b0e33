from collections.abc import Sequence
from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

from .._custom_types import Mask, Values
from .._metric.field import state
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import add, from_integer, lift, to_float
from .._reduction.pair_sums import sum_rows
from .._regression.paired import together
from .._rows.cells import cumulated
from .._rows.rows import undefined_as
from .._wrap.buffer import Buffer
from ._shares import as_pairs, floor, just_below


class Risks(NamedTuple):
    """The mean loss of the `k` most confident rows, for each `k` from 1 on; 0 beyond the number of
    rows."""

    risks: Float32[Array, "capacity"]
    rows: Int32[Array, ""]


@jax.jit
def _risks(confidence: Array, loss: Array, mask: Array) -> Risks:
    size, rows = len(mask), jnp.sum(mask, dtype=jnp.int32)
    # Places without a row come last, after rows of a confidence of minus infinity.
    gone = (~mask).astype(jnp.int32)
    loss = jnp.where(mask, loss, 0)
    gone, key, loss = jax.lax.sort((gone, jnp.where(mask, -confidence, 0), loss), num_keys=2)
    place = jnp.arange(size, dtype=jnp.int32)
    starts = jnp.concatenate([jnp.ones(1, bool), (key[1:] != key[:-1]) | (gone[1:] != gone[:-1])])
    first = jax.lax.cummax(jnp.where(starts, place, 0))
    ends = jnp.concatenate([starts[1:], jnp.ones(1, bool)])
    last = jax.lax.cummin(jnp.where(ends, place + 1, size), reverse=True)
    sums = cumulated(lift(loss))
    before, tied = sums[:, first], last - first
    own = to_float(add(sums[:, last], -before)) / tied.astype(jnp.float32)
    # Tied rows share their losses evenly: each is as likely to come first.
    some = (place + 1 - first).astype(jnp.float32) * own
    risks = to_float(add(before, lift(some))) / (place + 1).astype(jnp.float32)
    return Risks(jnp.where(place < rows, risks, 0), rows)


@final
class ConfidenceBuffer(AbstractStatistic):
    """The confidence and the loss of up to `capacity` rows: the statistic that
    [`eqmetrics.uncertainty.AURC`][] and [`eqmetrics.uncertainty.SelectiveRisk`][] read, and share
    in a `MetricDict`. See [`eqmetrics.Buffer`][].

    **Arguments:**

    - `capacity`: how many rows there is room for, on all devices together.

    The gradient is 0: the value is a count.
    State: `2 * capacity + 7` numbers. Undefined when: there were more than `capacity` rows. Rows
    whose confidence is NaN, or whose loss isn't finite, are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kept = eqm.uncertainty.ConfidenceBuffer(10)
        kept = kept.update(confidence=jnp.array([0.5, 0.9]), loss=jnp.array([1.0, 0.0]))
        assert kept.risks().risks[:2].tolist() == [0.0, 0.5] and kept.compute() == 2.0
        ```
    """

    capacity: int = eqx.field(static=True)
    kept: Buffer
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="confidence without NaN, finite losses"
    )

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.kept = Buffer(capacity, confidence=jnp.float32, loss=jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(self, *, confidence: Values, loss: Values, mask: Mask = None) -> Self:
        """`confidence`, larger where the model is more certain, `loss` (1 for an error and 0 for
        none, or any loss) and `mask` are of one shape; every entry is a row."""
        batch, (c, x) = together(mask, None, confidence=confidence, loss=loss)
        batch = batch.without(jnp.isnan(c) | ~jnp.isfinite(x))
        return self.replace(
            kept=self.kept.update(confidence=c, loss=x, mask=batch.mask),
            invalid=plus_invalid(self.invalid, batch),
        )

    def risks(self) -> Risks:
        """The mean loss of the `k` most confident rows, for each `k` from 1 on, and how many rows
        there are. Where rows are tied it is the mean over their orders."""
        columns, mask = self.kept.rows()
        return _risks(columns["confidence"], columns["loss"], mask)

    def compute(self) -> Float32[Array, ""]:
        """The number of rows."""
        return self.kept.count.astype(jnp.float32)


@final
class AURC(AbstractReadout):
    r"""The area under the risk-coverage curve: the mean loss of the most confident rows, averaged
    over how many of them are kept. Smaller is better.

    $\frac{1}{n} \sum_{k=1}^{n} \frac{1}{k} \sum_{i \le k} \ell_i$, with the losses in the order of
    falling confidence. Rows of equal confidence have the mean over all their orders, so that the
    order of the data changes nothing (most code takes the order that a sort leaves); a constant
    confidence gives the mean loss. Some libraries take trapezoids between the points instead, which
    leave out half of the first and the last. The excess over the best possible order, E-AURC, is
    the difference from a second `AURC` whose confidence is `-loss`.

    **Arguments:**

    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Exact, from a buffer of all rows, in $O(n \log n)$. The gradient is that of the losses; that of
    the confidence is 0.
    State: `2 * capacity + 7` numbers, shared in a `MetricDict`. Undefined when: no row was seen, or
    more than `capacity` were. Rows whose confidence is NaN, or whose loss isn't finite, are
    invalid.
    Source: Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural
    classifiers", 2019.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        aurc = eqm.uncertainty.AURC(capacity=100)
        value = aurc(confidence=jnp.array([0.9, 0.5, 0.7]), loss=jnp.array([0.0, 1.0, 1.0]))
        assert abs(value - (0 + 1 / 2 + 2 / 3) / 3) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: ConfidenceBuffer

    def __init__(self, capacity: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = ConfidenceBuffer(capacity)

    def compute(self) -> Float32[Array, ""]:
        risks, rows = self.statistic.risks()
        mean = to_float(sum_rows(risks)) / jnp.maximum(rows, 1).astype(jnp.float32)
        return undefined_as(mean, rows == 0, self.undefined)


@final
class SelectiveRisk(AbstractReadout):
    r"""The mean loss of a given share of the rows, the most confident ones: the risk that is left
    if the model abstains from the others.

    Of $n$ rows the first $\lceil c n \rceil$ count at a coverage $c$. If only some of the rows with
    equal confidence are among them, each of these rows counts in part. A coverage of 1 gives the
    mean loss.

    **Arguments:**

    - `coverage`: a share above 0 and at most 1; or several in a list or tuple.
    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Exact, from a buffer of all rows, in $O(n \log n)$. The gradient is that of the losses; that of
    the confidence is 0.
    State: `2 * capacity + 7` numbers, shared in a `MetricDict`. Undefined when: no row was seen, or
    more than `capacity` were. Rows whose confidence is NaN, or whose loss isn't finite, are
    invalid.
    Source: Geifman and El-Yaniv, "Selective classification for deep neural networks", 2017.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        risk = eqm.uncertainty.SelectiveRisk(0.5, capacity=100)
        confidence, loss = jnp.array([0.9, 0.5, 0.7, 0.1]), jnp.array([0.0, 1.0, 1.0, 1.0])
        assert risk(confidence=confidence, loss=loss) == 0.5
        ```
    """

    coverage: float | tuple[float, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: ConfidenceBuffer

    def __init__(
        self,
        coverage: float | Sequence[float],
        *,
        capacity: int,
        undefined: float | None = None,
    ):
        several = isinstance(coverage, Sequence)
        each: Any = tuple(coverage) if several else (coverage,)
        if not each or not all(0 < x <= 1 for x in each):
            raise ValueError(f"coverage={coverage}: expected numbers above 0 and at most 1.")
        self.coverage = tuple(map(float, each)) if several else float(each[0])
        self.undefined = undefined
        self.statistic = ConfidenceBuffer(capacity)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(len(coverage),)` if `coverage` is a tuple."""
        risks, rows = self.statistic.risks()
        shares = jnp.asarray(as_pairs(np.asarray(self.coverage)))
        at = jnp.clip(floor(just_below(from_integer(rows), shares)), 0, len(risks) - 1)
        return undefined_as(risks[at].reshape(np.shape(self.coverage)), rows == 0, self.undefined)
