"""`EditDistance` beside rapidfuzz, and by hand."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from rapidfuzz.distance import Levenshtein

import eqmetrics as eqm

from ..oracle import at_once, fold, spread
from .ids import one_batch, seeds, STOP, taken


def divisor(normalize, said, meant):
    if normalize is None:
        return 1
    return len(meant) if normalize == "length" else max(len(said), len(meant))


@pytest.mark.parametrize("normalize", [None, "length", "max"])
@pytest.mark.parametrize("way", [fold, spread])
def test_rapidfuzz_agrees(way, normalize):
    metric = eqm.text.EditDistance(eqm.text.Tokens(stop=STOP), normalize=normalize)

    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(25):
            batch = one_batch(seed + i, stop=True)
            rows = [(a, b, w, divisor(normalize, a, b)) for a, b, w in taken(batch, STOP)]
            rows = [r for r in rows if r[3]]
            each = [w * Levenshtein.distance(a, b) / n for a, b, w, n in rows]
            want = sum(each) / sum(r[2] for r in rows) if rows else np.nan
            np.testing.assert_allclose(way(metric, batch).compute(), want, rtol=1e-6)

    check()


def least(said, meant, cost):
    """By the table of all prefixes, in fractions."""
    costs = [[Fraction(i + j) for j in range(len(meant) + 1)] for i in range(len(said) + 1)]
    for i, a in enumerate(said):
        for j, b in enumerate(meant):
            other = 0 if a == b else Fraction(cost)
            above, left, before = costs[i][j + 1], costs[i + 1][j], costs[i][j]
            costs[i + 1][j + 1] = min(above + 1, left + 1, before + other)
    return costs[-1][-1]


@pytest.mark.parametrize("way", [fold, spread])
def test_costs_of_a_substitution(way):
    metrics = eqm.MetricDict(
        {str(x): eqm.text.EditDistance(substitution_cost=x) for x in (0, 0.5, 1, 1.75, 2, 3)}
    )

    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(15):
            batch = one_batch(seed + i)
            rows = taken(batch)
            weight = sum(w for *_, w in rows)
            got = way(metrics, batch).compute()
            for cost, x in got.items():
                total = sum(least(a, b, float(cost)) * Fraction(w) for a, b, w in rows)
                want = float(total / Fraction(weight)) if weight else np.nan
                np.testing.assert_allclose(x, want, rtol=1e-6)
                if float(cost) in (0, 2, 3):
                    weights = 1, 1, int(cost)
                    for a, b, _ in rows[:3]:
                        assert Levenshtein.distance(a, b, weights=weights) == least(a, b, cost)

    check()


def test_what_is_no_cost():
    for cost in (-1, np.inf, np.nan):
        with pytest.raises(ValueError, match="expected a number from 0 on"):
            eqm.text.EditDistance(substitution_cost=cost)


def word(x, length=8):
    return jnp.array([ord(c) for c in x] + [-1] * (length - len(x)))


def test_by_hand():
    distance = eqm.text.EditDistance()
    assert distance(predicted_tokens=word("kitten"), tokens=word("sitting")) == 3
    said, meant = jnp.array([[1, 2, 3]]), jnp.array([[1, 3]])
    assert distance(predicted_tokens=said, tokens=meant) == 1
    both = {"predicted_tokens": jnp.stack([word("kitten"), word("123")]),
            "tokens": jnp.stack([word("sitting"), word("13")])}  # fmt: skip
    assert distance.per_row(**both).tolist() == [3, 1]
    rates = eqm.text.EditDistance(normalize="length")(**both)
    np.testing.assert_allclose(rates, (3 / 7 + 1 / 2) / 2, rtol=1e-6)


def test_rows_without_tokens():
    none, some = jnp.full((1, 3), -1), jnp.array([[1, 2, -1]])
    make = eqm.text.EditDistance
    assert make()(predicted_tokens=some, tokens=none) == 2
    assert jnp.isnan(make(normalize="length")(predicted_tokens=some, tokens=none))
    assert make(normalize="length", empty="one")(predicted_tokens=some, tokens=none) == 1
    assert make(normalize="max")(predicted_tokens=some, tokens=none) == 1
    assert jnp.isnan(make(normalize="max")(predicted_tokens=none, tokens=none))
    assert make(normalize="max", undefined=0.0)(predicted_tokens=none, tokens=none) == 0
    assert jnp.isnan(make().compute())


def test_arrays_without_places():
    said, meant = jnp.zeros((2, 0), jnp.int32), jnp.array([[1, 2], [1, -1]])
    assert eqm.text.EditDistance().per_row(predicted_tokens=said, tokens=meant).tolist() == [2, 1]
    assert eqm.text.EditDistance()(predicted_tokens=said, tokens=said) == 0
    rows = jnp.zeros((0, 3), jnp.int32)
    assert jnp.isnan(eqm.text.EditDistance()(predicted_tokens=rows, tokens=rows))


def test_options_that_are_none():
    with pytest.raises(ValueError, match="expected 'length', 'max' or None"):
        eqm.text.EditDistance(normalize="mean")  # pyright: ignore[reportArgumentType]
