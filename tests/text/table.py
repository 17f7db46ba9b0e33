import numpy as np

import eqmetrics as eqm

from ..draws import drawn, labels, logits, scores, SIZES


def bytes_of(rng, n):
    return rng.integers(0, 5, size=n).astype(np.int32)


def log_probabilities(rng, n):
    return -rng.gamma(1.0, size=n).astype(np.float32)


def sequences(high, *shape):
    return lambda rng, n: rng.integers(0, high, (n, *shape)).astype(np.int32)


TOKENS = {"logits": logits, "labels": labels}
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
}
