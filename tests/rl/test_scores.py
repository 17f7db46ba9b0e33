"""Scores of runs on tasks beside the definitions of rliable, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import trim_mean

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds, spread, values_of
from .runs import CAPACITY, drawn, TASKS


THRESHOLDS = np.array([-1.0, 0.0, 0.5, 3.0])
SIZE = {"num_tasks": TASKS, "capacity": CAPACITY}
METRICS = eqm.MetricDict(
    runs=eqm.rl.RunScores(**SIZE),
    iqm=eqm.rl.IQM(**SIZE),
    median=eqm.rl.MedianOfMeans(**SIZE),
    gap=eqm.rl.OptimalityGap(**SIZE, gamma=0.75),
    profile=eqm.rl.PerformanceProfile(THRESHOLDS, **SIZE),
)


def rliable(scores: np.ndarray) -> dict:
    """`scores` of shape `(runs, tasks)`, as rliable 1.2 has them."""
    return {
        "runs": len(scores),
        "iqm": trim_mean(scores.ravel(), 0.25),
        "median": np.median(scores.mean(0)),
        "gap": 0.75 - np.minimum(scores, 0.75).mean(),
        "profile": (scores[..., None] > THRESHOLDS).mean((0, 1)),
    }


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_rliable_agrees(way, seed):
    batch = drawn(seed)
    got = values_of(way, METRICS, batch)
    for i, (scores, mask) in enumerate(zip(batch["scores"], batch["mask"], strict=True)):
        mine = jax.tree.map(lambda x, i=i: np.asarray(x)[i], got)
        runs = scores[mask].astype(np.float64)
        if len(runs) == 0:
            assert mine.pop("runs") == 0
            assert all(np.isnan(x).all() for x in mine.values())
            continue
        close = lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
        jax.tree.map(close, mine, rliable(runs))


def test_by_hand():
    scores = jnp.array([[0.0, 1.0], [2.0, 3.0]])
    assert eqm.rl.IQM(2, 10)(scores=scores) == 1.5
    assert eqm.rl.OptimalityGap(2, 10)(scores=jnp.array([[0.5, 2.0]])) == 0.25
    assert eqm.rl.MedianOfMeans(2, 10)(scores=scores) == 1.5
    assert eqm.rl.PerformanceProfile([0, 2.5], 2, 10)(scores=scores).tolist() == [0.75, 0.25]
    # In the order in which runs come there is no meaning.
    iqm = eqm.rl.IQM(2, 10)
    one, two = iqm.update(scores=scores[:1]), iqm.update(scores=scores[1:])
    assert one.merge(two).compute() == two.merge(one).compute() == 1.5


def test_they_share_a_table():
    assert len(METRICS.states.all()) == 1


def test_undefined_invalid_and_too_many():
    iqm = eqm.rl.IQM(2, 2)
    assert jnp.isnan(iqm.compute())
    assert eqm.rl.PerformanceProfile([0.0], 2, 2, undefined=0.0).compute().tolist() == [0]
    with pytest.raises(eqm.InvalidDataError, match="IQM.* 1 invalid row.*scores without NaN"):
        iqm.update(scores=jnp.array([[jnp.nan, 1.0]])).check()
    with pytest.raises(eqm.InvalidDataError, match=r"1 row\(s\) too many.*capacity=3"):
        iqm.update(scores=jnp.ones((3, 2))).check()


def test_what_it_refuses():
    with pytest.raises(TypeError, match=r"`scores` is float32\[3\], expected the trailing"):
        eqm.rl.IQM(2, 2).update(scores=jnp.ones(3))
    with pytest.raises(ValueError, match="num_tasks=0"):
        eqm.rl.IQM(0, 2)
    with pytest.raises(ValueError, match="thresholds="):
        eqm.rl.PerformanceProfile([], 2, 2)
