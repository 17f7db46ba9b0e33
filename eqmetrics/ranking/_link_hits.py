from collections.abc import Sequence
from typing import final, get_args, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._curves.curve_points import points_of
from .._curves.rank_score import scores_of_all
from .._curves.score_statistic import AbstractScores
from .._decisions.task import Binary
from .._metric.readout import AbstractReadout
from .._reduction.pair import add, lift, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.nearest_quotient import quotient
from .._rows.rows import undefined_as
from ._lists import check_given, cuts_of


Ties = Literal["worst", "expected"]


@final
class LinkHits(AbstractReadout):
    r"""The share of the positives with a higher score than the `k`-th best of all negatives: hits@k
    of link prediction, with the same negatives for all positives, as in OGB.

    Positives and negatives are rows with labels 1 and 0, mixed in any way. So the statistic is that
    of [`eqmetrics.AUROC`][], and a `MetricDict` that contains both metrics stores it once. With
    `exact` the value is exact. Without it, scores in one cell count as equal. With `ties="worst"`
    the value may then be too low, by at most the share of the positives that are in the cell of the
    `k`-th negative.

    **Arguments:**

    - `k`: a positive counts if fewer than `k` negatives come before it. With several, the value has
        the shape `(len(k),)`.
    - `ties`: the order of positives and negatives with equal scores. `"worst"` puts the negatives
        first, as OGB does; `"expected"` takes the mean over all orders.
    - `resolution`: that of the [`eqmetrics.ScoreHistogram`][].
    - `exact`: if given, keep up to this many rows in an [`eqmetrics.ScoreBuffer`][] instead.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A negative of weight 2 counts as two negatives, so the scale of the weights matters.
    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.ScoreHistogram`][], or of [`eqmetrics.ScoreBuffer`][], shared.
    Undefined when: there is no positive, or there are fewer than `k` negatives (OGB then gives 1).
    Source: Hu et al., "Open graph benchmark: datasets for machine learning on graphs", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        hits = eqm.ranking.LinkHits(2, exact=1000)
        positives, negatives = jnp.array([3.0, 2.0, 0.5]), jnp.array([2.5, 1.0, 0.0])
        hits = hits.update(logits=positives, labels=jnp.ones(3, int))
        hits = hits.update(logits=negatives, labels=jnp.zeros(3, int))
        assert abs(hits.compute() - 2 / 3) < 1e-6
        ```
    """

    k: int | tuple[int, ...] = eqx.field(static=True)
    ties: Ties = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: AbstractScores

    def __init__(
        self,
        k: int | Sequence[int],
        *,
        ties: Ties = "worst",
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        check_given(k)
        if ties not in get_args(Ties):
            raise ValueError(
                f"`ties` is {ties!r}, expected 'worst' (negatives first) or 'expected' (the mean "
                "over all orders)."
            )
        ks = cuts_of(k)
        self.k = ks if isinstance(k, Sequence) else ks[0]
        self.ties = ties
        self.undefined = undefined
        self.statistic = scores_of_all(Binary(), resolution, exact)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar, or of shape `(len(k),)`."""
        points, ks = points_of(self.statistic), cuts_of(self.k)
        found = jnp.stack([self._hits(points.tp[:, 0], points.fp[:, 0], k) for k in ks])
        return found if isinstance(self.k, tuple) else found[0]

    def _hits(
        self, tp: Float32[Array, "2 points"], fp: Float32[Array, "2 points"], k: int
    ) -> Float32[Array, ""]:
        # How many more negatives may come first. Computed with pairs, so it is exact beyond 2^24.
        left = to_float(add(lift(jnp.float32(k)[None]), -fp))
        positives = to_float(tp[:, -1])
        more = to_float(add(tp[:, 1:], -tp[:, :-1]))
        if self.ties == "worst":
            share = (left[1:] > 0).astype(jnp.float32)
        else:
            # Of `t` tied negatives, 0, 1, ... or `t` are before a positive, with equal probability.
            tied = to_float(add(fp[:, 1:], -fp[:, :-1]))
            share = quotient(jnp.clip(left[:-1], 0, tied + 1), tied + 1)
        hits = to_float(sum_rows(more * share))
        # If the rows have no common order, all counts are NaN, and no comparison is true.
        none = (positives == 0) | (left[-1] > 0)
        return undefined_as(quotient(hits, positives), none, self.undefined)
