"""Metrics of text in padded arrays of ids, and of language models."""

from ._alignment import (
    AlignmentCounts as AlignmentCounts,
    MatchErrorRate as MatchErrorRate,
    WordInformationLost as WordInformationLost,
    WordInformationPreserved as WordInformationPreserved,
)
from ._bleu import BLEU as BLEU, NgramCounts as NgramCounts
from ._chrf import ChrF as ChrF, ChrFCounts as ChrFCounts
from ._edit_distance import EditDistance as EditDistance
from ._embedding_match import EmbeddingMatch as EmbeddingMatch
from ._error_rate import (
    CharacterErrorRate as CharacterErrorRate,
    EditCounts as EditCounts,
    WordErrorRate as WordErrorRate,
)
from ._host_ids import host_ids as host_ids
from ._multiple_choice import MultipleChoice as MultipleChoice
from ._pass_at_k import PassAtK as PassAtK, PassHatK as PassHatK
from ._perplexity import (
    BitsPerByte as BitsPerByte,
    Perplexity as Perplexity,
    WordPerplexity as WordPerplexity,
)
from ._rouge import Rouge as Rouge, RougeScores as RougeScores
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
