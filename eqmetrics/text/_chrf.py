from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Weights
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient
from .._rows.rows import undefined_as
from ._ngrams import matched_ngrams, ngrams_of
from ._tokens import given_references, Ids, pairs_of, reference_rows, Sequences, Tokens, VALID


_KINDS = "matches", "predicted", "reference"


def _counts_of(predicted: Sequences, references: Sequences, order: int) -> list[Array]:
    """For each row, reference and order: how many n-grams match, how many the prediction has, and
    how many the reference has. Each array has the shape `(rows, references, orders)`."""
    predicted, reference = pairs_of(predicted, references)
    orders, shape = range(1, order + 1), references.lengths.shape
    one = Sequences(reference.ids[:, :, None], reference.lengths[:, None])
    matches = matched_ngrams(predicted, one, orders)
    own, others = ngrams_of(predicted.lengths, orders), ngrams_of(reference.lengths, orders)
    # As in sacrebleu, a prediction has no n-grams of an order in which its reference has none.
    own = jnp.where(others > 0, own, 0)
    return [x.astype(jnp.float32).reshape(*shape, order) for x in (matches, own, others)]


def _f_score(counts: Sequence[Array], beta: float) -> Array:
    """The F-score of precision and recall, each a mean over the orders (the last axis) that both
    have."""
    matches, predicted, reference = counts
    there = (predicted > 0) & (reference > 0)
    count = jnp.maximum(jnp.sum(there, axis=-1, dtype=jnp.float32), 1)
    share = lambda of: jnp.sum(jnp.where(there, quotient(matches, of), 0), axis=-1) / count
    precision, recall, factor = share(predicted), share(reference), beta**2
    return quotient((1 + factor) * precision * recall, factor * precision + recall)


