"""`AlignmentCounts`, `MatchErrorRate`, `WordInformationLost` and `WordInformationPreserved` beside
all alignments, and beside jiwer where it finds as many hits."""

import functools as ft

import jax.numpy as jnp
import jiwer
import numpy as np
import pytest
from hypothesis import given
from rapidfuzz.distance import Levenshtein

import eqmetrics as eqm

from ..oracle import at_once, fold, spread
from .ids import one_batch, seeds, taken


NAMES = "hits", "substitutions", "deletions", "insertions"


def counts_of(said, meant):
    """Of all alignments the one with the fewest edits, and of these with the most hits."""

    @ft.cache
    def best(i, j):
        if i == 0 or j == 0:
            return (i + j, 0, 0, j, i)  # edits, hits missed, substitutions, deletions, insertions
        e, m, s, d, n = best(i - 1, j - 1)
        if said[i - 1] == meant[j - 1]:
            through = (e, m - 1, s, d, n)
        else:
            through = (e + 1, m, s + 1, d, n)
        e, m, s, d, n = best(i, j - 1)
        deletion = (e + 1, m, s, d + 1, n)
        e, m, s, d, n = best(i - 1, j)
        insertion = (e + 1, m, s, d, n + 1)
        return min(through, deletion, insertion, key=lambda x: x[:2])

    _, missed, s, d, n = best(len(said), len(meant))
    return np.array([-missed, s, d, n], float)


def rates_of(counts):
    h, s, d, i = counts
    edits, meant, said = s + d + i, h + s + d, h + s + i
    preserved = np.nan if meant == 0 else h * h / (meant * said) if said else 0
    return edits / (edits + h) if edits + h else np.nan, 1 - preserved, preserved


RATES = eqm.MetricDict(
    mer=eqm.text.MatchErrorRate(),
    wil=eqm.text.WordInformationLost(),
    wip=eqm.text.WordInformationPreserved(),
)


@pytest.mark.parametrize("way", [fold, spread])
def test_of_all_alignments_the_best(way):
    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(25):
            batch = one_batch(seed + i)
            rows = taken(batch)
            want = sum((w * counts_of(a, b) for a, b, w in rows), np.zeros(4))
            got = way(eqm.text.AlignmentCounts(), batch).compute()
            assert [got[name] for name in NAMES] == want.tolist()
            found = way(RATES, batch).compute()
            np.testing.assert_allclose([*found.values()], rates_of(want), rtol=1e-5, atol=1e-7)

    check()


def test_jiwer_never_has_more_hits():
    rng = np.random.default_rng(0)
    said, meant = rng.integers(0, 3, (200, 7)), rng.integers(0, 3, (200, 8))
    found = eqm.text.AlignmentCounts().per_row(predicted_tokens=said, tokens=meant)
    ours = np.stack([found[name] for name in NAMES], 1)
    values = np.stack([*RATES.per_row(predicted_tokens=said, tokens=meant).values()], 1)
    same = 0
    for a, b, own, rates in zip(said.tolist(), meant.tolist(), ours, values, strict=True):
        out = jiwer.process_words(" ".join(map(str, b)), " ".join(map(str, a)))
        theirs = [getattr(out, name) for name in NAMES]
        assert sum(theirs[1:]) == sum(own[1:]) == Levenshtein.distance(a, b)
        assert theirs[0] <= own[0]
        if theirs[0] == own[0]:
            same += 1
            assert theirs == own.tolist()
            np.testing.assert_allclose(rates, [out.mer, out.wil, out.wip], rtol=1e-6)
    assert 100 < same < 200


def test_by_hand():
    value = RATES(predicted_tokens=jnp.array([[1, 2]]), tokens=jnp.array([[2, 1]]))
    np.testing.assert_allclose([*value.values()], [2 / 3, 3 / 4, 1 / 4], rtol=1e-6)


def test_without_tokens():
    none, some = jnp.full((1, 2), -1), jnp.array([[1, 2]])
    nan = np.nan
    cases = [(none, none, (nan,) * 3), (none, some, (1, 1, 0)), (some, none, (1, nan, nan))]
    for said, meant, want in cases:
        value = RATES(predicted_tokens=said, tokens=meant)
        np.testing.assert_array_equal([*value.values()], want)
    assert eqm.text.WordInformationLost(undefined=0.0)(predicted_tokens=some, tokens=none) == 0


def test_what_is_too_long_to_align():
    ids = jnp.zeros((1, 50_000), jnp.int16)
    with pytest.raises(ValueError, match="too long to be aligned.*WordErrorRate"):
        eqm.text.AlignmentCounts().update(predicted_tokens=ids, tokens=ids)
