"""Metrics of text: language models and sequences of ids."""

from ._multiple_choice import MultipleChoice as MultipleChoice
from ._pass_at_k import PassAtK as PassAtK, PassHatK as PassHatK
from ._perplexity import (
    BitsPerByte as BitsPerByte,
    Perplexity as Perplexity,
    WordPerplexity as WordPerplexity,
)
from ._sequence_label_f1 import SequenceLabelF1 as SequenceLabelF1, SpanCounts as SpanCounts
from ._token_accuracy import (
    SequenceAccuracy as SequenceAccuracy,
    TokenAccuracy as TokenAccuracy,
)
from ._token_f1 import SequenceExactMatch as SequenceExactMatch, TokenF1 as TokenF1
from ._token_likelihoods import (
    ByteLikelihoods as ByteLikelihoods,
    TokenLikelihoods as TokenLikelihoods,
    WordLikelihoods as WordLikelihoods,
)
from ._tokens import Tokens as Tokens
from ._win_rate import MajorityVote as MajorityVote, WinRate as WinRate
