"""Lists of documents, and the base class of their scores."""

import abc
from collections.abc import Sequence
from typing import Any, get_args, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32, Int32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.row_mean import AbstractRowMean, Empty
from .._rows.rows import Rows, rows
from ._ranks import keys_of, Places, places, SELECTED, Ties


VALID = "scores without NaN, relevance >= 0 and finite, weights >= 0 and finite"


class Lists(NamedTuple):
    """The documents of each query, of shape `(rows, documents)`."""

    batch: Rows
    keys: Int32[Array, "rows documents"]  # ordered like the scores
    relevance: Float32[Array, "rows documents"]  # 0 where there is no document
    real: Bool[Array, "rows documents"]
    floats: bool  # whether the scores are floats

    def places(self, ties: Ties = "expected", most: int | None = None) -> Places:
        # `most` is passed only if it saves time. Without it, scores of different `k` share places.
        alone = ties == "first" and self.floats and self.keys.shape[1] > SELECTED
        return places(self.keys, self.relevance, ties, most if alone else None)

    @property
    def documents(self) -> Int32[Array, "rows"]:
        """How many documents a query has."""
        return jnp.sum(self.real, axis=1, dtype=jnp.int32)

    @property
    def relevant(self) -> Int32[Array, "rows"]:
        """How many documents of a query are relevant."""
        return jnp.sum(self.relevance > 0, axis=1, dtype=jnp.int32)


def lists_of(
    scores: Any, relevance: Any, mask: Any, weights: Any, largest: float = float("inf")
) -> Lists:
    if scores.ndim == 0:
        raise TypeError(
            f"`scores` is {describe(scores)}, expected the shape (*queries, documents): the last "
            "axis are the documents of a query. Documents with the ids of their queries are made "
            "lists by `eqm.ranking.group_queries`."
        )
    if relevance.shape != scores.shape:
        raise TypeError(
            f"`scores` is {describe(scores)} and `relevance` is {describe(relevance)}: they must "
            "have the same shape. Nothing is broadcast."
        )
    row_mask, real = split_mask(mask, scores, 1, "scores")
    last = scores.shape[-1:]
    batch = rows(scores, row_mask, weights, last, "scores")
    grades = rows(relevance, None, None, last, "relevance").values.astype(jnp.float32)
    bad = ~((grades >= 0) & (grades < jnp.inf) & (grades <= largest)) | jnp.isnan(batch.values)
    batch = batch.without(jnp.any(bad & real, axis=1))
    if batch.mask is not None:
        real = real & batch.mask[:, None]
    keys = keys_of(batch.values, real)
    floats = jnp.issubdtype(scores.dtype, jnp.floating)
    return Lists(batch, keys, jnp.where(real, grades, 0), real, floats)


def check_given(k: Any) -> None:
    if k is None:
        raise ValueError("k=None: this score needs a `k`, as `k=10`, or several.")


def cuts_of(k: Any) -> tuple[int, ...]:
    """`k` as a tuple, checked."""
    ks = tuple(k) if isinstance(k, Sequence) else () if k is None else (k,)
    whole = all(isinstance(x, int) and not isinstance(x, bool) and x >= 1 for x in ks)
    if not whole or (k is not None and not ks):
        raise ValueError(f"k={k!r}: expected a whole number from 1 on, or several.")
    return ks


def check_ties(ties: str) -> None:
    if ties not in get_args(Ties):
        raise ValueError(
            f"`ties` is {ties!r}, expected 'expected' (the mean over all orders of tied "
            "documents), 'worst' (the less relevant first) or 'first' (in the order given)."
        )


class AbstractRanking(AbstractRowMean):
    """The mean over the queries of a score of their ranked documents, or of one score for each `k`.
    A subclass defines the scores in `of_lists`."""

    k: int | tuple[int, ...] | None = eqx.field(static=True)
    ties: Ties = eqx.field(static=True)

    def __init__(
        self,
        k: int | Sequence[int] | None = None,
        *,
        ties: Ties = "expected",
        empty: Empty = "skip",
        undefined: float | None = None,
        valid: str = VALID,
    ):
        ks = cuts_of(k)
        check_ties(ties)
        several = isinstance(k, Sequence)
        self.k = ks if several else ks[0] if ks else None
        self.ties = ties
        shape = (len(ks),) if several else ()
        AbstractRowMean.__init__(self, valid, shape=shape, empty=empty, undefined=undefined)

    @property
    def cuts(self) -> tuple[int | None, ...]:
        """All `k`, as a tuple; `(None,)` if none was given."""
        return self.k if isinstance(self.k, tuple) else (self.k,)

    @property
    def most(self) -> int | None:
        """How many of the best documents a score depends on; `None` if all."""
        return None if self.k is None else max(x for x in self.cuts if x is not None)

    def update(
        self,
        *,
        scores: Values,
        relevance: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`scores` and `relevance` have shape `(*queries, documents)`; a higher score is better,
        and a relevance of 0 means irrelevant. A `mask` with the shape of the queries removes
        queries; one with the shape of the documents removes documents. `weights` has the shape of
        the queries."""
        lists = lists_of(scores, relevance, mask, weights)
        values, defined = self.of_lists(lists)
        if not isinstance(self.k, tuple):
            values = values[:, 0]
        return self.plus(lists.batch, values, defined)

    @abc.abstractmethod
    def of_lists(
        self, lists: Lists
    ) -> tuple[Float[Array, "rows cuts"], Bool[Array, "rows"]]:
        """The scores of each query, one for each of `self.cuts`, and whether they are defined."""
