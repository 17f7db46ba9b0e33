"""Metrics of text, in padded arrays of ids. Strings become ids on the host."""

from ._alignment import (
    AlignmentCounts as AlignmentCounts,
    MatchErrorRate as MatchErrorRate,
    WordInformationLost as WordInformationLost,
    WordInformationPreserved as WordInformationPreserved,
)
from ._bleu import BLEU as BLEU, NgramCounts as NgramCounts
from ._chrf import ChrF as ChrF, ChrFCounts as ChrFCounts
from ._edit_distance import EditDistance as EditDistance
from ._error_rate import (
    CharacterErrorRate as CharacterErrorRate,
    EditCounts as EditCounts,
    WordErrorRate as WordErrorRate,
)
from ._host_ids import host_ids as host_ids
from ._rouge import Rouge as Rouge, RougeScores as RougeScores
from ._tokens import Tokens as Tokens
