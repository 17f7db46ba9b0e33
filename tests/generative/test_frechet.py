"""`eqm.generative.FrechetDistance` beside scipy's root of a matrix in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, fold, seeds, spread, values_of
from .oracle import CASES, DIM, features, moments, sides


FrechetDistance = eqm.generative.FrechetDistance


def gaussians(m, s, n, t):
    """As pytorch-fid has it. Of a product without full rank scipy's root isn't known to more than
    half of the digits, so that it is taken from the eigenvalues of a symmetric one."""
    values, vectors = np.linalg.eigh(s)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    inner = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ t @ root), 0)).sum()
    if np.linalg.matrix_rank(s) == len(s) == np.linalg.matrix_rank(t):
        np.testing.assert_allclose(np.trace(scipy.linalg.sqrtm(s @ t)).real, inner, rtol=1e-6)
    return np.sum((m - n) ** 2) + np.trace(s) + np.trace(t) - 2 * inner


def truth(batch, case):
    real, generated, w = sides(batch, case)
    return gaussians(*moments(real, w), *moments(generated, w)) if w.sum() > 1 else np.nan


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_scipys(way, seed):
    batch = features(seed)
    got = np.asarray(values_of(way, FrechetDistance(DIM), batch))
    want = np.array([truth(batch, i) for i in range(CASES)])
    assert np.isfinite(want).sum() > 15
    # Of fewer rows than features, too. What a float leaves of the larger covariance is not known.
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)


def test_by_hand():
    x = jnp.array([[-1.0], [0.0], [1.0]])  # of mean 0 and variance 1
    assert abs(FrechetDistance(1)(real_features=x, generated_features=1 + 2 * x) - 2) < 1e-6
    # Along one axis each, of variance 1.
    zeros = jnp.zeros((3, 1))
    first, second = jnp.concatenate([x, zeros], 1), jnp.concatenate([zeros, x], 1)
    assert abs(FrechetDistance(2)(real_features=first, generated_features=second) - 2) < 1e-6
    assert FrechetDistance(2)(real_features=first, generated_features=first) < 1e-12
    # The two sides in updates of their own, of other numbers of rows.
    apart = FrechetDistance(1).update(real_features=x).update(generated_features=1 + 2 * x[:2])
    apart = apart.update(generated_features=1 + 2 * x[2:])
    assert abs(apart.compute() - 2) < 1e-6
    integers = FrechetDistance(1)(real_features=np.array([[-1], [0], [1]]), generated_features=x)
    assert integers < 1e-12


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("rows", [20, 200])  # fewer than the 64 features, and more
def test_a_small_distance_keeps_its_digits(rows, offset):
    """Streamed in 100 batches: of a distance far below the traces, 1e-4 of itself."""
    rng = np.random.default_rng(0)
    d, steps = 64, 10
    size = np.arange(1, d + 1.0) ** -0.5
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    x = ((rng.normal(size=(steps, rows // steps, d)) * size) @ turn + offset).astype(np.float32)
    y = (x + 0.05 * size * rng.normal(size=x.shape)).astype(np.float32)
    got = fold(FrechetDistance(d), {"real_features": x, "generated_features": y}).compute()
    real, generated = (v.reshape(rows, d).astype(np.float64) for v in (x, y))
    want = gaussians(real.mean(0), np.cov(real.T), generated.mean(0), np.cov(generated.T))
    assert want < 0.05
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_a_stored_reference():
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(2, 30, 3)).astype(np.float32)
    seen = eqm.generative.FeatureMoments(3).update(real_features=real).compute()["real"]
    want = FrechetDistance(3)(real_features=real, generated_features=generated)
    for mean, covariance in (
        (seen["mean"], seen["covariance"]),
        (real.mean(0).astype(np.float64), np.cov(real.T.astype(np.float64))),
    ):
        stored = FrechetDistance(3, reference=(mean, covariance))
        assert abs(stored(generated_features=generated) - want) < 1e-6
        assert abs(stored.reset()(generated_features=generated) - want) < 1e-6
        slope = jax.grad(lambda x, m=stored: m(generated_features=x))(generated)
        same = jax.grad(lambda x: FrechetDistance(3)(real_features=real, generated_features=x))
        np.testing.assert_allclose(slope, same(generated), rtol=1e-4, atol=1e-6)
        with pytest.raises(TypeError, match="stored reference"):
            stored.update(real_features=real)
    with pytest.raises(TypeError, match=r"expected \(3,\) and \(3, 3\)"):
        FrechetDistance(3, reference=(np.zeros(2), np.eye(2)))
    with pytest.raises(ValueError, match="isn't symmetric"):
        FrechetDistance(2, reference=(np.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]])))
    with pytest.raises(ValueError, match="NaN"):
        FrechetDistance(1, reference=([np.nan], [[1.0]]))


def test_the_gradient_without_full_rank_is_finite():
    x = jnp.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    of = lambda y: FrechetDistance(3)(real_features=x, generated_features=y)
    for y in (x, x[:2].repeat(2, 0)[:3], x + 1):
        assert jnp.isfinite(jax.grad(of)(y)).all()
    np.testing.assert_allclose(jax.grad(of)(x), np.zeros((3, 3)), atol=1e-5)
    # moved as a whole: |offset|^2
    np.testing.assert_allclose(jax.grad(of)(x + 1), np.full((3, 3), 2 / 3), rtol=1e-4)


def test_undefined_and_invalid():
    x = jnp.ones((3, 2))
    assert jnp.isnan(FrechetDistance(2).compute())
    assert jnp.isnan(FrechetDistance(2)(real_features=x))
    assert jnp.isnan(FrechetDistance(2)(real_features=x, generated_features=x[:1].repeat(3, 0),
                                        mask=jnp.array([True, False, False])))  # fmt: skip
    assert FrechetDistance(2, undefined=0.0).compute() == 0
    bad = FrechetDistance(2).update(real_features=x, generated_features=x.at[0, 0].set(jnp.inf))
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*finite"):
        bad.check()
    with pytest.raises(TypeError, match="Neither `real_features` nor `generated_features`"):
        FrechetDistance(2).update()
    with pytest.raises(TypeError, match="Update twice"):
        FrechetDistance(2).update(real_features=x, generated_features=x[:2])
    with pytest.raises(TypeError, match=r"expected the trailing shape \(2,\)"):
        FrechetDistance(2).update(real_features=jnp.ones((3, 3)))
    with pytest.raises(ValueError, match="dim=0"):
        FrechetDistance(0)
