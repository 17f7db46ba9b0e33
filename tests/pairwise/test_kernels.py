"""Similarities and kernels of pairs beside scikit-learn in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import pairwise as sk

import eqmetrics as eqm

from ..oracle import few, seeds


OURS = eqm.pairwise


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(8, 5)), rng.normal(size=(9, 5))
    y[0], x[1] = x[0], 0
    x, y = (v.astype(np.float32) * np.float32(rng.choice([0.3, 1.0, 2.0])) for v in (x, y))
    both = x.astype(float), y.astype(float)
    for ours, want in (
        (OURS.dot(x, y), sk.linear_kernel(*both)),
        (OURS.cosine_similarity(x, y, undefined=0.0), sk.cosine_similarity(*both)),
        (OURS.rbf(x, y), sk.rbf_kernel(*both)),
        (OURS.rbf(x, y, gamma=0.7), sk.rbf_kernel(*both, gamma=0.7)),
        (OURS.laplacian(x, y), sk.laplacian_kernel(*both)),
        (OURS.laplacian(x, y, gamma=0.7), sk.laplacian_kernel(*both, gamma=0.7)),
        (OURS.polynomial(x, y), sk.polynomial_kernel(*both)),
        (
            OURS.polynomial(x, y, degree=2, gamma=0.3, offset=-1.0),
            sk.polynomial_kernel(*both, degree=2, gamma=0.3, coef0=-1),
        ),
        (OURS.sigmoid(x, y), sk.sigmoid_kernel(*both)),
        (
            OURS.sigmoid(x, y, gamma=0.3, offset=-1.0),
            sk.sigmoid_kernel(*both, gamma=0.3, coef0=-1),
        ),
    ):
        np.testing.assert_allclose(ours, want, rtol=1e-5, atol=2e-6)
    x, y = np.abs(np.round(x)), np.abs(np.round(y))
    both = x.astype(float), y.astype(float)
    np.testing.assert_allclose(OURS.chi2(x, y), sk.chi2_kernel(*both), 1e-5)
    want = sk.chi2_kernel(*both, gamma=0.2)
    np.testing.assert_allclose(OURS.chi2(x, y, gamma=0.2), want, 1e-5)


def test_by_hand():
    x = jnp.array([[0.0, 0.0], [3.0, 4.0], [-6.0, -8.0]])
    cosine = OURS.cosine_similarity(x)
    assert jnp.isnan(cosine[0]).all() and jnp.isnan(cosine[:, 0]).all()
    np.testing.assert_allclose(cosine[1:, 1:], [[1, -1], [-1, 1]], rtol=1e-6)
    for scale in (1e-30, 1e30):
        small = OURS.cosine_similarity(x[1:] * scale, x[1:])
        np.testing.assert_allclose(small, [[1, -1], [-1, 1]], rtol=1e-6)
    assert OURS.dot(x)[1].tolist() == [0.0, 25.0, -50.0]
    assert OURS.chi2(jnp.abs(x)).diagonal().tolist() == [1.0, 1.0, 1.0]
    assert jnp.isnan(OURS.chi2(x)).tolist() == [[False, False, True]] * 2 + [[True] * 3]


def test_the_gradient():
    x = jnp.array([[1.0, 2.0], [0.0, 0.0]])
    for of in (
        lambda x: OURS.cosine_similarity(x, undefined=0.0),
        OURS.rbf,
        OURS.laplacian,
        OURS.chi2,
        OURS.polynomial,
        OURS.sigmoid,
    ):
        assert jnp.isfinite(jax.grad(lambda x, of=of: of(x).sum())(x)).all()


def test_what_they_refuse():
    with pytest.raises(ValueError, match="degree=0"):
        OURS.polynomial(jnp.ones((2, 3)), degree=0)
    with pytest.raises(TypeError, match=r"expected vectors of one size"):
        OURS.rbf(jnp.ones(3))
