"""`Silhouette` and `SquaredSilhouette` beside scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from ..oracle import at_once, CASES, fold, seeds, values_of
from .points import CAPACITY, CLUSTERS, DIM, drawn, rows_of


METRIC = eqm.clustering.Silhouette(CLUSTERS, DIM, capacity=CAPACITY)


def silhouette(x: np.ndarray, cluster: np.ndarray, metric: str) -> float:
    count = len(np.unique(cluster))
    if count < 2:
        return float("nan")
    # Each row alone in its cluster; scikit-learn raises.
    return skl.silhouette_score(x, cluster, metric=metric) if count < len(x) else 0.0


@at_once
@given(seed=seeds)
def test_scikit_learn_agrees(seed):
    batch = drawn(seed)
    got = values_of(fold, METRIC, batch)
    for i in range(CASES):
        want = silhouette(*rows_of(batch, i), "euclidean")
        np.testing.assert_allclose(got[i], want, rtol=1e-4, atol=1e-5)


@jax.jit
def in_two_passes(batches):
    def one(batch):
        clusters = fold(eqm.clustering.ClusterMoments(CLUSTERS, DIM), batch).compute()
        empty = eqm.clustering.SquaredSilhouette(SOME)
        metric = empty.replace(
            weight=clusters["weight"],
            squares=clusters["squares"],
            mean=jnp.where(clusters["weight"][:, None] > 0, clusters["mean"], 0),
        )
        return fold(metric, batch).compute()

    return jax.vmap(one)(batches)


SOME = {
    "weight": np.ones(CLUSTERS),
    "mean": np.zeros((CLUSTERS, DIM)),
    "squares": np.zeros(CLUSTERS),
}


@at_once
@given(seed=seeds)
def test_scikit_learn_agrees_in_two_passes(seed):
    batch = drawn(seed)
    got = in_two_passes(batch)
    for i in range(CASES):
        want = silhouette(*rows_of(batch, i), "sqeuclidean")
        np.testing.assert_allclose(got[i], want, rtol=1e-3, atol=1e-4)


def test_narrow_clusters_far_apart():
    """Squares of 1e4, of clusters 1e-3 wide: products of whole rows in float32 would say nothing of
    the distances in a cluster."""
    rng = np.random.default_rng(0)
    n = 1000
    cluster = rng.integers(0, 3, n)
    x = (cluster[:, None] == np.arange(8)) * 100.0
    half = rng.integers(0, 2, n)  # of each cluster two halves, of which one has another name
    x = x + half[:, None] * 2e-3 + rng.normal(size=(n, 8)) * 1e-3
    cluster = np.where(cluster == 2, 2 + half, cluster)
    x = x.astype(np.float32)
    metric = eqm.clustering.Silhouette(4, 8, capacity=1024)
    got = metric(features=x, predicted_labels=cluster)
    want = skl.silhouette_score(x.astype(np.float64), cluster)
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_by_hand_undefined_and_errors():
    x, cluster = jnp.array([[0.0], [1.0], [10.0]]), jnp.array([0, 0, 1])
    metric = eqm.clustering.Silhouette(2, 1, capacity=3)
    value = metric(features=x, predicted_labels=cluster)
    np.testing.assert_allclose(value, (9 / 10 + 8 / 9) / 3, rtol=1e-6)
    assert jnp.isnan(metric(features=x, predicted_labels=0 * cluster))
    assert eqm.clustering.Silhouette(2, 1, capacity=3, undefined=0.0).compute() == 0
    over = metric.update(features=x, predicted_labels=cluster)
    with pytest.raises(eqm.InvalidDataError, match="capacity=6"):
        over.update(features=x, predicted_labels=cluster).check()
    clusters = eqm.clustering.ClusterMoments(3, 1)(features=x, predicted_labels=cluster)
    squared = eqm.clustering.SquaredSilhouette(clusters)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
        squared.update(features=x, predicted_labels=jnp.array([0, 0, 2])).check()
    with pytest.raises(ValueError, match=r"got \(3,\), \(3,\) and \(2, 1\)"):
        eqm.clustering.SquaredSilhouette(clusters | {"mean": jnp.zeros((2, 1))})
