"""Error rates of a corpus: all edits over all tokens of the references."""

from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Weights
from .._metric.metric import AbstractExact
from .._metric.readout import AbstractPartialStatistic, AbstractReadout
from .._onepass.sums import Sums
from .._reduction.pair import Pair
from .._rows.nearest_quotient import quotient_or
from ._alignment import AlignmentCounts
from ._edit import edit_distance
from ._tokens import Ids, token_rows, Tokens, VALID


@final
class EditCounts(AbstractPartialStatistic, AbstractExact):
    """The sum of the edit distances of predictions and references, and of the lengths of the
    references: the statistic of the error rates. In a `MetricDict` that also has
    [`eqmetrics.text.AlignmentCounts`][] with the same `tokens`, these sums are computed from its
    counts.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.

    State: 6 floats. Undefined when: never; empty sums are 0. The gradient is 0: the inputs are
    ids.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        counts = eqm.text.EditCounts()
        value = counts(predicted_tokens=jnp.array([[1, 2, 3]]), tokens=jnp.array([[1, 3]]))
        assert value == {"edits": 1, "length": 2}
        ```
    """

    tokens: Tokens = eqx.field(static=True)
    sums: Sums

    def __init__(self, tokens: Tokens = Tokens()):  # noqa: B008 - frozen
        self.tokens = tokens
        self.sums = Sums(VALID, edits=(), length=())

    def update(
        self,
        *,
        predicted_tokens: Ids,
        tokens: Ids,
        mask: Mask = None,
        predicted_mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predicted_tokens` and `tokens` are ids of shape `(*rows, length)`; the two lengths may
        differ. A `mask` with the shape of the rows removes rows; one with the shape of `tokens`
        removes tokens. `predicted_mask` removes tokens of the prediction. `weights` has the shape
        of the rows."""
        t = token_rows(self.tokens, predicted_tokens, tokens, mask, predicted_mask, weights)
        edits = edit_distance(t.predicted, t.references).astype(jnp.float32)
        length = t.references.lengths.astype(jnp.float32)
        return self.replace(sums=self.sums.add(t.batch, edits=edits, length=length))

    def larger(self) -> AlignmentCounts:
        return AlignmentCounts(self.tokens)

    @classmethod
    def read(cls, larger: AlignmentCounts) -> Self:
        new = cls(larger.tokens)
        edits = larger.total("substitutions", "deletions", "insertions")
        length = larger.total("hits", "substitutions", "deletions")
        return new.replace(sums=new.sums.read_from(larger.sums, edits=edits, length=length))

    def exact(self) -> dict[str, Pair]:
        return {"edits": self.sums.pair("edits"), "length": self.sums.pair("length")}

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """`edits` and `length`."""
        return self.sums.compute()


class _AbstractErrorRate(AbstractReadout):
    undefined: float | None = eqx.field(static=True)
    statistic: EditCounts

    def __init__(
        self,
        tokens: Tokens = Tokens(),  # noqa: B008 - frozen
        *,
        undefined: float | None = None,
    ):
        self.undefined = undefined
        self.statistic = EditCounts(tokens)

    def compute(self) -> Float32[Array, ""]:
        """A scalar."""
        edits, length = self.statistic.sums.read("edits", "length")
        return quotient_or(edits, length, self.undefined)


@final
class WordErrorRate(_AbstractErrorRate, init=False):
    r"""The number of edits that turn the predictions into the references, divided by the number of
    words of the references: $\sum_i (S_i + D_i + I_i) / \sum_i N_i$ for substitutions, deletions,
    insertions and words. Each id is a word.

    This is the rate of the corpus, not the mean of the rates of the sentences. It may be above 1.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.EditCounts`][], shared. Undefined when: the references have no
    word. (jiwer 4 then gives the number of insertions, or 0.) The gradient is 0: the inputs are
    ids.
    Source: Levenshtein, "Binary codes capable of correcting deletions, insertions and reversals",
    1966.

    !!! example

        ```python
        import eqmetrics as eqm
        texts = ["a cat sat"], ["the cat sat"]
        predicted, reference = (eqm.text.host_ids(x, by="word") for x in texts)
        value = eqm.text.WordErrorRate()(predicted_tokens=predicted, tokens=reference)
        assert abs(value - 1 / 3) < 1e-6
        ```
    """


@final
class CharacterErrorRate(_AbstractErrorRate, init=False):
    r"""The number of edits that turn the predictions into the references, divided by the number of
    characters of the references: as [`eqmetrics.text.WordErrorRate`][], but each id is a character.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.text.EditCounts`][], shared. Undefined when: the references have no
    character. The gradient is 0: the inputs are ids.
    Source: Levenshtein, "Binary codes capable of correcting deletions, insertions and reversals",
    1966.

    !!! example

        ```python
        import eqmetrics as eqm
        words = ["kitten"], ["sitting"]
        predicted, reference = (eqm.text.host_ids(x, by="character") for x in words)
        value = eqm.text.CharacterErrorRate()(predicted_tokens=predicted, tokens=reference)
        assert abs(value - 3 / 7) < 1e-6
        ```
    """
