"""`eqm.generative.InceptionScore` beside torch-fidelity's formula in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, CASES, cases, fold, seeds, spread, taken, values_of


InceptionScore = eqm.generative.InceptionScore


def truth(logits, w):
    """exp of the mean over rows of sum p (log p - log mean), in one split."""
    if not w.sum():
        return np.nan
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    mean = np.average(p, axis=0, weights=w)
    each = np.sum(p * (np.log(p) - np.log(mean)), axis=1)
    return np.exp(np.average(each, weights=w))


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = cases(seed, columns=(4,))
    scale = np.random.default_rng(seed).choice([0.01, 1, 10], (CASES, 1, 1, 1))
    del batch["targets"]
    logits = (batch.pop("predictions") * scale).astype(np.float32)
    keep = taken(batch)
    batch["logits"] = np.where(keep[..., None], logits, np.float32(np.nan))
    got = np.asarray(values_of(way, InceptionScore(4), batch))
    want = [
        truth(logits[i][keep[i]].astype(np.float64), batch["weights"][i][keep[i]].astype(float))
        for i in range(CASES)
    ]
    np.testing.assert_allclose(got, want, rtol=3e-6)


def test_by_hand():
    score = InceptionScore(3)
    assert abs(score(probabilities=jnp.eye(3)[:2]) - 2) < 1e-6
    assert score(probabilities=jnp.eye(3)[jnp.array([1, 1])]) == 1
    assert abs(score(logits=jnp.log(jnp.eye(3))) - 3) < 1e-6
    assert score(logits=jnp.zeros((5, 3))) == 1
    slope = jax.grad(lambda x: score(probabilities=x))(jnp.eye(3))
    assert jnp.isfinite(slope).all()


def test_undefined_and_invalid():
    score = InceptionScore(2)
    assert jnp.isnan(score.compute()) and InceptionScore(2, undefined=1.0).compute() == 1
    for bad in ({"probabilities": jnp.array([[1.5, 0.0]])}, {"logits": jnp.full((1, 2), jnp.inf)}):
        with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*\[0, 1\]"):
            score.update(**bad).check()
    with pytest.raises(TypeError, match="got neither"):
        score.update()
    with pytest.raises(TypeError, match="got both"):
        score.update(logits=jnp.ones((1, 2)), probabilities=jnp.ones((1, 2)))
    with pytest.raises(ValueError, match="num_classes=0"):
        InceptionScore(0)
