"""Rows of the table of laws, of metrics of text on ids."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, labels, logits, scores, SIZES


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


def bytes_of(rng, n):
    return rng.integers(0, 5, size=n).astype(np.int32)


def log_probabilities(rng, n):
    return -rng.gamma(1.0, size=n).astype(np.float32)


def sequences(high, *shape):
    return lambda rng, n: rng.integers(0, high, (n, *shape)).astype(np.int32)


def likelihoods(rng, n):
    return -rng.integers(1, 9, (n, 4)).astype(np.float32)  # with ties


def lengths(rng, n):
    return rng.integers(1, 4, (n, 4)).astype(np.int32)


TOKENS = {"logits": logits, "labels": labels}
TAGS = ["O", "B-x", "I-x", "B-y", "I-y"]
TAGGED = {"labels": sequences(5, 4), "predicted_labels": sequences(5, 4)}
PAIR = drawn(SIZES, predicted_tokens=ids(8), tokens=ids(8))
SEVERAL = drawn(SIZES, predicted_tokens=ids(8), references=ids(8, 8))
WORDS = drawn(SIZES, predicted_tokens=ids(8), tokens=ids(8), predicted_words=ids(8), words=ids(8))
ROWS = {
    "text.TokenLikelihoods": (eqm.text.TokenLikelihoods(2), drawn(SIZES, **TOKENS)),
    "text.ByteLikelihoods": (
        eqm.text.ByteLikelihoods(),
        drawn(SIZES, log_probabilities=log_probabilities, bytes=bytes_of),
    ),
    "text.WordLikelihoods": (
        eqm.text.WordLikelihoods(),
        drawn(SIZES, log_probabilities=log_probabilities, words=bytes_of),
    ),
    "text.Perplexity": (eqm.text.Perplexity(), drawn(SIZES, **TOKENS)),
    "text.BitsPerByte": (eqm.text.BitsPerByte(), drawn(SIZES, **TOKENS, bytes=bytes_of)),
    "text.WordPerplexity": (eqm.text.WordPerplexity(), drawn(SIZES, **TOKENS, words=bytes_of)),
    "text.TokenAccuracy": (eqm.text.TokenAccuracy(), drawn(SIZES, **TOKENS)),
    "text.SequenceAccuracy": (
        eqm.text.SequenceAccuracy(),
        drawn(SIZES, labels=sequences(2, 3), logits=scores(3, 2)),
    ),
    "text.MultipleChoice": (
        eqm.text.MultipleChoice("characters"),
        drawn(SIZES, log_likelihoods=likelihoods, lengths=lengths, labels=sequences(4)),
    ),
    "text.PassAtK": (eqm.text.PassAtK((1, 2)), drawn(SIZES, correct=sequences(2, 4))),
    "text.PassHatK": (eqm.text.PassHatK(2), drawn(SIZES, correct=sequences(2, 3))),
    "text.WinRate": (
        eqm.text.WinRate(),
        drawn(SIZES, outcomes=lambda rng, n: rng.integers(-1, 2, n).astype(np.int32)),
    ),
    "text.MajorityVote": (
        eqm.text.MajorityVote(),
        drawn(SIZES, answers=sequences(3, 4), labels=sequences(3)),
    ),
    "text.EmbeddingMatch": (
        eqm.text.EmbeddingMatch(),
        drawn(SIZES, predicted_embeddings=scores(3, 4), embeddings=scores(2, 4)),
    ),
    "text.TokenF1": (
        eqm.text.TokenF1(eqm.text.Tokens(padding=0)),
        drawn(SIZES, predicted_tokens=sequences(4, 4), references=sequences(4, 4, 4)),
    ),
    "text.SequenceExactMatch": (
        eqm.text.SequenceExactMatch(eqm.text.Tokens(padding=0)),
        drawn(SIZES, predicted_tokens=sequences(2, 4), tokens=sequences(2, 4)),
    ),
    "text.SpanCounts": (eqm.text.SpanCounts(TAGS, scheme="strict"), drawn(SIZES, **TAGGED)),
    "text.SequenceLabelF1": (
        eqm.text.SequenceLabelF1(TAGS, average="macro"),
        drawn(SIZES, **TAGGED),
    ),
    "text.AlignmentCounts": (eqm.text.AlignmentCounts(), PAIR),
    "text.MatchErrorRate": (eqm.text.MatchErrorRate(), PAIR),
    "text.WordInformationLost": (eqm.text.WordInformationLost(), PAIR),
    "text.WordInformationPreserved": (eqm.text.WordInformationPreserved(), PAIR),
    "text.BLEU": (eqm.text.BLEU(max_order=3, smoothing="exp"), PAIR),
    "text.NgramCounts": (eqm.text.NgramCounts(max_order=2), SEVERAL),
    "text.ChrF": (eqm.text.ChrF(2, word_order=1), WORDS),
    "text.ChrFCounts": (eqm.text.ChrFCounts(2), SEVERAL),
    "text.Rouge": (eqm.text.Rouge("Lsum", separator=0), PAIR),
    "text.RougeScores": (eqm.text.RougeScores("L", accumulate="mean"), SEVERAL),
    "text.EditDistance": (
        eqm.text.EditDistance(normalize="max", substitution_cost=0.5),
        PAIR,
    ),
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
