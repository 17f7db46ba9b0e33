"""`Rouge` and `RougeScores` beside their definition in Python, with exact fractions; rapidfuzz
says the longest common subsequence."""

from collections import Counter
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from rapidfuzz.distance import LCSseq

import eqmetrics as eqm

from ..oracle import at_once, fold, spread
from .ids import one_batch, seeds, taken


NAMES = "precision", "recall", "f1"


def score_of(order, said, meant):
    if order == "L":
        both, p, r = LCSseq.similarity(said, meant), len(said), len(meant)
    else:
        grams = [Counter(zip(*(x[i:] for i in range(order)), strict=False)) for x in (said, meant)]
        both, p, r = ((grams[0] & grams[1]).total(), *(x.total() for x in grams))
    return tuple(Fraction(a, b) if b else Fraction(0) for a, b in
                 ((both, p), (both, r), (2 * both, p + r)))  # fmt: skip


def best_of(order, said, meant):
    meant = meant if isinstance(meant[0] if meant else 0, list) else [meant]
    meant = [x for x in meant if x] or [[]]
    return max((score_of(order, said, x) for x in meant), key=lambda score: score[2])


@pytest.mark.parametrize("order", [1, 2, 3, "L"])
@pytest.mark.parametrize("references", [None, 3])
@pytest.mark.parametrize("way", [fold, spread])
def test_the_definition(way, references, order):
    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(15):
            batch = one_batch(seed + i, references)
            rows = [(best_of(order, a, b), w) for a, b, w in taken(batch)]
            got = way(eqm.text.RougeScores(order), batch).compute()
            weight = sum(w for _, w in rows)
            want = [sum(float(x[i]) * w for x, w in rows) / weight for i in range(3)] \
                if weight else [np.nan] * 3  # fmt: skip
            np.testing.assert_allclose([got[name] for name in NAMES], want, rtol=1e-6, atol=1e-7)

    check()


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
    with pytest.raises(ValueError, match="expected 1 to 9, or 'L'"):
        eqm.text.Rouge(order)


def test_what_is_no_score():
    with pytest.raises(ValueError, match="expected 'f1', 'precision' or 'recall'"):
        eqm.text.Rouge(1, score="f2")  # pyright: ignore[reportArgumentType]
