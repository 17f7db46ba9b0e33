"""`EditCounts`, `WordErrorRate` and `CharacterErrorRate` beside jiwer, and by hand."""

import jax
import jax.numpy as jnp
import jiwer
import numpy as np
import pytest
from hypothesis import given
from rapidfuzz.distance import Levenshtein

import eqmetrics as eqm

from ..oracle import at_once, fold, spread
from .ids import one_batch, seeds, taken


text = lambda ids: " ".join(map(str, ids))


@pytest.mark.parametrize("way", [fold, spread])
def test_jiwer_agrees(way):
    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(25):
            batch = one_batch(seed + i)
            del batch["weights"]
            meant = batch["tokens"]
            # jiwer takes no empty reference, so that each has a token here.
            meant[..., 0] = np.where((meant == -1).all(-1), 3, meant[..., 0])
            rows = taken(batch | {"weights": np.ones(batch["mask"].shape)})
            value = way(eqm.text.WordErrorRate(), batch).compute()
            if not rows:
                assert np.isnan(value)
                continue
            want = jiwer.wer([text(b) for _, b, _ in rows], [text(a) for a, _, _ in rows])
            np.testing.assert_allclose(value, want, rtol=1e-6)

    check()


@pytest.mark.parametrize("way", [fold, spread])
def test_weighted_sums_of_rapidfuzz(way):
    @at_once
    @given(seed=seeds)
    def check(seed):
        for i in range(25):
            batch = one_batch(seed + i)
            rows = taken(batch)
            edits = sum(w * Levenshtein.distance(a, b) for a, b, w in rows)
            length = sum(w * len(b) for _, b, w in rows)
            counts = way(eqm.text.EditCounts(), batch).compute()
            assert counts == {"edits": edits, "length": length}
            value = way(eqm.text.CharacterErrorRate(undefined=-1.0), batch).compute()
            np.testing.assert_allclose(value, edits / length if length else -1, rtol=1e-6)

    check()


def test_by_hand():
    batch = {
        "predicted_tokens": jnp.array([[*map(ord, "kitten"), -1], [1, 2, 3, -1, -1, -1, -1]]),
        "tokens": jnp.array([[*map(ord, "sitting")], [1, 3, -1, -1, -1, -1, -1]]),
    }
    # Of the corpus, where the mean of the rates of the rows would be 0.417 (as 3/7 and 1/2 aren't).
    np.testing.assert_allclose(eqm.text.WordErrorRate()(**batch), 4 / 9, rtol=1e-6)
    rates = eqm.text.WordErrorRate().per_row(**batch)
    np.testing.assert_allclose(rates, [3 / 7, 1 / 2], rtol=1e-6)


def test_references_without_tokens():
    none, some = jnp.full((1, 2), -1), jnp.array([[1, 2]])
    wer = eqm.text.WordErrorRate()
    assert jnp.isnan(wer(predicted_tokens=some, tokens=none))
    assert jnp.isnan(wer(predicted_tokens=none, tokens=none))
    assert wer(predicted_tokens=none, tokens=some) == 1
    # Beside others, what is said of nothing is an insertion.
    said, meant = jnp.concatenate([some, some]), jnp.concatenate([none, some])
    assert wer(predicted_tokens=said, tokens=meant) == 1


def test_counts_are_exact_on_the_host():
    counts = eqm.text.EditCounts()
    rows = {"predicted_tokens": jnp.array([[1]]), "tokens": jnp.array([[2]])}
    large = counts.update(**rows, weights=jnp.array([2.0**40])).update(**rows)
    assert eqm.to_host(large) == {"edits": 2**40 + 1, "length": 2**40 + 1}


def test_rates_share_an_alignment():
    rates = {"wer": eqm.text.WordErrorRate(), "mer": eqm.text.MatchErrorRate()}
    both = eqm.MetricDict(rates)
    assert len(both.states) == 1
    rng = np.random.default_rng(0)
    batch = {k: rng.integers(-1, 4, (9, 7)) for k in ("predicted_tokens", "tokens")}
    value = both(**batch)
    assert value == {name: metric(**batch) for name, metric in rates.items()}


def test_groups_and_replicates():
    rng = np.random.default_rng(0)
    batch = {k: rng.integers(-1, 4, (30, 7)) for k in ("predicted_tokens", "tokens")}
    wer, group = eqm.text.WordErrorRate(), np.arange(30) % 3
    want = [wer(**batch, mask=group == i) for i in range(3)]
    np.testing.assert_allclose(eqm.PerGroup(wer, 3)(**batch, group=group), want, rtol=1e-6)
    bootstrap = eqm.Bootstrap(wer, 50, key=jax.random.key(0))
    found = bootstrap(**batch, mask=np.ones(30, bool))
    assert found["low"] < found["value"] == wer(**batch) < found["high"]
