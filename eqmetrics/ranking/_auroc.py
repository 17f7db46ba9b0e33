from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._rows.nearest_quotient import quotient
from .._rows.row_mean import Empty
from ._lists import AbstractRanking, Lists
from ._ranks import as_float, Places, Ties, total


@jax.jit
def _lost(
    at: Places,
    documents: Int32[Array, "rows"],
    relevant: Int32[Array, "rows"],
    most: Float32[Array, "rows"],
) -> Float32[Array, "rows"]:
    """How many relevant documents come after an irrelevant one, summed over the first `most`
    irrelevant documents, of which the last may count in part. It is the mean over all orders of
    tied documents.

    In a tie of `r` relevant and `s` irrelevant documents, `i r / (s + 1)` relevant ones are
    expected before the `i`-th irrelevant one.
    """
    irrelevant = (at.relevance == 0) & (at.above < documents[:, None])
    r, s = at.hits_tied, at.tied - at.hits_tied
    size = as_float(jnp.maximum(s, 1))
    counted = jnp.clip(most[:, None] - as_float(at.above - at.hits_above), 0, size)
    whole = jnp.floor(counted)
    steps = whole * (whole + 1) / 2 + (counted - whole) * (whole + 1)
    behind = as_float(relevant[:, None] - at.hits_above) * counted
    behind = behind - as_float(r) * (steps / (size + 1))
    return total(jnp.where(irrelevant, behind / size, 0))


@final
class RetrievalAUROC(AbstractRanking):
    r"""The area under the ROC curve of each query, on average over the queries. It is the
    probability that a relevant document is placed before an irrelevant one.

    **Arguments:**

    - `max_fpr`: if given, the value is only the area up to this share of the irrelevant documents,
        rescaled so that chance is 0.5 and a perfect ranking 1, as in scikit-learn's
        `roc_auc_score(max_fpr=...)`.
    - `ties`: the order of documents with equal scores. `"expected"` takes the mean over all their
        orders, `"worst"` puts the less relevant first, `"first"` keeps the given order. (Where a
        tie crosses `max_fpr`, scikit-learn draws a straight line, which isn't the mean over the
        orders.)
    - `empty`: what a query counts as that has no relevant or no irrelevant document: `"skip"`
        leaves it out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no query has documents of both kinds.
    Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", 1982; McClish, "Analyzing a portion of the ROC curve", 1989.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 2.0]])
        value = eqm.ranking.RetrievalAUROC()(scores=scores, relevance=jnp.array([[0, 1, 0]]))
        assert value == 0.25
        ```
    """

    max_fpr: float | None = eqx.field(static=True)

    def __init__(
        self,
        *,
        max_fpr: float | None = None,
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        if max_fpr is not None and not 0 < max_fpr <= 1:
            raise ValueError(f"max_fpr={max_fpr}: expected a rate above 0 and at most 1, or None.")
        self.max_fpr = max_fpr
        AbstractRanking.__init__(self, ties=ties, empty=empty, undefined=undefined)

    def of_lists(self, lists: Lists) -> tuple[Float32[Array, "rows cuts"], Bool[Array, "rows"]]:
        documents, relevant = lists.documents, lists.relevant
        irrelevant = documents - relevant
        share = 1.0 if self.max_fpr is None else self.max_fpr
        pairs = as_float(relevant) * as_float(irrelevant)
        lost = _lost(lists.places(self.ties), documents, relevant, share * as_float(irrelevant))
        # Exactly 1 for a perfect order.
        area = 1 - quotient(lost, pairs * (2 * share - share**2))
        return area[:, None], (relevant > 0) & (irrelevant > 0)
