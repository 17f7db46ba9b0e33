import functools as ft
from collections.abc import Sequence
from typing import final, get_args, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._rows.row_mean import Empty
from ._lists import AbstractRanking, Lists
from ._ranks import as_float, ideal, Places, shared, table, Ties, total


Gain = Literal["linear", "exponential"]


def _check_gain(gain: str) -> None:
    if gain not in get_args(Gain):
        raise ValueError(f"`gain` is {gain!r}, expected 'linear' or 'exponential' (2^rel - 1).")


def _discount(place: np.ndarray) -> np.ndarray:
    return 1 / np.log2(place + 2)


def _gains(relevance: Float32[Array, "*shape"], gain: str) -> Float32[Array, "*shape"]:
    return relevance if gain == "linear" else jnp.exp2(relevance) - 1


@ft.partial(jax.jit, static_argnames=("gain", "cuts", "documents"))
def _discounted(
    at: Places, gain: str, cuts: tuple[int | None, ...], documents: int
) -> Float32[Array, "rows cuts"]:
    """The sum of the gains of the documents, each at the mean discount of the places of its tie."""
    each = _gains(at.relevance, gain) / as_float(at.tied)
    # A document without a gain adds exactly 0, however the compiler fuses a product and a sum.
    some = at.relevance > 0
    found = [
        total(jnp.where(some, each * shared(at, table(_discount, documents, k)), 0)) for k in cuts
    ]
    return jnp.stack(found, axis=1)


class _AbstractDiscounted(AbstractRanking):
    """Sums the gains of a ranking, each with a discount."""

    gain: Gain = eqx.field(static=True)

    def __init__(
        self,
        k: int | Sequence[int] | None = None,
        *,
        gain: Gain = "linear",
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        _check_gain(gain)
        self.gain = gain
        AbstractRanking.__init__(self, k, ties=ties, empty=empty, undefined=undefined)


@final
class NDCG(_AbstractDiscounted, init=False):
    r"""The normalised discounted cumulative gain, on average over the queries: the DCG of the
    ranking divided by the DCG of the best ranking of the same documents.

    $$\mathrm{DCG} = \sum_{i=1}^{k} \frac{g_i}{\log_2(i + 1)}$$

    with the gain $g_i$ of the document at place $i$. The best ranking is that of all documents of
    the query, not only of the first `k`.

    **Arguments:**

    - `k`: how many of the best documents count; all if not given. With several, the value has the
        shape `(len(k),)`.
    - `gain`: `"linear"`: the relevance itself, as in scikit-learn and trec_eval, or
        `"exponential"`: $2^{rel} - 1$, as in Burges et al. and TF-ranking.
    - `ties`: the order of documents with equal scores. `"expected"` takes the mean over all their
        orders, as scikit-learn does; `"worst"` puts the less relevant first, `"first"` keeps the
        given order.
    - `empty`: what a query without a relevant document counts as: `"skip"` leaves it out, `"zero"`
        and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the relevance; with respect to the scores it is 0.
    State: 4 floats for each `k`, and 2. Undefined when: no query has a relevant document.
    Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002; ties:
    McSherry and Najork, "Computing information retrieval performance measures efficiently in the
    presence of tied scores", 2008.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        value = eqm.ranking.NDCG()(scores=scores, relevance=jnp.array([[0, 1, 1]]))
        assert abs(value - 0.69343) < 1e-5
        ```
    """

    def of_lists(self, lists: Lists) -> tuple[Float32[Array, "rows cuts"], Bool[Array, "rows"]]:
        documents = lists.keys.shape[1]
        found = _discounted(lists.places(self.ties, self.most), self.gain, self.cuts, documents)
        best = _discounted(ideal(lists.relevance, self.most), self.gain, self.cuts, documents)
        return found / jnp.where(best > 0, best, 1), lists.relevant > 0


@final
class DCG(_AbstractDiscounted, init=False):
    r"""The discounted cumulative gain, on average over the queries:

    $$\sum_{i=1}^{k} \frac{g_i}{\log_2(i + 1)}$$

    with the gain $g_i$ of the document at place $i$.

    **Arguments:** `k`, `gain`, `ties` and `undefined` are those of
    [`NDCG`][eqmetrics.ranking.NDCG];

    - `empty`: what a query without a document counts as: `"skip"` leaves it out, `"zero"` and
        `"one"` count it as 0 or 1. A query without a relevant document has a gain of 0.

    The gradient is that of the relevance; with respect to the scores it is 0.
    State: 4 floats for each `k`, and 2. Undefined when: no query has a document.
    Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        value = eqm.ranking.DCG()(scores=scores, relevance=jnp.array([[0, 1, 1]]))
        assert abs(value - 1.13093) < 1e-5
        ```
    """

    def of_lists(self, lists: Lists) -> tuple[Float32[Array, "rows cuts"], Bool[Array, "rows"]]:
        at, documents = lists.places(self.ties, self.most), lists.keys.shape[1]
        return _discounted(at, self.gain, self.cuts, documents), lists.documents > 0
