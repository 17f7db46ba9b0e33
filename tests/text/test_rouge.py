"""`Rouge` and `RougeScores` beside their definition in Python, with exact fractions; rapidfuzz
says the longest common subsequence."""

from collections import Counter
from fractions import Fraction
from itertools import chain, groupby, product

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from rapidfuzz.distance import LCSseq

import eqmetrics as eqm

from ..oracle import at_once, fold, spread
from .ids import one_batch, seeds, taken


NAMES = "precision", "recall", "f1"
BETWEEN = 0  # the id between sentences


def score_of(order, said, meant):
    if order == "Lsum":
        both = shared_words(*(sentences(x) for x in (said, meant)))
        p, r = (sum(x != BETWEEN for x in y) for y in (said, meant))
    elif order == "L":
        both, p, r = LCSseq.similarity(said, meant), len(said), len(meant)
    else:
        grams = [Counter(zip(*(x[i:] for i in range(order)), strict=False)) for x in (said, meant)]
        both, p, r = ((grams[0] & grams[1]).total(), *(x.total() for x in grams))
    return tuple(Fraction(a, b) if b else Fraction(0) for a, b in
                 ((both, p), (both, r), (2 * both, p + r)))  # fmt: skip


def sentences(words):
    return [list(x) for own, x in groupby(words, lambda word: word != BETWEEN) if own]


