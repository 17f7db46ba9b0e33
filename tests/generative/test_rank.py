"""`eqm.generative.EffectiveRank` and `VendiScore` beside their definitions in float64: singular
values of all rows, eigenvalues of all similarities; and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds, spread, values_of
from .oracle import CASES, DIM, features, sides


EffectiveRank, VendiScore = eqm.generative.EffectiveRank, eqm.generative.VendiScore


def entropy(x):
    x = np.maximum(x, 0) / x.sum()
    return np.exp(-np.sum(np.where(x > 1e-15, x * np.log(np.where(x > 1e-15, x, 1)), 0)))


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = features(seed)
    given_ = {"features": batch["generated_features"], "mask": batch["mask"]}
    given_["weights"] = batch["weights"]
    both = eqm.MetricDict(rank=EffectiveRank(DIM), vendi=VendiScore(DIM))
    got = values_of(way, both, given_)
    for i in range(CASES):
        _, x, w = sides(batch, i)
        if not len(x):
            assert np.isnan(got["rank"][i]) and np.isnan(got["vendi"][i])
            continue
        singular = np.linalg.svd(x * np.sqrt(w)[:, None], compute_uv=False)
        # A singular value is known to 3e-4 of the largest.
        np.testing.assert_allclose(got["rank"][i], entropy(singular), rtol=5e-3)
        if singular.min() > 0.02 * singular.max():
            np.testing.assert_allclose(got["rank"][i], entropy(singular), rtol=5e-5)
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        share = np.sqrt(w / w.sum())
        similar = np.linalg.eigvalsh(unit @ unit.T * share[:, None] * share[None])
        np.testing.assert_allclose(got["vendi"][i], entropy(similar), rtol=2e-5)


def test_by_hand():
    x = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert abs(EffectiveRank(3)(x) - 2) < 1e-5 and abs(VendiScore(3)(x) - 2) < 1e-5
    assert abs(EffectiveRank(3)(x[:1]) - 1) < 1e-6 and abs(VendiScore(3)(x[:1]) - 1) < 1e-6
    # shares of 1/4 and 3/4: by length, and by number
    want = np.exp(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)))
    assert abs(EffectiveRank(3)(x * jnp.array([[3.0], [1.0]])) - want) < 1e-5
    assert abs(VendiScore(3)(jnp.concatenate([x, x[1:], 9 * x[1:]])) - want) < 1e-5


def test_many_features_that_few_directions_fill():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 5)) @ rng.normal(size=(5, 64))).astype(np.float32)
    want = entropy(np.linalg.svd(x.astype(np.float64), compute_uv=False)[:5])
    np.testing.assert_allclose(EffectiveRank(64)(x), want, rtol=2e-3)


def test_the_gradient_of_equal_values_is_finite():
    x = jnp.eye(3)
    for metric in (EffectiveRank(3), VendiScore(3)):
        slope = jax.grad(lambda v, m=metric: m(v))(x)
        np.testing.assert_allclose(slope, np.zeros((3, 3)), atol=1e-5)
        assert jnp.isfinite(jax.grad(lambda v, m=metric: m(v))(x[:2])).all()


def test_undefined_and_invalid():
    zeros = jnp.zeros((2, 3))
    assert jnp.isnan(EffectiveRank(3).compute()) and jnp.isnan(VendiScore(3).compute())
    assert jnp.isnan(EffectiveRank(3)(zeros))
    assert EffectiveRank(3, undefined=0.0)(zeros) == 0 == VendiScore(3, undefined=0.0).compute()
    with pytest.raises(eqm.InvalidDataError, match="2 invalid row.*other than 0"):
        VendiScore(3).update(zeros).check()
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*finite"):
        EffectiveRank(3).update(zeros.at[0, 0].set(jnp.nan)).check()
