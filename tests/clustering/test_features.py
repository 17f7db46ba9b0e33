"""`ClusterMoments` and `ClusterBuffer`: what they keep of the rows of each cluster."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, CASES, fold, seeds, spread, values_of
from .points import CAPACITY, CLUSTERS, DIM, drawn, of_case, rows_of


MOMENTS = eqm.clustering.ClusterMoments(CLUSTERS, DIM)
BUFFER = eqm.clustering.ClusterBuffer(CLUSTERS, DIM, capacity=CAPACITY)


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_the_moments_of_each_cluster(way, seed):
    batch = drawn(seed)
    got = values_of(way, MOMENTS, batch)
    for i in range(CASES):
        mine, (x, cluster) = of_case(got, i), rows_of(batch, i)
        for k in range(CLUSTERS):
            own = x[cluster == k]
            assert mine["weight"][k] == len(own)
            if len(own) == 0:
                assert np.isnan(mine["mean"][k]).all() and mine["squares"][k] == 0
                continue
            np.testing.assert_allclose(mine["mean"][k], own.mean(0), rtol=1e-6, atol=1e-6)
            want = ((own - own.mean(0)) ** 2).sum()
            np.testing.assert_allclose(mine["squares"][k], want, rtol=1e-4, atol=1e-9)


@at_once
@given(seed=seeds)
def test_all_rows_are_kept(seed):
    batch = drawn(seed)
    got = values_of(fold, BUFFER, batch)
    for i in range(CASES):
        want = np.bincount(rows_of(batch, i)[1], minlength=CLUSTERS)
        np.testing.assert_array_equal(got[i], want)


def test_errors():
    x, cluster = jnp.ones((2, 2)), jnp.array([0, 1])
    moments = eqm.clustering.ClusterMoments(2, 2)
    words = r"1 invalid row.*features that are finite, clusters in \[0, 2\)"
    for bad in (
        {"features": x, "predicted_labels": jnp.array([0, 2])},
        {"features": x.at[0, 1].set(jnp.nan), "predicted_labels": cluster},
    ):
        with pytest.raises(eqm.InvalidDataError, match=words):
            moments.update(**bad).check()
    buffer = eqm.clustering.ClusterBuffer(2, 2, capacity=1)
    with pytest.raises(eqm.InvalidDataError, match=r"1 row\(s\) too many.*capacity=2"):
        buffer.update(features=x, predicted_labels=cluster).check()
    with pytest.raises(TypeError, match=r"expected the shape `\(\*rows, 2\)`"):
        jax.eval_shape(lambda: moments.update(features=x, predicted_labels=cluster[:1]))
    with pytest.raises(ValueError, match="dim=0"):
        eqm.clustering.ClusterMoments(2, 0)
    with pytest.raises(ValueError, match="num_clusters=0"):
        eqm.clustering.ClusterBuffer(0, 2, capacity=1)
