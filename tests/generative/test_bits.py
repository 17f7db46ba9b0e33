"""`eqm.generative.BitsPerDimension` beside its definition in float64, and by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, CASES, cases, fold, seeds, spread, taken, values_of


BitsPerDimension = eqm.generative.BitsPerDimension


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = cases(seed)
    nats = (batch.pop("predictions") * 1000 - 3000).astype(np.float32)
    del batch["targets"]
    sizes = np.random.default_rng(seed).integers(1, 3000, nats.shape).astype(np.int32)
    keep, w = taken(batch), batch["weights"].astype(np.float64)
    batch["log_likelihoods"] = np.where(keep, nats, np.float32(np.nan))
    fixed = np.asarray(values_of(way, BitsPerDimension(3072, bin_width=1 / 128), batch))
    own = np.asarray(values_of(way, BitsPerDimension(), batch | {"dimensions": sizes}))
    for i in range(CASES):
        x, d, v = nats[i][keep[i]].astype(np.float64), sizes[i][keep[i]], w[i][keep[i]]
        if not v.sum():
            assert np.isnan(fixed[i]) and np.isnan(own[i])
            continue
        want = -np.average(x, weights=v) / 3072 / np.log(2) + 7
        np.testing.assert_allclose(fixed[i], want, rtol=1e-6)
        want = -np.sum(x * v) / np.sum(d * v) / np.log(2)
        np.testing.assert_allclose(own[i], want, rtol=1e-6)


def test_by_hand():
    logs = jnp.log(jnp.array([1 / 16, 1 / 256]))
    assert abs(BitsPerDimension(4)(log_likelihoods=logs) - 1.5) < 1e-6
    sizes = jnp.array([4, 2])
    assert abs(BitsPerDimension()(log_likelihoods=logs, dimensions=sizes) - 2) < 1e-6
    # A uniform density on [0, 1] knows nothing of 256 levels.
    flat = BitsPerDimension(3072, bin_width=1 / 256)(log_likelihoods=jnp.zeros(2))
    assert flat == 8 == math.log2(256)
    assert BitsPerDimension(4)(log_likelihoods=jnp.array([-jnp.inf])) == jnp.inf


def test_undefined_and_what_it_refuses():
    assert jnp.isnan(BitsPerDimension(4).compute())
    assert BitsPerDimension(4, undefined=0.0).compute() == 0
    x = jnp.zeros(2)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*dimensions >= 1"):
        BitsPerDimension().update(log_likelihoods=x, dimensions=jnp.array([0, 1])).check()
    with pytest.raises(TypeError, match="given twice"):
        BitsPerDimension(4).update(log_likelihoods=x, dimensions=x)
    with pytest.raises(TypeError, match="given neither way"):
        BitsPerDimension().update(log_likelihoods=x)
    with pytest.raises(TypeError, match="same shape"):
        BitsPerDimension().update(log_likelihoods=x, dimensions=jnp.ones((2, 1)))
    with pytest.raises(ValueError, match="dimensions=0"):
        BitsPerDimension(0)
    with pytest.raises(ValueError, match="bin_width=0"):
        BitsPerDimension(4, bin_width=0.0)
