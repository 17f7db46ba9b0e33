"""`eqm.fields.EnergyScore` beside its definition in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .ensembles import check_ensembles


def energy(fair):
    def value(x, t):
        m = len(x)
        pairs = np.linalg.norm(x[:, None] - x[None], axis=-1).sum() / (m * (m - fair))
        return np.linalg.norm(x - t, axis=-1).mean() - pairs / 2

    return value


@pytest.mark.parametrize("fair", [False, True])
@few
@given(seed=seeds)
def test_float64_agrees(fair, seed):
    metric = eqm.fields.EnergyScore(fair=fair)
    check_ensembles(seed, metric, energy(fair), vector=(3,), least=1 + fair)


@pytest.mark.parametrize("fair", [False, True])
def test_of_one_variable_it_is_the_crps(fair):
    rng = np.random.default_rng(0)
    x, t = (
        rng.normal(size=(50, 7, 1)).astype(np.float32),
        rng.normal(size=(50, 1)).astype(np.float32),
    )
    got = eqm.fields.EnergyScore(fair=fair)(samples=x, targets=t)
    want = eqm.CRPSEnsemble(fair=fair)(samples=x[..., 0], targets=t[:, 0])
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_by_hand(scale):
    x, t = jnp.array([[[0.0, 0.0], [2.0, 0.0]]]) * scale, jnp.array([[1.0, 0.0]]) * scale
    got = eqm.fields.EnergyScore()(samples=x, targets=t)
    np.testing.assert_allclose(got, 0.5 * scale, rtol=1e-6)
    assert eqm.fields.EnergyScore(fair=True)(samples=x, targets=t) == 0


def test_gradient_and_refused():
    x, t = jnp.zeros((1, 2, 3)), jnp.zeros((1, 3))
    score = eqm.fields.EnergyScore()
    assert not jax.grad(lambda x: score(samples=x, targets=t))(x).any()
    assert jnp.isnan(score(samples=x.at[0, 1, 2].set(jnp.nan), targets=t))
    assert jnp.isnan(score.compute())
    with pytest.raises(TypeError, match=r"one more axis, the members, before their last"):
        score(samples=x[0], targets=t)
    with pytest.raises(
        TypeError, match=r"`members` is bool\[3\] and `samples` has the shape \(1, 2\)"
    ):
        score(samples=x, targets=t, members=jnp.ones(3, bool))
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*two members"):
        one = jnp.array([True, False])
        eqm.fields.EnergyScore(fair=True).update(samples=x, targets=t, members=one).check()
