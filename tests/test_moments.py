"""`CentredMoments` beside float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, rows_of, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e6)))
def test_moments_are_float64s(way, batch):
    x, w = rows_of(batch)
    count, mean, squares = np.asarray(way(eqm.CentredMoments(), batch).compute(), np.float64)
    assert abs(count - math.fsum(w)) <= 1e-6 * math.fsum(w)
    if w.size == 0:
        assert (mean, squares) == (0.0, 0.0)
        return
    want = math.fsum(x * w) / math.fsum(w)
    assert abs(mean - want) <= 1e-6 * math.fsum(np.abs(x * w)) / math.fsum(w) + 1e-37
    deviations = math.fsum(w * (x - want) ** 2)
    assert abs(squares - deviations) <= 1e-5 * deviations + 1e-12 * math.fsum(w * x * x)


def test_by_hand():
    one = eqm.CentredMoments().update(jnp.array([1.0, 3.0]))
    assert one.compute().tolist() == [2.0, 2.0, 2.0]
    two = eqm.CentredMoments().update(jnp.array([8.0]), weights=jnp.array([2.0]))
    assert one.merge(two).compute().tolist() == two.merge(one).compute().tolist()
    assert one.merge(two).compute().tolist() == [4.0, 5.0, 38.0]
    assert one.update(jnp.zeros(0)).compute().tolist() == one.compute().tolist()
    assert eqm.CentredMoments().compute().tolist() == [0.0, 0.0, 0.0]


def test_the_mean_of_a_batch_is_what_its_deviations_were_taken_from():
    # At 1e6 the mean of 100 rows was off by 0.02 where the quotient wasn't rounded.
    x = (np.random.default_rng(0).normal(size=(8, 100)) + 1e6).astype(np.float32)
    states = jax.vmap(lambda v: eqm.CentredMoments().update(v))(x)
    means = np.asarray(states.mean, np.float64).sum((1, 2))
    np.testing.assert_allclose(means, x.astype(np.float64).mean(1), atol=1e-5)
    std = np.sqrt(states.reduce().compute()[2] / x.size)
    assert abs(std / x.astype(np.float64).std() - 1) < 1e-6
    equal = jax.vmap(lambda v: eqm.CentredMoments().update(v))(jnp.full((3, 7), 0.1))
    with pytest.warns(UserWarning, match="equal to the bit"):
        assert equal.reduce().compute()[2] == 0.0
