from collections.abc import Sequence
from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32

from .._custom_types import Labels, Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._reduction.pair import add, to_float
from .._rows.inner import split_mask
from .._rows.quotient import over
from .._rows.rows import flat, narrow, Rows, rows, undefined_as
from ._lists import check_given, check_ties, cuts_of
from ._ranks import as_float, Ties


_VALID = (
    "scores without NaN, labels in [0, candidates), a mask that leaves the candidate of the "
    "label, weights >= 0 and finite"
)
_NEAR = 8  # terms of the harmonic series that are added one by one


class _Standing(NamedTuple):
    """The places of the true candidate of each row. It shares `tied` places, from `above` on, with
    the candidates of the same score."""

    batch: Rows
    above: Int32[Array, "rows"]
    tied: Int32[Array, "rows"]
    others: Int32[Array, "rows"]  # candidates except itself


def _standing(scores: Any, labels: Any, mask: Any, weights: Any, ties: Ties) -> _Standing:
    """Finds the places with two counts, without a sort."""
    if scores.ndim == 0 or scores.shape[-1] == 0 or labels.shape != scores.shape[:-1]:
        raise TypeError(
            f"`scores` is {describe(scores)} and `labels` is {describe(labels)}: expected scores "
            "of shape (*rows, candidates), and labels of shape (*rows,): of each row the number "
            "of its true candidate."
        )
    row_mask, real = split_mask(mask, scores, 1, "scores")
    batch = rows(scores, row_mask, weights, scores.shape[-1:], "scores")
    x, label = batch.values, narrow(flat(labels))
    # XLA's CPU vectorises sums of integers, but not an `any`.
    count = lambda which: jnp.sum(which & real, axis=1, dtype=jnp.int32)
    where = jnp.clip(label, 0, x.shape[1] - 1)[:, None]
    target = jnp.take_along_axis(x, where, axis=1)
    there = jnp.take_along_axis(real, where, axis=1)[:, 0] & (label == where[:, 0])
    candidates = count(jnp.ones_like(real))
    # A row without a candidate is padding of the batch.
    batch = batch.only(candidates > 0).without((count(jnp.isnan(x)) > 0) | ~there)
    own = there.astype(jnp.int32)
    above, tied = count(x > target), jnp.ones_like(label)
    if ties == "expected":
        tied = count(x == target) - own + 1
    elif ties == "worst":
        above = count(x >= target) - own
    else:
        place = lax.broadcasted_iota(jnp.int32, x.shape, 1)
        above = above + count((x == target) & (place < label[:, None]))
    return _Standing(batch, above, tied, candidates - own)


def _mean_reciprocal(above: Int32[Array, "rows"], tied: Int32[Array, "rows"]) -> Array:
    """The mean of `1 / rank` over the places. Harmonic numbers from the 8th on come from the
    Euler-Maclaurin formula. Their differences come from the logarithm of a ratio near 1, since a
    difference of two sums would lose digits."""
    end = above + tied
    low = jnp.maximum(above, _NEAR)
    a = as_float(low) + 0.5
    b = as_float(jnp.maximum(end, low)) + 0.5
    bend = lambda n: (1 / 24 - 7 / 960 / (n * n)) / (n * n)
    found = jnp.log1p((b - a) / a) + (bend(b) - bend(a))
    for place in range(_NEAR):
        inside = (above <= place) & (place < end)
        found = found + jnp.where(inside, jnp.float32(1 / (place + 1)), 0)
    return jnp.where(tied == 1, 1 / as_float(end), found / as_float(tied))


