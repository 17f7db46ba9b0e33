"""`WinRate` and `MajorityVote` beside loops in float64, and by hand."""

from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, few, fold, ROWS, spread, STEPS
from .drawn import seeds


def mean(scores, weights):
    total = np.sum(weights)
    return np.sum(np.array(scores) * weights) / total if total else np.nan


@pytest.mark.parametrize("way", [fold, spread])
def test_win_rate(way):
    @few
    @given(seed=seeds)
    def check(seed):
        rng = np.random.default_rng(seed)
        outcomes = rng.integers(-1, 2, (STEPS, ROWS)).astype(np.int32)
        mask = rng.random((STEPS, ROWS)) < rng.choice([0, 0.5, 1])
        weights = np.float32(rng.choice([0.0, 1.0, 2.0, 0.25], (STEPS, ROWS)))
        batch = {"outcomes": np.where(mask, outcomes, 99), "mask": mask, "weights": weights}
        scores = np.select([outcomes == 1, outcomes == 0], [1.0, 0.5], 0.0)
        agree(way(eqm.text.WinRate(), batch).compute(), mean(scores, weights * mask))

    check()


@pytest.mark.parametrize("way", [fold, spread])
def test_majority_vote(way):
    @few
    @given(seed=seeds)
    def check(seed):
        rng = np.random.default_rng(seed)
        answers = rng.integers(0, 4, (STEPS, ROWS, 5)).astype(np.int32)
        labels = rng.integers(0, 4, (STEPS, ROWS)).astype(np.int32)
        mask = rng.random(answers.shape) < rng.choice([0, 0.5, 1], (STEPS, ROWS, 1))
        weights = np.float32(rng.choice([0.0, 1.0, 2.0, 0.25], (STEPS, ROWS)))
        batch = {"answers": answers, "labels": labels, "mask": mask, "weights": weights}
        scores, counted = np.zeros((STEPS, ROWS)), weights * mask.any(-1)
        for place in np.ndindex(STEPS, ROWS):
            votes = Counter(answers[place][mask[place]].tolist())
            best = [x for x in votes if votes[x] == max(votes.values())]
            scores[place] = (labels[place] in best) / max(len(best), 1)
        agree(way(eqm.text.MajorityVote(), batch).compute(), mean(scores, counted))

    check()


def test_by_hand():
    outcomes = jnp.array([1] * 3 + [0] * 2 + [-1] * 5)
    agree(eqm.text.WinRate()(outcomes=outcomes), 0.4)
    answers = jnp.array([[42, 7, 42], [3, 5, 8], [1, 1, 2]])
    vote = eqm.text.MajorityVote()
    agree(vote(answers=answers, labels=jnp.array([42, 8, 2])), (1 + 1 / 3 + 0) / 3)
    assert jnp.isnan(vote(answers=jnp.zeros((2, 0), jnp.int32), labels=jnp.zeros(2, jnp.int32)))
    for metric in (eqm.text.WinRate, eqm.text.MajorityVote):
        assert jnp.isnan(metric().compute()) and metric(undefined=0.5).compute() == 0.5


def test_wrong_outcomes_are_counted():
    new = eqm.text.WinRate().update(outcomes=jnp.array([2, -2, 1]))
    assert new.sums.invalid.tolist() == [2, 0]
    with pytest.raises(eqm.InvalidDataError, match="outcomes of -1, 0 or 1"):
        new.check()


def test_errors_say_what_to_do():
    with pytest.raises(TypeError, match="the right answer of each problem"):
        eqm.text.MajorityVote().update(
            answers=jnp.zeros((2, 3), jnp.int32), labels=jnp.zeros(3, jnp.int32)
        )
