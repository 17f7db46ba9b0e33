"""`eqm.generative.FeatureBuffer` keeps the rows that count, whatever their order, and their
weights."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds
from .oracle import CASES, DIM, features, ROWS, sides, STEPS


@at_once
@given(seed=seeds)
def test_all_rows_are_kept(seed):
    batch = features(seed)
    empty = eqm.generative.FeatureBuffer(DIM, capacity=STEPS * ROWS)
    for i in range(0, CASES, 10):
        kept = fold(empty, {k: v[i] for k, v in batch.items()})
        real, generated, w = sides(batch, i)
        for name, want in (("real", real), ("generated", generated)):
            x, weights = (np.asarray(v) for v in kept.rows(name))
            np.testing.assert_array_equal(x[: len(want)], want)
            np.testing.assert_array_equal(weights[: len(want)], w.astype(np.float32))
            assert not weights[len(want) :].any() and not x[len(want) :].any()
            np.testing.assert_allclose(kept.compute()[name], w.sum(), rtol=1e-6)


def test_sides_apart_and_too_many():
    kept = eqm.generative.FeatureBuffer(2, capacity=3).update(real_features=jnp.ones((2, 2)))
    kept = kept.update(generated_features=jnp.zeros((3, 2)))
    assert kept.compute() == {"real": 2, "generated": 3}
    with pytest.raises(eqm.InvalidDataError, match="capacity=4"):
        kept.update(real_features=jnp.ones((2, 2))).check()
    with pytest.raises(ValueError, match="dim=0"):
        eqm.generative.FeatureBuffer(0, capacity=3)
