import abc
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._custom_types import Mask, Weights
from .._rows.row_mean import AbstractRowMean
from ._tokens import given_references, Ids, reference_rows, Sequences, Tokens, VALID


def _there(x: Sequences) -> Bool[Array, "length *rows"]:
    places = jnp.arange(x.ids.shape[0], dtype=jnp.int32)
    return places.reshape(-1, *(1,) * (x.ids.ndim - 1)) < x.lengths[None]


def _overlap(x: Sequences, y: Sequences) -> Int32[Array, "*rows"]:
    """How many tokens two sequences share, each as often as both have it. A token of the first
    counts if the second has more tokens equal to it than the first has before it. Every token of
    one is compared with every token of the other."""
    here, there = _there(x), _there(y)
    length = jnp.arange(x.ids.shape[0], dtype=jnp.int32)
    before = (length[:, None] > length[None]).reshape(-1, x.ids.shape[0], *(1,) * (x.ids.ndim - 1))
    count = lambda same: jnp.sum(same, axis=1, dtype=jnp.int32)
    earlier = count((x.ids[:, None] == x.ids[None]) & before)
    others = count((x.ids[:, None] == y.ids[None]) & there[None])
    return jnp.sum(here & (earlier < others), axis=0, dtype=jnp.int32)


def _equal(x: Sequences, y: Sequences) -> Bool[Array, "*rows"]:
    size = min(x.ids.shape[0], y.ids.shape[0])
    differ = _there(x)[:size] & (x.ids[:size] != y.ids[:size])
    return (x.lengths == y.lengths) & ~jnp.any(differ, axis=0)


class AbstractAnswerScore(AbstractRowMean):
    """The mean over the rows of the score of a prediction with its best reference. A subclass
    defines the score in `of_pair`."""

    tokens: Tokens = eqx.field(static=True)

    def __init__(self, tokens: Tokens | None = None, *, undefined: float | None = None):
        self.tokens = Tokens() if tokens is None else tokens
        AbstractRowMean.__init__(self, VALID, undefined=undefined)

    def update(
        self,
        *,
        predicted_tokens: Ids,
        tokens: Ids | None = None,
        references: Ids | None = None,
        mask: Mask = None,
        predicted_mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes `predicted_tokens`, ids of shape `(*rows, length)`, and exactly one of `tokens`, of
        shape `(*rows, length)`, and `references`, of shape `(*rows, references, length)`. A
        reference of padding alone is ignored if another one of the row has a token; otherwise it is
        the empty answer. A `mask` with the shape of the rows removes rows; one with the shape of
        `tokens` or `references` removes tokens. `predicted_mask` removes tokens of the prediction.
        `weights` has the shape of the rows."""
        given = tokens, references, mask, predicted_mask, weights
        batch, predicted, known = reference_rows(self.tokens, predicted_tokens, *given)
        each = Sequences(predicted.ids[:, :, None], predicted.lengths[:, None])
        scores = jnp.where(given_references(known), self.of_pair(each, known), 0)
        return self.plus(batch, jnp.max(scores, axis=1))

    @staticmethod
    @abc.abstractmethod
    def of_pair(predicted: Sequences, known: Sequences) -> Float32[Array, "*rows"]:
        """The score of each prediction with one reference, from 0 to 1."""


@final
class TokenF1(AbstractAnswerScore, init=False):
    r"""The F1 of the tokens of an answer and of the expected answer, as a mean over the rows:
    twice the number of tokens that both have, divided by the number of all tokens of both. A token
    counts as often as both have it. If there are several expected answers, the one with the best
    score counts.

    This is the F1 of SQuAD: it is 1 if both answers are empty, and 0 if only one is. SQuAD first
    changes the strings (lower case, no articles, no punctuation): do this on the host, before you
    make ids.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no row was seen. An update compares all pairs of tokens of an
    answer and a reference.
    Source: Rajpurkar, Zhang, Lopyrev and Liang, "SQuAD: 100,000+ questions for machine
    comprehension of text", 2016.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        f1 = eqm.text.TokenF1()
        predicted, reference = jnp.array([[1, 2, 3, -1]]), jnp.array([[2, 3, 4, 5]])
        assert abs(f1(predicted_tokens=predicted, tokens=reference) - 4 / 7) < 1e-6
        ```
    """

    @staticmethod
    def of_pair(predicted: Sequences, known: Sequences) -> Float32[Array, "*rows"]:
        both = (predicted.lengths + known.lengths).astype(jnp.float32)
        shared = 2 * _overlap(predicted, known).astype(jnp.float32)
        return jnp.where(both == 0, 1, shared / jnp.maximum(both, 1))


@final
class SequenceExactMatch(AbstractAnswerScore, init=False):
    """The share of answers that equal the expected one, or one of several, token by token.

    For labels there is [`eqmetrics.ExactMatch`][]; [`eqmetrics.text.SequenceAccuracy`][] compares
    tokens at the same position.

    **Arguments:**

    - `tokens`: [`eqmetrics.text.Tokens`][], the padding and the stop id.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no row was seen.
    Source: Rajpurkar, Zhang, Lopyrev and Liang, "SQuAD: 100,000+ questions for machine
    comprehension of text", 2016.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        match = eqm.text.SequenceExactMatch()
        predicted = jnp.array([[1, 2, -1], [3, 4, 5]])
        reference = jnp.array([[[1, 2, 3], [1, 2, -1]], [[3, 4, 4], [-1, -1, -1]]])
        assert match(predicted_tokens=predicted, references=reference) == 0.5
        ```
    """

    @staticmethod
    def of_pair(predicted: Sequences, known: Sequences) -> Float32[Array, "*rows"]:
        return _equal(predicted, known).astype(jnp.float32)
