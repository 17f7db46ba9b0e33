import functools as ft
from collections.abc import Sequence
from typing import final, get_args, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._rows.row_mean import Empty
from ._lists import AbstractRanking, Lists
from ._ranks import as_float, inside, Places, shared, table, Ties, total


Normalize = Literal["relevant", "reachable"]


@ft.partial(jax.jit, static_argnames=("cuts", "documents"))
def _precisions(
    at: Places, cuts: tuple[int | None, ...], documents: int
) -> Float32[Array, "rows cuts"]:
    """The sum of the precisions at the ranks of the relevant documents up to `k`, expected over
    the orders of tied documents.

    Take a tie of `n` documents, of which `g` are relevant, after `t` documents, of which `R` are
    relevant. Before a relevant document at place `i` of the tie, `(i - 1) c` other relevant ones of
    the tie are expected, with `c = (g - 1) / (n - 1)`. So the precision at this place is
    `(R + 1 + (i - 1) c) / (t + i)`, which is the sum of `c` and `(R + 1 - c (t + 1)) / (t + i)`.
    """
    hit = at.relevance > 0
    c = as_float(at.hits_tied - 1) / as_float(jnp.maximum(at.tied - 1, 1))
    rest = as_float(at.hits_above + 1) - c * as_float(at.above + 1)
    found = []
    for k in cuts:
        reciprocals = shared(at, table(lambda place: 1 / (place + 1), documents, k))
        sums = c * as_float(inside(at, k)) + rest * reciprocals
        found.append(total(jnp.where(hit, sums / as_float(at.tied), 0)))
    return jnp.stack(found, axis=1)


@final
class RetrievalAveragePrecision(AbstractRanking):
    r"""Mean average precision (MAP): the mean of the precision at the rank of each relevant
    document of a query, on average over the queries. A relevant document beyond `k` counts as 0.

    **Arguments:**

    - `k`: how many of the best documents count; all if not given. With several, the value has the
        shape `(len(k),)`.
    - `normalize`: the number that divides the sum of precisions. `"relevant"`: the number of
        relevant documents, as in trec_eval; `"reachable"`: that number, but at most `k`.
        (torchmetrics divides by the number of relevant documents among the first `k`.)
    - `ties`: the order of documents with equal scores. `"expected"` takes the mean over all their
        orders, `"worst"` puts the less relevant first, `"first"` keeps the given order.
        (scikit-learn's average precision counts tied documents as if all had the last rank of the
        tie.)
    - `empty`: what a query without a relevant document counts as: `"skip"` leaves it out, `"zero"`
        and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 4 floats for each `k`, and 2. Undefined when: no query has a relevant document.
    Source: Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, section
    8.4; ties: McSherry and Najork, 2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        precision = eqm.ranking.RetrievalAveragePrecision()
        value = precision(scores=scores, relevance=jnp.array([[0, 1, 1]]))
        assert abs(value - (1 / 2 + 2 / 3) / 2) < 1e-6
        ```
    """

    normalize: Normalize = eqx.field(static=True)

    def __init__(
        self,
        k: int | Sequence[int] | None = None,
        *,
        normalize: Normalize = "relevant",
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        if normalize not in get_args(Normalize):
            raise ValueError(
                f"`normalize` is {normalize!r}, expected 'relevant' (all relevant documents) or "
                "'reachable' (at most `k` of them)."
            )
        self.normalize = normalize
        AbstractRanking.__init__(self, k, ties=ties, empty=empty, undefined=undefined)

    def of_lists(self, lists: Lists) -> tuple[Float32[Array, "rows cuts"], Bool[Array, "rows"]]:
        at, documents = lists.places(self.ties, self.most), lists.keys.shape[1]
        sums, relevant = _precisions(at, self.cuts, documents), lists.relevant
        size = relevant[:, None]
        if self.normalize == "reachable" and self.k is not None:
            size = jnp.minimum(size, jnp.asarray(self.cuts, jnp.int32)[None])
        return sums / as_float(jnp.maximum(size, 1)), relevant > 0
