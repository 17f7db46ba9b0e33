import functools as ft
from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient_or
from .._rows.row_mean import check_empty, Empty
from ._lists import check_ties, lists_of
from ._ranks import as_float, Places, shared, table, Ties, total


_VALID = "scores without NaN, relevance in [0, 1], weights >= 0 and finite"


@ft.partial(jax.jit, static_argnames=("p", "documents"))
def _biased(at: Places, p: float, documents: int) -> Float32[Array, "rows"]:
    worth = table(lambda place: (1 - p) * p**place, documents, None)
    each = at.relevance / as_float(at.tied)
    return total(jnp.where(at.relevance > 0, each * shared(at, worth), 0))


@final
class RankBiasedPrecision(Metric):
    r"""The relevance that a reader finds, on average over the queries, if after each document the
    reader goes on to the next with probability $p$. `precision` is the relevant share of the
    documents that the reader sees, and `residual` is the most that documents beyond the list could
    add to it.

    $$\mathrm{RBP} = (1 - p) \sum_{i=1}^{D} r_i\, p^{\,i - 1}, \qquad \mathrm{residual} = p^D$$

    for the relevance $r_i$, from 0 to 1, of the document at place $i$ of $D$. A relevance above 1
    is invalid: divide grades by the highest possible one.

    **Arguments:**

    - `p`: between 0 and 1. The reader looks at $1 / (1 - p)$ documents on average. 0.5 and 0.8 are
        usual, 0.95 is for a patient reader.
    - `ties`: the order of documents with equal scores. `"expected"` takes the mean over all their
        orders, `"worst"` puts the less relevant first, `"first"` keeps the given order.
    - `empty`: the precision of a query without a document: `"skip"` leaves the query out, `"zero"`
        and `"one"` count it as 0 or 1, with a residual of 0.
    - `undefined`: what replaces undefined values; NaN if not given.

    The gradient is that of the relevance; with respect to the scores it is 0.
    State: 8 floats. Undefined when: no query has a document.
    Source: Moffat and Zobel, "Rank-biased precision for measurement of retrieval effectiveness",
    2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        precision = eqm.ranking.RankBiasedPrecision(0.5)
        values = precision(scores=jnp.array([[3.0, 2.0, 1.0]]), relevance=jnp.array([[0, 1, 1]]))
        assert values == {"precision": 0.375, "residual": 0.125}
        ```
    """

    p: float = eqx.field(static=True)
    ties: Ties = eqx.field(static=True)
    empty_as: Empty = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        p: float,
        *,
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        if not 0 < p < 1:
            raise ValueError(f"p={p}: expected a probability between 0 and 1.")
        check_ties(ties)
        check_empty(empty)
        self.p = p
        self.ties = ties
        self.empty_as = empty
        self.undefined = undefined
        self.sums = Sums(_VALID, precision=(), residual=(), weight=())

    def update(
        self, *, scores: Values, relevance: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`scores` and `relevance` have the shape `(*queries, documents)`; a higher score is
        better, and a relevance is from 0 to 1. A `mask` with the shape of the queries removes
        queries; one with the shape of the documents removes documents. `weights` has the shape of
        the queries."""
        lists = lists_of(scores, relevance, mask, weights, largest=1.0)
        some = lists.documents > 0
        found = _biased(lists.places(self.ties), self.p, lists.keys.shape[1])
        depth = as_float(lists.documents)
        new = self.sums.add(
            lists.batch,
            precision=jnp.where(some, found, jnp.float32(1 if self.empty_as == "one" else 0)),
            residual=jnp.where(some, jnp.float32(self.p) ** depth, 0),
            weight=some if self.empty_as == "skip" else 1,
        )
        return self.replace(sums=new)

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """`precision` and `residual`."""
        *totals, weight = self.sums.read("precision", "residual", "weight")
        means = (quotient_or(x, weight, self.undefined) for x in totals)
        return dict(zip(("precision", "residual"), means, strict=True))
