"""`eqm.fields.VariogramScore` beside its definition in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .ensembles import check_ensembles


def variogram(p):
    def value(x, t):
        of = lambda x: np.abs(x[..., :, None] - x[..., None, :]) ** p
        return np.sum((of(t) - of(x).mean(0)) ** 2)

    return value


@pytest.mark.parametrize("p", [0.5, 1])
@few
@given(seed=seeds)
def test_float64_agrees(p, seed):
    # Differences of powers cancel.
    of = {"vector": (3,), "rtol": 1e-4, "atol": 1e-5, "power": 2 * p}
    check_ensembles(seed, eqm.fields.VariogramScore(p), variogram(p), **of)


def test_by_hand():
    x, t = jnp.array([[[0.0, 1.0], [0.0, 9.0]]]), jnp.array([[0.0, 16.0]])
    score = eqm.fields.VariogramScore()
    np.testing.assert_allclose(score(samples=x, targets=t), 2 * (4 - 2) ** 2, rtol=1e-6)
    # A bias of all variables isn't seen.
    np.testing.assert_allclose(score(samples=x + 1, targets=t), 8, rtol=1e-6)
    whole = {"samples": np.int32(x) + 2**24, "targets": np.int32(t) + 2**24}
    np.testing.assert_allclose(score(**whole), 8, rtol=1e-6)
    assert not jax.grad(lambda x: score(samples=x * 0, targets=t))(x).any()
    assert jnp.isnan(score.compute())
    with pytest.raises(ValueError, match="p=0"):
        eqm.fields.VariogramScore(0)
