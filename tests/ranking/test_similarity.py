import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from eqmetrics.ranking import similarity


RNG = np.random.default_rng(0)
X, Y = (np.asarray(RNG.normal(size=(n, 4)), np.float32) for n in (5, 7))


def test_scikit_learn_agrees():
    x, y = X.astype(np.float64), Y.astype(np.float64)
    np.testing.assert_allclose(similarity(X, Y), cosine_similarity(x, y), atol=1e-6)
    np.testing.assert_allclose(similarity(X, Y, "dot"), np.matmul(x, y.T), rtol=1e-5, atol=1e-6)
    far = np.float32(1000)
    for offset in (np.float32(0), far):
        got = similarity(X + offset, Y + offset, "l2")
        want = -(euclidean_distances(np.float64(X + offset), np.float64(Y + offset)) ** 2)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_without_itself():
    scores = similarity(X, X, exclude_self=True)
    assert np.isneginf(np.diag(scores)).all() and np.isfinite(scores).sum() == 20
    with pytest.raises(TypeError, match="the same vectors twice"):
        similarity(X, Y, exclude_self=True)


def test_zeros_and_sizes():
    assert similarity(np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32)) == 0
    np.testing.assert_allclose(similarity(1e30 * X, 1e-30 * Y), similarity(X, Y), atol=1e-6)
    with pytest.raises(TypeError, match=r"expected the shapes \(queries, d\)"):
        similarity(X, jnp.ones((3, 5)))
    with pytest.raises(ValueError, match="'cosine', 'dot' or 'l2'"):
        similarity(X, Y, "angle")  # pyright: ignore[reportArgumentType]
