"""`eqm.rl.ProbabilityOfImprovement` beside the U of scipy, as rliable takes it."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import mannwhitneyu

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds, spread, values_of
from .runs import CAPACITY, drawn, TASKS


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_scipy_agrees(way, seed):
    batch = drawn(seed)
    share = np.random.default_rng(seed + 1).random((len(batch["mask"]), 1, 1))
    batch["reference"] = np.random.default_rng(seed + 2).random(batch["mask"].shape) < share
    got = values_of(way, eqm.rl.ProbabilityOfImprovement(TASKS, CAPACITY), batch)
    for i, value in enumerate(np.asarray(got)):
        scores, mask, of = (batch[name][i] for name in ("scores", "mask", "reference"))
        x, y = scores[mask & ~of].astype(np.float64), scores[mask & of].astype(np.float64)
        if len(x) == 0 or len(y) == 0:
            assert np.isnan(value)
            continue
        u = [mannwhitneyu(x[:, t], y[:, t], method="asymptotic").statistic for t in range(TASKS)]
        np.testing.assert_allclose(value, np.mean(u) / (len(x) * len(y)), rtol=1e-5, atol=1e-6)


def test_by_hand():
    improvement = eqm.rl.ProbabilityOfImprovement(num_tasks=1, capacity=10)
    scores, reference = jnp.array([[1.0], [3.0], [2.0], [3.0]]), jnp.arange(4) > 1
    assert improvement(scores=scores, reference=reference) == 0.375
    assert improvement(scores=scores, reference=~reference) == 0.625
    some = improvement(scores=scores, reference=reference, mask=jnp.arange(4) != 0)
    assert some == 0.75


def test_undefined():
    improvement = eqm.rl.ProbabilityOfImprovement(1, 10)
    assert jnp.isnan(improvement.compute())
    assert jnp.isnan(improvement(scores=jnp.ones((2, 1)), reference=jnp.zeros(2, bool)))
    assert eqm.rl.ProbabilityOfImprovement(1, 10, undefined=0.5).compute() == 0.5


def test_what_it_refuses():
    improvement = eqm.rl.ProbabilityOfImprovement(1, 10)
    with pytest.raises(TypeError, match=r"`reference` is bool\[1\].*shape \(2,\) of the runs"):
        improvement.update(scores=jnp.ones((2, 1)), reference=jnp.ones(1, bool))
    with pytest.raises(TypeError, match=r"`mask` is bool\[2, 1\]"):
        improvement.update(
            scores=jnp.ones((2, 1)), reference=jnp.ones(2, bool), mask=jnp.ones((2, 1), bool)
        )
