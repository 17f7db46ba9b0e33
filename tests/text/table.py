"""Rows of the table of laws, of metrics of text on ids."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, SIZES


def ids(*shape: int):
    """Sequences of every length, some with gaps, all near to one, so that tokens are common."""

    def make(rng, n):
        length = shape[-1]
        whole = np.arange(length) * np.arange(length) % 5
        x = np.where(rng.random((n, *shape)) < 0.7, whole, rng.integers(0, 5, (n, *shape)))
        end = rng.integers(0, length + 1, (n, *shape[:-1], 1))
        gap = rng.random((n, *shape)) < 0.1
        return np.where((np.arange(length) < end) & ~gap, x, -1).astype(np.int32)

    return make


PAIR = drawn(SIZES, predicted_tokens=ids(8), tokens=ids(8))
SEVERAL = drawn(SIZES, predicted_tokens=ids(8), references=ids(8, 8))
WORDS = drawn(SIZES, predicted_tokens=ids(8), tokens=ids(8), predicted_words=ids(8), words=ids(8))
ROWS = {
    "text.AlignmentCounts": (eqm.text.AlignmentCounts(), PAIR),
    "text.MatchErrorRate": (eqm.text.MatchErrorRate(), PAIR),
    "text.WordInformationLost": (eqm.text.WordInformationLost(), PAIR),
    "text.WordInformationPreserved": (eqm.text.WordInformationPreserved(), PAIR),
    "text.BLEU": (eqm.text.BLEU(max_order=3, smoothing="exp"), PAIR),
    "text.NgramCounts": (eqm.text.NgramCounts(max_order=2), SEVERAL),
    "text.ChrF": (eqm.text.ChrF(2, word_order=1), WORDS),
    "text.ChrFCounts": (eqm.text.ChrFCounts(2), SEVERAL),
    "text.Rouge": (eqm.text.Rouge(2), PAIR),
    "text.RougeScores": (eqm.text.RougeScores("L"), SEVERAL),
    "text.EditDistance": (eqm.text.EditDistance(normalize="max"), PAIR),
    "text.EditCounts": (eqm.text.EditCounts(), PAIR),
    "text.WordErrorRate": (eqm.text.WordErrorRate(), PAIR),
    "text.CharacterErrorRate": (eqm.text.CharacterErrorRate(), PAIR),
}
# Readouts of a statistic that has a row of its own.
SLOW = {
    "text.MatchErrorRate",
    "text.WordInformationLost",
    "text.WordInformationPreserved",
    "text.CharacterErrorRate",
}