@final
class ChrFCounts(AbstractStatistic):
    """How many n-grams of characters and of words the predictions have, how many the references
    have, and how many match: the statistic of [`eqmetrics.text.ChrF`][].

    **Arguments:**

    - `order`: the largest order of the n-grams of characters.
    - `beta`: the importance of recall relative to precision. It decides which of several
        references is the best.
    - `word_order`: the largest order of the n-grams of words; 0: no words.
    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.

    State: `6 * (order + word_order) + 4` floats. Undefined when: never; empty sums are 0. The
    gradient is 0: the inputs are ids.

    !!! example

        ```python
        import eqmetrics as eqm
        predicted, reference = (eqm.text.host_ids([x], by="character") for x in ("cat", "cab"))
        counts = eqm.text.ChrFCounts(2)(predicted_tokens=predicted, tokens=reference)
        assert counts["matches"].tolist() == [2, 1]
        ```
    """

    order: int = eqx.field(static=True)
    beta: float = eqx.field(static=True)
    word_order: int = eqx.field(static=True)
    tokens: Tokens = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        order: int = 6,
        beta: float = 2.0,
        word_order: int = 0,
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
    ):
        if order < 1 or word_order < 0 or not beta > 0:
            raise ValueError(
                f"order={order}, beta={beta}, word_order={word_order}: expected an order of 1 or "
                "more, a `beta` above 0, and 0 or more orders of words."
            )
        self.order = order
        self.beta = beta
        self.word_order = word_order
        self.tokens = tokens
        self.sums = Sums(VALID, **dict.fromkeys(_KINDS, order + word_order), weight=())

    def update(
        self,
        *,
        predicted_tokens: Ids,
        tokens: Ids | None = None,
        references: Ids | None = None,
        predicted_words: Ids | None = None,
        words: Ids | None = None,
        mask: Mask = None,
        predicted_mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predicted_tokens` and `tokens` are the characters without the spaces, of shape `(*rows,
        length)`. If rows have several references, pass `references` of shape `(*rows, references,
        length)` instead of `tokens`; a reference without a character is ignored. With a
        `word_order`, pass also `predicted_words`, the words of the predictions, and `words`, those
        of `tokens` or `references`: their shapes may differ from those of the characters only in
        the last axis. A `mask` with the shape of the rows removes rows; one with the shape of
        `tokens` or `references` removes characters. `predicted_mask` removes characters of the
        prediction. `weights` has the shape of the rows."""
        t = reference_rows(
            self.tokens, predicted_tokens, tokens, references, mask, predicted_mask, weights
        )
        counts = _counts_of(t.predicted, t.references, self.order)
        batch = t.batch
        if self.word_order:
            w = self._words(predicted_words, words, references is not None, t.references)
            more = _counts_of(w.predicted, w.references, self.word_order)
            counts = [jnp.concatenate(x, axis=-1) for x in zip(counts, more, strict=True)]
            batch = batch if w.batch.invalid is None else batch.without(w.batch.invalid)
        elif predicted_words is not None or words is not None:
            raise TypeError("Words came, and `word_order` is 0: `ChrF(word_order=2)` reads them.")
        # The reference with the best score; of several with the same score, the first.
        each = jnp.where(given_references(t.references), _f_score(counts, self.beta), -1)
        best = jnp.argmax(each, axis=1)[:, None, None]
        chosen = [jnp.take_along_axis(x, best, axis=1)[:, 0] for x in counts]
        return self.replace(
            sums=self.sums.add(batch, **dict(zip(_KINDS, chosen, strict=True)), weight=1)
        )

    def _words(self, predicted: Any, words: Any, several: bool, characters: Sequences) -> Any:
        if predicted is None or words is None:
            raise TypeError(
                f"`word_order` is {self.word_order}: expected `predicted_words` and `words` beside "
                "the characters."
            )
        given = {"one": None, "several": words} if several else {"one": words, "several": None}
        w = reference_rows(
            self.tokens, predicted, mask=None, predicted_mask=None, weights=None, **given
        )
        if w.references.lengths.shape != characters.lengths.shape:
            raise TypeError(
                f"Words of {w.references.lengths.shape} rows and references, and characters of "
                f"{characters.lengths.shape}: expected the same."
            )
        return w

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """`matches`, `predicted` and `reference`, of shape `(order + word_order,)`, and
        `weight`."""
        return self.sums.compute()


@final
class ChrF(AbstractReadout):
    r"""chrF of a corpus, between 0 and 100: the $F_\beta$ of n-grams of characters. With a
    `word_order` it also counts n-grams of words: chrF++ is `ChrF(word_order=2)`.

    Precision and recall are computed for each order from the counts of the whole corpus, then
    averaged over the orders that both predictions and references have:
    $100 (1 + \beta^2) P R / (\beta^2 P + R)$, as in sacrebleu from version 2. If a row has several
    references, only the one with the best score counts.

    **Arguments:**

    - `order`: the largest order of the n-grams of characters.
    - `beta`: the importance of recall relative to precision.
    - `word_order`: the largest order of the n-grams of words; 0: no words.
    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.ChrFCounts`][], shared. Undefined when: no row was seen.
    If there is no n-gram, the value is 0. The gradient is 0: the inputs are ids.
    Source: Popović, "chrF: character n-gram F-score for automatic MT evaluation", 2015.

    !!! example

        ```python
        import eqmetrics as eqm
        characters = lambda text: eqm.text.host_ids(["".join(text.split())], by="character")
        predicted, reference = characters("the cat"), characters("the cat")
        assert eqm.text.ChrF()(predicted_tokens=predicted, tokens=reference) == 100
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: ChrFCounts

    def __init__(
        self,
        order: int = 6,
        beta: float = 2.0,
        word_order: int = 0,
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
        *,
        undefined: float | None = None,
    ):
        self.undefined = undefined
        self.statistic = ChrFCounts(order, beta, word_order, tokens)

    def compute(self) -> Float32[Array, ""]:
        """A scalar, between 0 and 100."""
        *counts, weight = self.statistic.sums.read(*_KINDS, "weight")
        score = 100 * _f_score(counts, self.statistic.beta)
        return undefined_as(score, weight == 0, self.undefined)
