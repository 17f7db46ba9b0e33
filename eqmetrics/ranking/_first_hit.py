import functools as ft
from collections.abc import Sequence
from typing import final

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._metric.node import vary_like
from .._rows.row_mean import Empty
from ._lists import AbstractRanking, check_given, Lists
from ._ranks import as_float, Places, Ties


@ft.partial(jax.jit, static_argnames=("cuts", "documents"))
def first_hit(
    at: Places, cuts: tuple[int | None, ...], documents: int
) -> tuple[Float32[Array, "rows cuts"], Float32[Array, "rows cuts"]]:
    """Two expectations over the orders of tied documents: the reciprocal rank of the first relevant
    document (0 if it is beyond `k`), and the probability that it is among the first `k`."""
    far = jnp.int32(2**30)
    hit = at.relevance > 0
    above = jnp.min(jnp.where(hit, at.above, far), axis=1, initial=far)
    its = hit & (at.above == above[:, None])  # the tie of the first relevant document
    tied = jnp.max(jnp.where(its, at.tied, 1), axis=1, initial=1)
    relevant = jnp.max(jnp.where(its, at.hits_tied, 0), axis=1, initial=0)
    ks = jnp.asarray([documents if k is None else k for k in cuts], jnp.int32)
    places = jnp.clip(ks[None] - above[:, None], 0, tied[:, None])  # places of the tie up to `k`

    def body(i: Array, sums: tuple[Array, ...]) -> tuple[Array, ...]:
        # `none`: the probability that no relevant document is at the first `i` places of the tie.
        none, reciprocal, found, missed = sums
        left = as_float(jnp.maximum(tied - i, 1))
        here = none * (as_float(relevant) / left)
        counts = i < places
        rank = as_float(above + i + 1)[:, None]
        reciprocal = jnp.where(counts, reciprocal + here[:, None] / rank, reciprocal)
        found = jnp.where(counts, found + here[:, None], found)
        # Exactly 0 if all documents that are left are relevant, so later steps add nothing.
        none = none * (as_float(jnp.maximum(tied - relevant - i, 0)) / left)
        return none, reciprocal, found, jnp.where(counts, none[:, None], missed)

    # Without a relevant document there is no tie: `above` is far.
    zeros = jnp.zeros(places.shape, jnp.float32)
    one = jnp.ones(above.shape, jnp.float32)
    start = vary_like((one, zeros, zeros, zeros + 1), at)
    steps = min(documents, max(documents if k is None else k for k in cuts))
    _, reciprocal, found, missed = lax.fori_loop(0, steps, body, start)
    # `found` and `missed` add up to 1; the smaller of them has the smaller error.
    return reciprocal, jnp.where(missed < 0.5, 1 - missed, found)


@final
class MeanReciprocalRank(AbstractRanking):
    """The reciprocal of the rank of the first relevant document, on average over the queries.

    **Arguments:**

    - `k`: a query whose first relevant document is beyond rank `k` counts as 0. With several, the
        value has the shape `(len(k),)`.
    - `ties`: the order of documents with equal scores. `"expected"` takes the mean over all their
        orders, `"worst"` puts the less relevant first, `"first"` keeps the given order.
    - `empty`: what a query without a relevant document counts as: `"skip"` leaves it out, `"zero"`
        and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 4 floats for each `k`, and 2. Undefined when: no query has a relevant document.
    Source: Voorhees, "The TREC-8 question answering track report", 1999; ties: McSherry and Najork,
    2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        rank = eqm.ranking.MeanReciprocalRank()
        assert rank(scores=scores, relevance=jnp.array([[0, 1, 1]])) == 0.5
        ```
    """

    def __init__(
        self,
        k: int | Sequence[int] | None = None,
        *,
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        AbstractRanking.__init__(self, k, ties=ties, empty=empty, undefined=undefined)

    def of_lists(self, lists: Lists) -> tuple[Float32[Array, "rows cuts"], Bool[Array, "rows"]]:
        at, documents = lists.places(self.ties, self.most), lists.keys.shape[1]
        return first_hit(at, self.cuts, documents)[0], lists.relevant > 0


@final
class HitRate(AbstractRanking):
    """The share of the queries that have a relevant document among the first `k`.

    **Arguments:**

    - `k`: how many of the best documents count. With several, the value has the shape `(len(k),)`.
    - `ties`, `empty` and `undefined`: as in
        [`MeanReciprocalRank`][eqmetrics.ranking.MeanReciprocalRank].

    The gradient is 0: the value is piecewise constant.
    State: 4 floats for each `k`, and 2. Undefined when: no query has a relevant document.
    Source: Deshpande and Karypis, "Item-based top-N recommendation algorithms", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        rate = eqm.ranking.HitRate((1, 2))
        assert rate(scores=scores, relevance=jnp.array([[0, 1, 1]])).tolist() == [0.0, 1.0]
        ```
    """

    def __init__(
        self,
        k: int | Sequence[int],
        *,
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        check_given(k)
        AbstractRanking.__init__(self, k, ties=ties, empty=empty, undefined=undefined)

    def of_lists(self, lists: Lists) -> tuple[Float32[Array, "rows cuts"], Bool[Array, "rows"]]:
        at, documents = lists.places(self.ties, self.most), lists.keys.shape[1]
        return first_hit(at, self.cuts, documents)[1], lists.relevant > 0
