"""Metrics of text: language models and sequences of ids."""

from ._perplexity import (
    BitsPerByte as BitsPerByte,
    Perplexity as Perplexity,
    WordPerplexity as WordPerplexity,
)
from ._token_accuracy import (
    SequenceAccuracy as SequenceAccuracy,
    TokenAccuracy as TokenAccuracy,
)
from ._token_likelihoods import (
    ByteLikelihoods as ByteLikelihoods,
    TokenLikelihoods as TokenLikelihoods,
    WordLikelihoods as WordLikelihoods,
)