@final
class FilteredRank(Metric):
    r"""How well the true candidate of each row is ranked, for link prediction in knowledge graphs
    and retrieval of one item among many. `mean_rank`, `adjusted_mean_rank_index`,
    `mean_reciprocal_rank` and `hits` come from one pass over the scores, without a sort.

    The adjusted index is $1 - \sum (r - 1) \,/\, \sum (n - 1) / 2$, for ranks $r$ among $n$
    candidates: 1 is perfect and 0 is chance, for any number of candidates.

    Use the `mask` to remove other candidates that are known to be true, also those of the training
    and validation triples. Otherwise a good model is penalised for ranking them high.

    **Arguments:**

    - `k`: `hits` is the share of rows whose true candidate is among the first `k`. With several,
        `hits` has the shape `(len(k),)`.
    - `ties`: the order of candidates with equal scores. `"expected"` takes the mean over all their
        orders, `"worst"` puts the true one last (the pessimistic rank), `"first"` keeps the given
        order. (The expected rank is PyKEEN's "realistic" rank. PyKEEN's reciprocal rank is 1 over
        this mean rank, not a mean over the orders.)
    - `undefined`: what replaces undefined values; NaN if not given.

    The gradient is 0: the values are piecewise constant.
    State: 2 floats for each `k`, and 10. Undefined when: no row was seen; for the adjusted index
    also if no row has a second candidate.
    Source: Bordes et al., "Translating embeddings for modeling multi-relational data", 2013;
    Berrendorf et al., "On the ambiguity of rank-based evaluation of entity alignment or link
    prediction methods", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rank = eqm.ranking.FilteredRank((1, 3))
        scores, labels = jnp.array([[3.0, 2.0, 2.0, 1.0]]), jnp.array([1])
        assert rank(scores=scores, labels=labels)["mean_rank"] == 2.5
        known = jnp.array([[True, False, False, False]])
        values = rank(scores=scores, labels=labels, mask=~known)
        assert values["mean_rank"] == 1.5 and values["hits"].tolist() == [0.5, 1.0]
        ```
    """

    k: int | tuple[int, ...] = eqx.field(static=True)
    ties: Ties = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        k: int | Sequence[int] = (1, 3, 10),
        *,
        ties: Ties = "expected",
        undefined: float | None = None,
    ):
        check_given(k)
        check_ties(ties)
        ks = cuts_of(k)
        self.k = ks if isinstance(k, Sequence) else ks[0]
        self.ties = ties
        self.undefined = undefined
        self.sums = Sums(_VALID, above=(), others=(), reciprocal=(), hits=len(ks), weight=())

    def update(
        self, *, scores: Values, labels: Labels, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`scores` has shape `(*rows, candidates)`; a higher score is better. `labels` has shape
        `(*rows,)` and says the number of the true candidate. A `mask` with the shape of the scores
        removes candidates and padding; a row without candidates is left out. A `mask` with the
        shape of the rows removes rows. `weights` has the shape of the rows."""
        at = _standing(scores, labels, mask, weights, self.ties)
        ks = jnp.asarray(cuts_of(self.k), jnp.int32)[None]
        inside = jnp.clip(ks - at.above[:, None], 0, at.tied[:, None])
        new = self.sums.add(
            at.batch,
            above=as_float(at.above) + 0.5 * as_float(at.tied - 1),
            others=as_float(at.others),
            reciprocal=_mean_reciprocal(at.above, at.tied),
            hits=as_float(inside) / as_float(at.tied)[:, None],
            weight=1,
        )
        return self.replace(sums=new)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`mean_rank`, `adjusted_mean_rank_index`, `mean_reciprocal_rank`: scalars; `hits`: a
        scalar, or of shape `(len(k),)`."""
        above, others, number = (self.sums.pair(x) for x in ("above", "others", "weight"))
        reciprocal, hits, weight = self.sums.read("reciprocal", "hits", "weight")
        every = to_float(others)
        # Not computed as 1 minus a ratio near 1, which would lose digits.
        index = over(to_float(add(others, -2 * above)), every)
        means = {
            "mean_rank": over(to_float(add(above, number)), weight),
            "mean_reciprocal_rank": over(reciprocal, weight),
            "hits": over(hits if isinstance(self.k, tuple) else hits[0], weight),
        }
        found = {x: undefined_as(y, weight == 0, self.undefined) for x, y in means.items()}
        alone = undefined_as(index, every == 0, self.undefined)
        return found | {"adjusted_mean_rank_index": alone}
