from collections.abc import Sequence
from typing import final, get_args, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._rows.row_mean import Empty
from ._lists import AbstractRanking, check_given, Lists
from ._ranks import as_float, inside, Places, Ties, total


DivideBy = Literal["k", "documents"]


def check_divide_by(divide_by: str) -> None:
    if divide_by not in get_args(DivideBy):
        raise ValueError(f"`divide_by` is {divide_by!r}, expected 'k' or 'documents'.")


@jax.jit
def _hits(at: Places, k: Int32[Array, "rows"]) -> Float32[Array, "rows"]:
    share = as_float(inside(at, k)) / as_float(at.tied)
    return total(jnp.where(at.relevance > 0, share, 0))


def hits_of(lists: Lists, metric: AbstractRanking) -> Float32[Array, "rows cuts"]:
    """The number of relevant documents among the first `k`; its expectation, if documents tie."""
    at = lists.places(metric.ties, metric.most)
    documents = lists.keys.shape[1]
    cuts = [documents if k is None else k for k in metric.cuts]
    each = [jnp.full(at.above.shape[:1], k, jnp.int32) for k in cuts]
    return jnp.stack([_hits(at, k) for k in each], axis=1)


def _column(count: Array) -> Float32[Array, "rows 1"]:
    return as_float(jnp.maximum(count, 1))[:, None]


@final
class PrecisionAtK(AbstractRanking):
    """The share of relevant documents among the first `k`, on average over the queries.

    **Arguments:**

    - `k`: how many of the best documents count. With several, the value has the shape `(len(k),)`.
    - `divide_by`: the number that divides the relevant documents. `"k"`: `k`, also for queries with
        fewer documents, as in trec_eval; `"documents"`: the number of documents, but at most `k`.
    - `ties`: the order of documents with equal scores. `"expected"` takes the mean over all their
        orders, `"worst"` puts the less relevant first, `"first"` keeps the given order.
    - `empty`: what a query without a document counts as: `"skip"` leaves it out, `"zero"` and
        `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 4 floats for each `k`, and 2. Undefined when: no query has a document.
    Source: Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, section
    8.4.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        value = eqm.ranking.PrecisionAtK(2)(scores=scores, relevance=jnp.array([[0, 1, 1]]))
        assert value == 0.5
        ```
    """

    divide_by: DivideBy = eqx.field(static=True)

    def __init__(
        self,
        k: int | Sequence[int],
        *,
        divide_by: DivideBy = "k",
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        check_divide_by(divide_by)
        self.divide_by = divide_by
        check_given(k)
        AbstractRanking.__init__(self, k, ties=ties, empty=empty, undefined=undefined)

    def of_lists(self, lists: Lists) -> tuple[Float32[Array, "rows cuts"], Bool[Array, "rows"]]:
        hits, documents = hits_of(lists, self), lists.documents
        size = jnp.asarray(self.cuts, jnp.int32)[None]
        if self.divide_by == "documents":
            size = jnp.maximum(jnp.minimum(size, documents[:, None]), 1)
        return hits / as_float(size), documents > 0


@final
class RecallAtK(AbstractRanking):
    """The share of the relevant documents that are among the first `k`, on average over the
    queries.

    **Arguments:**

    - `k`: how many of the best documents count. With several, the value has the shape `(len(k),)`.
    - `ties`: as in [`PrecisionAtK`][eqmetrics.ranking.PrecisionAtK].
    - `empty`: what a query without a relevant document counts as: `"skip"` leaves it out, `"zero"`
        and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 4 floats for each `k`, and 2. Undefined when: no query has a relevant document.
    Source: Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, section
    8.4.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        recall = eqm.ranking.RecallAtK((1, 2))
        value = recall(scores=scores, relevance=jnp.array([[0, 1, 1]]))
        assert value.tolist() == [0.0, 0.5]
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
        relevant = lists.relevant
        return hits_of(lists, self) / _column(relevant), relevant > 0


@final
class RPrecision(AbstractRanking):
    """The share of relevant documents among the first $R$ of a query that has $R$ relevant
    documents, on average over the queries.

    **Arguments:** `ties`, `empty` and `undefined` are those of
    [`RecallAtK`][eqmetrics.ranking.RecallAtK].

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no query has a relevant document.
    Source: Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, section
    8.4.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        value = eqm.ranking.RPrecision()(scores=scores, relevance=jnp.array([[0, 1, 1]]))
        assert value == 0.5
        ```
    """

    def __init__(
        self,
        *,
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        AbstractRanking.__init__(self, ties=ties, empty=empty, undefined=undefined)

    def of_lists(self, lists: Lists) -> tuple[Float32[Array, "rows cuts"], Bool[Array, "rows"]]:
        relevant = lists.relevant
        hits = _hits(lists.places(self.ties), relevant)
        return hits[:, None] / _column(relevant), relevant > 0


@final
class FallOut(AbstractRanking):
    """The share of the irrelevant documents that are among the first `k`, on average over the
    queries.

    **Arguments:**

    - `k`: how many of the best documents count. With several, the value has the shape `(len(k),)`.
    - `ties`: as in [`PrecisionAtK`][eqmetrics.ranking.PrecisionAtK].
    - `empty`: what a query without an irrelevant document counts as: `"skip"` leaves it out,
        `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 4 floats for each `k`, and 2. Undefined when: no query has an irrelevant document.
    Source: Salton and McGill, "Introduction to modern information retrieval", 1983.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = jnp.array([[3.0, 2.0, 1.0]])
        value = eqm.ranking.FallOut(2)(scores=scores, relevance=jnp.array([[0, 1, 0]]))
        assert value == 0.5
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
        documents = lists.documents
        irrelevant = documents - lists.relevant
        top = jnp.minimum(jnp.asarray(self.cuts, jnp.int32)[None], documents[:, None])
        others = as_float(top) - hits_of(lists, self)
        return others / _column(irrelevant), irrelevant > 0
