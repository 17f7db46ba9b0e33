"""Distances of pairs beside scikit-learn and scipy in float64, and by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.spatial import distance
from sklearn.metrics import pairwise as sk

import eqmetrics as eqm

from ..oracle import few, seeds


OURS = eqm.pairwise
cdist: Any = distance.cdist


def drawn(seed, low=None):
    """Of any scale, some far from the origin, some equal."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(8, 5)), rng.normal(size=(9, 5))
    y[0], y[1, 2] = x[0], x[1, 2]
    offset, scale = rng.choice([0.0, 0.0, 100.0]), rng.choice([1.0, 1e-6, 1e6])
    x, y = (((v + offset) * scale).astype(np.float32) for v in (x, y))
    return x, y, x.astype(float), y.astype(float)


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    x, y, x64, y64 = drawn(seed)
    for ours, name, config in (
        (OURS.euclidean, "euclidean", {}),
        (OURS.squared_euclidean, "sqeuclidean", {}),
        (OURS.manhattan, "cityblock", {}),
        (OURS.minkowski, "minkowski", {"p": 3}),
        (OURS.minkowski, "minkowski", {"p": 1.5}),
    ):
        want = cdist(x64, y64, name, **config)
        np.testing.assert_allclose(ours(x, y, **config), want, rtol=3e-6, err_msg=name)
    np.testing.assert_allclose(OURS.euclidean(x), cdist(x64, x64), rtol=3e-6)


@few
@given(seed=seeds)
def test_on_a_sphere(seed):
    rng = np.random.default_rng(seed)
    bound = np.array([np.pi / 2, np.pi])
    x, y = (rng.uniform(-bound, bound, (n, 2)) for n in (8, 9))
    y[0], y[1] = x[0] + 1e-4, [-x[1, 0], x[1, 1] + np.pi]  # near, and opposite
    x, y = x.astype(np.float32), y.astype(np.float32)
    want = sk.haversine_distances(x.astype(float), y.astype(float))
    np.testing.assert_allclose(OURS.haversine(x, y), want, rtol=1e-5, atol=2e-7)


def test_by_hand():
    x, y = jnp.zeros((1, 2)), jnp.array([[3.0, 4.0], [0.0, 0.0]])
    assert OURS.euclidean(x, y).tolist() == [[5.0, 0.0]]
    assert OURS.squared_euclidean(x, y).tolist() == [[25.0, 0.0]]
    assert OURS.manhattan(x, y).tolist() == [[7.0, 0.0]]
    np.testing.assert_allclose(OURS.minkowski(x, y, p=2), [[5, 0]], rtol=1e-6)
    places = jnp.array([[0.0, 0.0], [0.0, jnp.pi], [jnp.pi / 2, 2.0]])
    want = np.pi * np.array([0, 1, 0.5])
    np.testing.assert_allclose(OURS.haversine(places)[0], want, rtol=1e-6)


def test_a_large_offset():
    """In float32 the form of products has no digit here: scikit-learn's has those of float64."""
    rng = np.random.default_rng(0)
    x = (4096 + rng.integers(-512, 512, (20, 64)) / 1024).astype(np.float32)
    want = cdist(x.astype(float), x.astype(float))
    np.testing.assert_allclose(OURS.euclidean(x), want, rtol=1e-6)
    products = np.sum(x * x, 1)[:, None] + np.sum(x * x, 1)[None] - 2 * x @ x.T
    assert np.abs(np.sqrt(np.maximum(products, 0)) - want).max() > 1


def test_the_gradient():
    x, y = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0], [0.0, 0.0]])
    for of, want in (
        (OURS.euclidean, [-0.6, -0.8]),
        (OURS.manhattan, [-1.0, -1.0]),
        (lambda x, y: OURS.minkowski(x, y, p=2), [-0.6, -0.8]),
        (OURS.squared_euclidean, [-6.0, -8.0]),
    ):
        slope = jax.jit(jax.grad(lambda x, of=of: of(x, y).sum()))(x)
        np.testing.assert_allclose(slope, [want], rtol=1e-6)
    assert not jax.grad(lambda x: OURS.haversine(x, x).sum())(x).any()


def test_nan_stays():
    x = jnp.array([[jnp.nan, 1.0], [1.0, 1.0]])
    for of in (OURS.euclidean, OURS.manhattan, lambda x: OURS.minkowski(x, p=3), OURS.haversine):
        assert jnp.isnan(of(x)).tolist() == [[True, True], [True, False]]


def test_what_they_refuse():
    x = jnp.ones((2, 3))
    with pytest.raises(TypeError, match=r"`x` is float32\[3\] .*One vector is `x\[None\]`"):
        OURS.euclidean(x[0], x)
    with pytest.raises(TypeError, match=r"`y` is float32\[2, 2\]"):
        OURS.manhattan(x, x[:, :2])
    with pytest.raises(TypeError, match="expected real numbers"):
        OURS.euclidean(x + 1j)
    with pytest.raises(TypeError, match="latitude and longitude"):
        OURS.haversine(x)
    for p in (0.5, np.inf):
        with pytest.raises(ValueError, match=f"p={p}"):
            OURS.minkowski(x, p=p)
