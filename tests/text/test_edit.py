"""The kernels on lengths of several words of bits, and of several blocks, beside rapidfuzz."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rapidfuzz.distance import LCSseq, Levenshtein

from eqmetrics.text._edit import alignment, edit_distance, longest_common
from eqmetrics.text._tokens import Sequences


def sequences(rng, rows, length, size):
    lengths = rng.integers(0, length + 1, rows)
    lengths[:4] = 0, length, length, 0
    ids = rng.integers(0, size, (length, rows))
    lists = [ids[:n, i].tolist() for i, n in enumerate(lengths)]
    return Sequences(jnp.asarray(ids, jnp.int32), jnp.asarray(lengths, jnp.int32)), lists


@pytest.mark.parametrize("lengths", [(31, 33), (64, 32), (96, 130), (200, 40), (1, 1)])
@pytest.mark.parametrize("size", [2, 30])
def test_rapidfuzz_agrees(lengths, size):
    rng = np.random.default_rng(sum(lengths) + size)
    (a, x), (b, y) = (sequences(rng, 40, n, size) for n in lengths)
    pairs = list(zip(x, y, strict=True))
    want = [Levenshtein.distance(*pair) for pair in pairs]
    assert jax.jit(edit_distance)(a, b).tolist() == want
    common = [LCSseq.similarity(*pair) for pair in pairs]
    assert jax.jit(longest_common)(a, b).tolist() == common
    distance, hits = jax.jit(alignment)(a, b)
    assert distance.tolist() == want and np.all(np.asarray(hits) <= common)


def test_what_stands_beyond_the_end_is_nothing():
    rng = np.random.default_rng(0)
    a, b = (sequences(rng, 40, n, 3)[0] for n in (70, 66))
    spoilt = lambda s: s._replace(
        ids=jnp.where(jnp.arange(len(s.ids))[:, None] < s.lengths[None], s.ids, 1)
    )
    for kernel in (edit_distance, longest_common, alignment):
        want, got = kernel(a, b), kernel(spoilt(a), spoilt(b))
        jax.tree.map(np.testing.assert_array_equal, got, want)
