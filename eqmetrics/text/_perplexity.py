import math
from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._token_likelihoods import ByteLikelihoods, TokenLikelihoods, WordLikelihoods


@final
class Perplexity(AbstractReadout):
    r"""The perplexity of a language model: $\exp(-\frac1n \sum_i \log p_i)$ over all $n$ tokens of
    the data, where $p_i$ is the probability that the model gave to the target token.

    All tokens count alike, whatever their sequence or batch: the value isn't a mean of
    perplexities, and masked padding changes nothing. (In mlx-lm and others the value depended on
    the batch size.) A token of probability 0 makes the value infinite. Perplexities of different
    vocabularies can't be compared; values of [`eqmetrics.text.BitsPerByte`][] can.

    No array of the size of the logits is made, even if the vocabulary is spread over devices.
    Logits of 16 bits are summed in float32.

    **Arguments:**

    - `ignore_index`: tokens with this label are left out, as [`eqmetrics.Multiclass`][] does. It is
        -100 if labels come from transformers.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the logits or of the log-probabilities.
    State: that of [`eqmetrics.text.TokenLikelihoods`][], shared. Undefined when: no token was seen.
    Source: Jelinek, Mercer, Bahl and Baker, "Perplexity, a measure of the difficulty of speech
    recognition tasks", 1977.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        perplexity = eqm.text.Perplexity()
        value = perplexity(log_probabilities=jnp.log(jnp.array([1 / 2, 1 / 4])))
        assert abs(value - 2**1.5) < 1e-5
        logits, labels = jnp.zeros((2, 3, 50)), jnp.array([[7, 0, 0], [1, 2, 49]])
        value = perplexity(logits=logits, labels=labels, mask=labels > 0)
        assert abs(value - 50) < 1e-4
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: TokenLikelihoods

    def __init__(self, ignore_index: int | None = None, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = TokenLikelihoods(ignore_index)

    def compute(self) -> Float32[Array, ""]:
        loss, tokens = self.statistic.sums.read("negative_log_likelihood", "tokens")
        return undefined_as(jnp.exp(over(loss, tokens)), tokens == 0, self.undefined)


@final
class BitsPerByte(AbstractReadout):
    r"""How many bits a language model needs for each byte of text:
    $-\sum_i \log_2 p_i \,/ \sum_i b_i$, where token $i$ is $b_i$ bytes long.

    The value can be compared between models of different vocabularies. `bytes` comes from a table
    of the vocabulary: `bytes=table[labels]`. If the table has numbers of characters, the value is
    in bits per character.

    **Arguments:**

    - `ignore_index`: tokens with this label, and their bytes, are left out.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the logits or of the log-probabilities.
    State: that of [`eqmetrics.text.ByteLikelihoods`][], shared with
    [`eqmetrics.text.Perplexity`][]. Undefined when: no byte was seen.
    Source: Gao et al., "The Pile: an 800GB dataset of diverse text for language modeling", 2020;
    `bits_per_byte` of lm-evaluation-harness.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        bits = eqm.text.BitsPerByte()
        log_probabilities = jnp.log(jnp.array([1 / 2, 1 / 4]))
        assert abs(bits(log_probabilities=log_probabilities, bytes=jnp.array([1, 2])) - 1) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: ByteLikelihoods

    def __init__(self, ignore_index: int | None = None, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = ByteLikelihoods(ignore_index)

    def compute(self) -> Float32[Array, ""]:
        loss = self.statistic.likelihoods.sums.read("negative_log_likelihood")
        count = self.statistic.sums.read("bytes")
        bits = over(loss, count) * (1 / math.log(2))
        return undefined_as(bits, count == 0, self.undefined)


@final
class WordPerplexity(AbstractReadout):
    r"""The perplexity of a language model per word: $\exp(-\sum_i \log p_i \,/ \sum_i w_i)$, where
    token $i$ counts as $w_i$ words.

    If the text consists of words, the value can be compared between models of different
    vocabularies. `words` says how many words each token counts as: 1 where a label ends a word, and
    0 elsewhere.

    **Arguments:**

    - `ignore_index`: tokens with this label, and their words, are left out.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the logits or of the log-probabilities.
    State: that of [`eqmetrics.text.WordLikelihoods`][]. Undefined when: no word was seen.
    Source: `word_perplexity` of lm-evaluation-harness.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        perplexity = eqm.text.WordPerplexity()
        log_probabilities = jnp.log(jnp.array([1 / 2, 1 / 4]))
        value = perplexity(log_probabilities=log_probabilities, words=jnp.array([0, 1]))
        assert abs(value - 8) < 1e-5
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: WordLikelihoods

    def __init__(self, ignore_index: int | None = None, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = WordLikelihoods(ignore_index)

    def compute(self) -> Float32[Array, ""]:
        loss = self.statistic.likelihoods.sums.read("negative_log_likelihood")
        words = self.statistic.sums.read("words")
        return undefined_as(jnp.exp(over(loss, words)), words == 0, self.undefined)
