"""Precision, recall, density and coverage beside prdc's formulas in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds, spread, values_of
from .oracle import CASES, DIM, features, sides


K = 3
NAMES = "GenerativePrecision", "GenerativeRecall", "Density", "Coverage"


def of(capacity, dim=DIM, **options):
    return eqm.MetricDict(
        GenerativePrecision=eqm.generative.GenerativePrecision(dim, capacity=capacity, **options),
        GenerativeRecall=eqm.generative.GenerativeRecall(dim, capacity=capacity, **options),
        Density=eqm.generative.Density(dim, capacity=capacity, **options),
        Coverage=eqm.generative.Coverage(dim, capacity=capacity, **options),
    )


def both(metrics, real, generated):
    return metrics.update(real_features=real).update(generated_features=generated).compute()


def distances(x, y):
    return np.sqrt(np.sum((x[:, None] - y[None]) ** 2, axis=-1))


def prdc(real, generated, k, slack=0.0):
    """As prdc has it, but for balls that are closed; and a part larger, if asked for."""
    if len(real) <= k:
        return [np.nan] * 4
    radii = lambda x: np.sort(distances(x, x), axis=1)[:, k] * (1 + slack)  # itself is the first
    between, real_radii = distances(real, generated), radii(real)
    inside = between <= real_radii[:, None]
    other = between <= radii(generated)[None]
    return [
        inside.any(axis=0).mean(),
        other.any(axis=1).mean(),
        inside.sum(axis=0).mean() / k,
        (between.min(axis=1) <= real_radii).mean(),
    ]


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_prdcs(way, seed):
    batch = features(seed, weighted=False)
    # a row of weight 2 is two rows
    rng = np.random.default_rng(seed)
    batch["weights"] = rng.integers(0, 3, batch["mask"].shape).astype(np.float32)
    got = values_of(way, of(24, k=K), batch)
    known = 0
    for i in range(CASES):
        real, generated, w = sides(batch, i)
        times = w.astype(int)
        x, y = np.repeat(real, times, 0), np.repeat(generated, times, 0)
        found = np.array([float(got[name][i]) for name in NAMES])
        # All grow with the balls, whose edges float32 knows to this.
        low, high = (np.array(prdc(x, y, K, slack)) for slack in (-1e-5, 1e-5))
        np.testing.assert_array_equal(np.isnan(found), np.isnan(low))
        assert np.all(np.isnan(low) | ((low - 1e-6 <= found) & (found <= high + 1e-6)))
        known += np.array_equal(low, high)
    assert known > 20


def test_equal_sets_score_1():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(40, DIM)) + 5, jnp.float32)
    value = of(40)(real_features=x, generated_features=x)
    assert [float(value[name]) for name in NAMES] == [1, 1, pytest.approx(6 / 5), 1]
    # Of rows that are all equal the balls are points.
    same = both(of(40), x[:1].repeat(8, 0), x[:1].repeat(7, 0))
    assert [float(same[name]) for name in NAMES] == [1, 1, pytest.approx(8 / 5), 1]


def test_by_hand():
    real, generated = jnp.array([[0.0], [1.0], [5.0]]), jnp.array([[1.0], [3.0]])
    value = both(of(5, 1, k=1), real, generated)
    # Real balls reach 1, 1 and 4 far, generated ones 2.
    assert [float(value[name]) for name in NAMES] == [1, 1, 2, 1]
    far = both(of(5, 1, k=1), real, generated + 100)
    assert [float(far[name]) for name in NAMES] == [0, 0, 0, 0]


def test_more_rows_than_a_block():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(300, DIM)).astype(np.float32) for _ in range(2))
    y = y[:280] * 1.3
    want = prdc(x.astype(np.float64), y.astype(np.float64), 5)
    value = both(of(300), x, y)
    found = [float(value[name]) for name in NAMES]
    np.testing.assert_allclose(found, want, rtol=1e-5)


def test_undefined():
    x = jnp.ones((2, DIM))
    few = of(10, k=2)(real_features=x, generated_features=x)
    assert all(np.isnan(v) for v in few.values())
    assert eqm.generative.Coverage(DIM, capacity=4, undefined=0.0).compute() == 0
    with pytest.raises(ValueError, match="k=0"):
        eqm.generative.Density(DIM, capacity=4, k=0)
