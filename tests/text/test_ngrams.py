"""The kernel of n-grams beside counters of Python."""

from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest

from eqmetrics.text._ngrams import matched_ngrams, ngrams_of
from eqmetrics.text._tokens import Sequences


ORDERS = range(2, 6)
LARGEST = 2**31 - 1


def grams(x, n):
    return Counter(zip(*(x[i:] for i in range(n)), strict=False))


@pytest.mark.parametrize("references", [1, 4])
def test_counters_agree(references):
    rng = np.random.default_rng(0)
    # The least and the largest ids are as good as others.
    ids = np.array([-(2**31), -1, 0, 7, LARGEST - 1, LARGEST])
    said, meant = ids[rng.integers(0, 6, (40, 30))], ids[rng.integers(0, 6, (45, 30, references))]
    meant[:30, :, 0] = said[5:35]
    lengths = rng.integers(0, 41, 30), rng.integers(0, 46, (30, references))
    a, b = (
        Sequences(jnp.asarray(x, jnp.int32), jnp.asarray(n, jnp.int32))
        for x, n in zip((said, meant), lengths, strict=True)
    )
    got, totals = matched_ngrams(a, b, ORDERS), ngrams_of(a.lengths, ORDERS)
    for i in range(30):
        own = said[: lengths[0][i], i].tolist()
        others = [meant[: lengths[1][i, k], i, k].tolist() for k in range(references)]
        for j, n in enumerate(ORDERS):
            most = Counter()
            for x in others:
                most |= grams(x, n)
            assert got[i, j] == (grams(own, n) & most).total()
            assert totals[i, j] == grams(own, n).total()
    assert np.any(np.asarray(got) > 0)
