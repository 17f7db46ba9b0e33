import functools as ft
from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.numbers import check_whole
from .._metric.readout import AbstractStatistic
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient_or
from .._rows.row_mean import check_empty, Empty
from ._at_k import check_divide_by, DivideBy
from ._lists import check_ties, lists_of, VALID
from ._ranks import as_float, Places, Ties


@ft.partial(jax.jit, static_argnames="most")
def _hits_up_to(at: Places, most: int) -> Float32[Array, "rows most"]:
    """The expected number of relevant documents among the first 1, 2, ... `most`."""
    row = lax.broadcasted_iota(jnp.int32, at.above.shape, 0)
    # Each document writes at the first place of its tie; all documents of a tie write the same.
    put = lambda x: jnp.zeros((x.shape[0], most), jnp.int32).at[row, at.above].max(x, mode="drop")
    tied, hits, before = put(at.tied), put(at.hits_tied), put(at.hits_above)
    place = lax.broadcasted_iota(jnp.int32, tied.shape, 1)
    first = lax.cummax(jnp.where(tied > 0, place, 0), axis=1)
    tied, hits, before = (jnp.take_along_axis(x, first, axis=1) for x in (tied, hits, before))
    inside = as_float(jnp.clip(place + 1 - first, 0, tied))
    return as_float(before) + inside * as_float(hits) / as_float(jnp.maximum(tied, 1))


@final
class RetrievalPrecisionRecallCurve(AbstractStatistic):
    """Precision and recall among the first 1, 2, ... `max_k` documents, each on average over the
    queries that have a relevant document.

    **Arguments:**

    - `max_k`: how many of the best documents count.
    - `divide_by`: as in [`PrecisionAtK`][eqmetrics.ranking.PrecisionAtK].
    - `ties`: the order of documents with equal scores. `"expected"` takes the mean over all their
        orders, `"worst"` puts the less relevant first, `"first"` keeps the given order.
    - `empty`: what a query without a relevant document counts as, in precision and recall: `"skip"`
        leaves it out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces undefined values; NaN if not given.

    The gradient is 0: the values are piecewise constant.
    State: `4 * max_k + 4` floats. Undefined when: no query has a relevant document.
    Source: Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, section
    8.4.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        curve = eqm.ranking.RetrievalPrecisionRecallCurve(2)
        values = curve(scores=jnp.array([[3.0, 2.0, 1.0]]), relevance=jnp.array([[0, 1, 1]]))
        assert values["precision"].tolist() == values["recall"].tolist() == [0.0, 0.5]
        ```
    """

    max_k: int = eqx.field(static=True)
    divide_by: DivideBy = eqx.field(static=True)
    ties: Ties = eqx.field(static=True)
    empty_as: Empty = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        max_k: int,
        *,
        divide_by: DivideBy = "k",
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        check_divide_by(divide_by)
        check_ties(ties)
        check_empty(empty)
        check_whole("max_k", max_k, 1)
        self.max_k = max_k
        self.divide_by = divide_by
        self.ties = ties
        self.empty_as = empty
        self.undefined = undefined
        self.sums = Sums(VALID, precision=max_k, recall=max_k, weight=())

    def update(
        self, *, scores: Values, relevance: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`scores` and `relevance` have shape `(*queries, documents)`; a higher score is better,
        and a relevance of 0 means irrelevant. `mask` has the shape of the queries, or of the
        documents: then it removes documents. `weights` has the shape of the queries."""
        lists = lists_of(scores, relevance, mask, weights)
        hits = _hits_up_to(lists.places(self.ties, self.max_k), self.max_k)
        size = jnp.arange(1, self.max_k + 1, dtype=jnp.int32)[None]
        if self.divide_by == "documents":
            size = jnp.maximum(jnp.minimum(size, lists.documents[:, None]), 1)
        relevant = lists.relevant[:, None]
        both = {
            "precision": hits / as_float(size),
            "recall": hits / as_float(jnp.maximum(relevant, 1)),
        }
        instead = jnp.float32(1 if self.empty_as == "one" else 0)
        both = {name: jnp.where(relevant > 0, x, instead) for name, x in both.items()}
        counted = lists.relevant > 0 if self.empty_as == "skip" else 1
        return self.replace(sums=self.sums.add(lists.batch, **both, weight=counted))

    def compute(self) -> dict[str, Float32[Array, "{self.max_k}"]]:
        """`precision` and `recall`, of shape `(max_k,)`."""
        *totals, weight = self.sums.read("precision", "recall", "weight")
        means = (quotient_or(x, weight, self.undefined) for x in totals)
        return dict(zip(("precision", "recall"), means, strict=True))
