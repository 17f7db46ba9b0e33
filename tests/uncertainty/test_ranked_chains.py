"""`eqm.uncertainty.RankRHat` and `eqm.uncertainty.BulkSampleSize`, read from an
`eqm.uncertainty.ChainBuffer`, beside ArviZ, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, fold, seeds, spread, values_of
from .drawn import each_case
from .test_chains import drawn, DRAWS


u = eqm.uncertainty
SIZE = {"num_draws": DRAWS, "capacity": 6}
METRICS = eqm.MetricDict(
    r_hat=u.RankRHat(**SIZE), size=u.BulkSampleSize(**SIZE), chains=u.ChainBuffer(**SIZE)
)


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_arviz_agrees(way, seed):
    batch, rng = drawn(seed), np.random.default_rng(seed)
    # Some with ties, and some with tails without a variance.
    kinds = rng.choice(3, (50, 1, 1, 1))
    x = batch["samples"]
    size = np.nanmax(np.abs(x), (1, 2, 3), keepdims=True, initial=0)
    ties = np.round(x * 4 / np.where(size > 0, size, 1))
    batch["samples"] = np.where(kinds == 0, x, np.where(kinds == 1, ties, x**3)).astype(np.float32)
    for got, rows in each_case(values_of(way, METRICS, batch), batch):
        x = rows["samples"]
        assert got["chains"] == len(x)
        if len(x) == 0:
            assert np.isnan(got["r_hat"]) and np.isnan(got["size"])
        elif np.ptp(x) > 0:
            agree(got["size"], array_stats.ess(x, method="bulk"), rtol=1e-4)
            if len(x) > 1:
                agree(got["r_hat"], array_stats.rhat(x, method="rank"), rtol=1e-5)


def test_by_hand():
    r_hat, size = u.RankRHat(4, capacity=3), u.BulkSampleSize(4, capacity=3)
    one = jnp.array([[1.0, 2.0, 3.0, 4.0]])
    # Quantiles of Blom of 4 ranks: 0.147, 0.382 and their opposites.
    z = np.array([1.0491314, 0.2993069])
    within, between = (z[0] - z[1]) ** 2 / 2, (z[0] + z[1]) ** 2 / 2
    agree(r_hat(samples=one), np.sqrt(between / within + 1 / 2), rtol=1e-5)
    # No map that keeps the order changes it, but the distances of this one from the median.
    agree(r_hat(samples=jnp.exp(one)), r_hat(samples=one), rtol=1e-6)
    agree(size(samples=jnp.exp(one)), size(samples=one), rtol=1e-6)
    for metric in (r_hat, size):
        assert jnp.isnan(metric(samples=jnp.ones((2, 4)))) and jnp.isnan(metric.compute())
    two = jnp.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]])
    assert jnp.isfinite(r_hat(samples=two))  # all are as far from the median
    assert u.RankRHat(4, capacity=1, undefined=1.0).compute() == 1


def test_a_spread_that_differs_is_seen():
    x = np.random.default_rng(0).normal(size=(4, 200)).astype(np.float32)
    x[0] *= 4
    assert u.RHat(200)(samples=x) < 1.01 and u.RankRHat(200, capacity=4)(samples=x) > 1.1


def test_they_share_a_buffer():
    assert len(METRICS.states.all()) == 1


def test_invalid_too_many_and_refused():
    x = jnp.array([[1.0, jnp.nan, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*finite samples"):
        u.RankRHat(4, capacity=2).update(samples=x).check()
    large = np.arange(8, dtype=np.int32).reshape(2, 4) + np.array([[2**24], [0]], np.int32)
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*integers up to 2\^24"):
        u.RankRHat(4, capacity=2).update(samples=large).check()
    with pytest.raises(eqm.InvalidDataError, match=r"1 row\(s\) too many.*capacity=2"):
        u.RankRHat(4, capacity=1).update(samples=x[1:].repeat(2, axis=0)).check()
    with pytest.raises(ValueError, match="num_draws=3.*at least 4"):
        u.ChainBuffer(3, capacity=1)