def common(mine, theirs):
    """Places of the first sentence in one longest common subsequence: that which rouge-score goes
    back along, to the left only where that is longer."""
    longest = [[0] * (len(theirs) + 1) for _ in range(len(mine) + 1)]
    for (i, a), (j, b) in product(enumerate(mine), enumerate(theirs)):
        longest[i + 1][j + 1] = (
            longest[i][j] + 1 if a == b else max(longest[i][j + 1], longest[i + 1][j])
        )
    i, j, found = len(mine), len(theirs), set()
    while i and j:
        if mine[i - 1] == theirs[j - 1]:
            i, j = i - 1, j - 1
            found.add(i)
        elif longest[i][j - 1] > longest[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return found


def shared_words(said, meant):
    words = Counter()
    for mine in meant:
        words.update(mine[i] for i in set().union(*(common(mine, theirs) for theirs in said)))
    return (words & Counter(chain(*said))).total()


def over_references(order, said, meant, accumulate="best"):
    meant = meant if isinstance(meant[0] if meant else 0, list) else [meant]
    scores = [score_of(order, said, x) for x in [x for x in meant if x] or [[]]]
    if accumulate == "best":
        return max(scores, key=lambda score: score[2])
    return [sum(x) / len(scores) for x in zip(*scores, strict=True)]


def check_scores(way, metric, accumulate, references, seed):
    for i in range(15):
        batch = one_batch(seed + i, references)
        rows = [
            (over_references(metric.order, a, b, accumulate), w) for a, b, w in taken(batch)
        ]
        got = way(metric, batch).compute()
        weight = sum(w for _, w in rows)
        want = [sum(float(x[i]) * w for x, w in rows) / weight if weight else np.nan
                for i in range(3)]  # fmt: skip
        np.testing.assert_allclose([got[name] for name in NAMES], want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("order", [1, 2, 3, "L"])
@pytest.mark.parametrize("references", [None, 3])
@pytest.mark.parametrize("way", [fold, spread])
def test_the_definition(way, references, order):
    @at_once
    @given(seed=seeds)
    def check(seed):
        check_scores(way, eqm.text.RougeScores(order), "best", references, seed)

    check()


@pytest.mark.parametrize("accumulate", ["best", "mean"])
@pytest.mark.parametrize("way", [fold, spread])
def test_sentences_and_the_mean_over_references(way, accumulate):
    metric = eqm.text.RougeScores("Lsum", accumulate=accumulate, separator=BETWEEN)

    @at_once
    @given(seed=seeds)
    def check(seed):
        check_scores(way, metric, accumulate, 3, seed)

    check()


def test_long_texts_of_sentences():
    rng = np.random.default_rng(0)
    said, meant = rng.integers(0, 9, (20, 40)), rng.integers(0, 9, (20, 30))
    metric = eqm.text.RougeScores("Lsum", separator=BETWEEN)
    got = metric.per_row(predicted_tokens=said, tokens=meant)
    want = [score_of("Lsum", *x) for x in zip(said.tolist(), meant.tolist(), strict=True)]
    np.testing.assert_allclose([got[name] for name in NAMES], np.array(want, float).T, rtol=1e-6)


def test_sentences_by_hand():
    # Of Lin, 2004: w1 w2 w3 w4 w5 beside "w1 w2 w6 w7 w8" and "w1 w3 w8 w9 w5": 4 of 5 words.
    said, meant = jnp.array([[1, 2, 6, 7, 8, 0, 1, 3, 8, 9, 5]]), jnp.array([[1, 2, 3, 4, 5]])
    rouge = eqm.text.RougeScores("Lsum", separator=0)(predicted_tokens=said, tokens=meant)
    np.testing.assert_allclose([rouge["recall"], rouge["precision"]], [4 / 5, 4 / 10], rtol=1e-6)


def test_the_mean_over_references():
    said, meant = jnp.array([[1, 2, 3, 4]]), jnp.array([[[1, 2, -1, -1], [3, 9, 9, 9]]])
    scores = [eqm.text.Rouge(1, score="recall", accumulate=x) for x in ("best", "mean")]
    best, mean = (x(predicted_tokens=said, references=meant) for x in scores)
    assert best == 1 and mean == (1 + 1 / 4) / 2


def test_what_is_no_separator():
    for order, separator in (("Lsum", None), ("L", 0), (2, 0), ("Lsum", -1)):
        with pytest.raises(ValueError, match="separator="):
            eqm.text.Rouge(order, separator=separator)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="expected 'best' or 'mean'"):
        eqm.text.Rouge(1, accumulate="avg")  # pyright: ignore[reportArgumentType]


def test_a_score():
    rng = np.random.default_rng(0)
    batch = {k: rng.integers(-1, 3, (8, 6)) for k in ("predicted_tokens", "tokens")}
    want = eqm.text.RougeScores(2)(**batch)
    three = eqm.MetricDict({name: eqm.text.Rouge(2, score=name) for name in NAMES})
    assert len(three.states) == 1 and three(**batch) == want
    assert eqm.text.Rouge(2)(**batch) == want["f1"]


def test_by_hand():
    said, meant = jnp.array([1, 2, 3, 4]), jnp.array([1, 3, 4, 5, 6])
    value = eqm.text.RougeScores("L")(predicted_tokens=said, tokens=meant)
    np.testing.assert_allclose([value[name] for name in NAMES], [0.75, 0.6, 2 / 3], rtol=1e-6)


def test_without_tokens():
    none, some = jnp.full((1, 2), -1), jnp.array([[1, 2]])
    for order in (1, 3, "L"):
        rouge = eqm.text.Rouge(order)
        for said, meant in ((none, none), (none, some), (some, none)):
            assert rouge(predicted_tokens=said, tokens=meant) == 0
        assert jnp.isnan(rouge.compute())
    assert eqm.text.Rouge(1, undefined=0.5).compute() == 0.5
    empty = eqm.text.Rouge(1)(predicted_tokens=some, references=jnp.zeros((1, 2, 0), jnp.int32))
    assert empty == 0


@pytest.mark.parametrize("order", [0, 10, "N"])
def test_what_is_no_order(order):
    with pytest.raises(ValueError, match="expected 1 to 9, or 'L', or 'Lsum'"):
        eqm.text.Rouge(order)


def test_what_is_no_score():
    with pytest.raises(ValueError, match="expected 'f1', 'precision' or 'recall'"):
        eqm.text.Rouge(1, score="f2")  # pyright: ignore[reportArgumentType]
