"""`eqm.rl.StratifiedBootstrap` beside one in NumPy, as rliable draws it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import trim_mean

import eqmetrics as eqm

from ..oracle import few, fold, seeds


TASKS, RUNS = 4, 10
KEY = jax.random.key(0)
iqm = lambda scores: trim_mean(scores.ravel(), 0.25)


def drawn(scores: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Of each task other runs."""
    index = rng.integers(0, len(scores), (samples, *scores.shape))
    return np.take_along_axis(np.broadcast_to(scores, index.shape), index, axis=1)


@settings(few, max_examples=5)
@given(seed=seeds)
def test_numpy_agrees_to_monte_carlo_error(seed):
    rng = np.random.default_rng(seed)
    scores = rng.gamma(2.0, size=(2, RUNS // 2, TASKS)) * np.arange(1, TASKS + 1)
    scores = scores.astype(np.float32)
    metric = eqm.rl.StratifiedBootstrap(eqm.rl.IQM(TASKS, 16), 2000, key=KEY)
    got = eqm.to_host(fold(metric, {"scores": scores}))
    runs = scores.reshape(RUNS, TASKS).astype(np.float64)
    want = np.array([iqm(x) for x in drawn(runs, 2000, rng)])
    error = want.std()
    np.testing.assert_allclose(got["value"], iqm(runs), rtol=1e-5)
    np.testing.assert_allclose(got["standard_error"], error, rtol=0.1)
    low, high = np.percentile(want, [2.5, 97.5])
    assert abs(got["low"] - low) < 0.25 * error and abs(got["high"] - high) < 0.25 * error


def test_tasks_are_drawn_by_themselves():
    # Between tasks scores differ much, in a task not at all: no error, whatever is drawn.
    scores = jnp.broadcast_to(jnp.array([0.0, 10.0, 100.0]), (5, 3))
    metric = eqm.rl.StratifiedBootstrap(eqm.rl.MedianOfMeans(3, 5), 50, key=KEY)
    value = metric(scores=scores)
    assert value["standard_error"] == 0 and value["low"] == value["high"] == 10


def test_both_sides_of_an_improvement_are_drawn():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(16, 2)).astype(np.float32)
    scores[:8] += 0.5
    inner = eqm.rl.ProbabilityOfImprovement(2, 8)
    metric = eqm.rl.StratifiedBootstrap(inner, 1000, key=KEY, confidence=0.5)
    value = metric(scores=scores, reference=np.arange(16) >= 8)
    x, y = (drawn(s.astype(np.float64), 1000, rng) for s in (scores[:8], scores[8:]))
    want = (x[:, :, None] > y[:, None]).mean((1, 2, 3))
    half = 0.5 * (x[:, :, None] == y[:, None]).mean((1, 2, 3))
    low, high = np.quantile(want + half, [0.25, 0.75])
    assert abs(value["low"] - low) < 0.02 and abs(value["high"] - high) < 0.02


def test_order_and_batches_change_no_bit():
    scores = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    metric = eqm.rl.StratifiedBootstrap(eqm.rl.OptimalityGap(2, 8), 20, key=KEY)
    parts = metric.update(scores=scores[4:]).merge(metric.update(scores=scores[:4]))
    assert parts.compute() == metric(scores=scores)


def test_of_a_profile_and_undefined():
    profile = eqm.rl.PerformanceProfile([0.0, 1.0], 2, 4)
    metric = eqm.rl.StratifiedBootstrap(profile, 10, key=KEY)
    assert metric(scores=jnp.ones((2, 2)))["low"].tolist() == [1, 0]
    assert all(np.isnan(x).all() for x in metric.compute().values())


def test_what_it_refuses():
    metric = eqm.rl.IQM(2, 4)
    with pytest.raises(TypeError, match=r"got Average, expected a score.*eqm.Bootstrap"):
        eqm.rl.StratifiedBootstrap(eqm.Average(), key=KEY)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="samples=1"):
        eqm.rl.StratifiedBootstrap(metric, 1, key=KEY)
    with pytest.raises(ValueError, match=r"confidence=1\.0"):
        eqm.rl.StratifiedBootstrap(metric, key=KEY, confidence=1.0)
    with pytest.raises(TypeError, match="`StratifiedBootstrap` got key=0"):
        eqm.rl.StratifiedBootstrap(metric, key=0)  # pyright: ignore[reportArgumentType]
