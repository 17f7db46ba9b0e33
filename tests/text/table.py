import numpy as np

import eqmetrics as eqm

from ..draws import drawn, labels, logits, scores, SIZES


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
}
