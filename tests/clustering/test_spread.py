"""`CalinskiHarabasz` and `DaviesBouldin` beside scikit-learn and the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from ..oracle import at_once, CASES, fold, seeds, values_of
from .points import CAPACITY, CLUSTERS, DIM, drawn, of_case, rows_of


METRICS = eqm.MetricDict(
    variance=eqm.clustering.CalinskiHarabasz(CLUSTERS, DIM),
    rms=eqm.clustering.DaviesBouldin(CLUSTERS, DIM),
    mean=eqm.clustering.DaviesBouldin(CLUSTERS, DIM, spread="mean", capacity=CAPACITY),
)


def davies_bouldin(x: np.ndarray, cluster: np.ndarray, power: int) -> float:
    numbers = np.unique(cluster)
    if len(numbers) < 2:
        return float("nan")
    centres = np.stack([x[cluster == k].mean(0) for k in numbers])
    spread = [
        (np.linalg.norm(x[cluster == k] - c, axis=1) ** power).mean() ** (1 / power)
        for k, c in zip(numbers, centres, strict=True)
    ]
    spread = np.array(spread)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(apart > 0, (spread[:, None] + spread[None]) / apart, np.inf)
    return ratio.max(1).mean()


@at_once
@given(seed=seeds)
def test_scikit_learn_agrees(seed):
    batch = drawn(seed)
    got = values_of(fold, METRICS, batch)
    for i in range(CASES):
        mine, (x, cluster) = of_case(got, i), rows_of(batch, i)
        count = len(np.unique(cluster))
        spread = any(np.ptp(x[cluster == k], axis=0).any() for k in np.unique(cluster))
        want = float("nan")
        if 1 < count < len(x) and spread:
            want = skl.calinski_harabasz_score(x, cluster)
        np.testing.assert_allclose(mine["variance"], want, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(mine["rms"], davies_bouldin(x, cluster, 2), rtol=1e-4)
        np.testing.assert_allclose(mine["mean"], davies_bouldin(x, cluster, 1), rtol=2e-4)
        if 1 < count < len(x) and np.isfinite(mine["mean"]) and mine["mean"] > 1e-3:
            want = skl.davies_bouldin_score(x, cluster)
            np.testing.assert_allclose(mine["mean"], want, rtol=2e-4)


def test_many_rows_far_from_0():
    """Narrow clusters at an offset of 1000, whose squares leave nothing of them in float32."""
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, CLUSTERS, 100_000)
    x = 1000 + cluster[:, None] + rng.normal(size=(len(cluster), DIM)) / 10
    x = x.astype(np.float32)
    metrics = eqm.MetricDict({k: METRICS[k].reset() for k in ("variance", "rms")})
    got = jax.jit(lambda x, y: metrics(features=x, predicted_labels=y))(x, cluster)
    x = x.astype(np.float64)
    np.testing.assert_allclose(got["variance"], skl.calinski_harabasz_score(x, cluster), rtol=1e-5)
    np.testing.assert_allclose(got["rms"], davies_bouldin(x, cluster, 2), rtol=1e-5)


def test_by_hand():
    x, cluster = jnp.array([[0.0], [2.0], [10.0], [12.0]]), jnp.array([0, 0, 1, 1])
    metrics = eqm.MetricDict(
        variance=eqm.clustering.CalinskiHarabasz(2, 1),
        told=eqm.clustering.CalinskiHarabasz(2, 1, undefined=1.0),
        rms=eqm.clustering.DaviesBouldin(2, 1),
        zero=eqm.clustering.DaviesBouldin(2, 1, undefined=0.0),
    )
    each = jax.jit(
        jax.vmap(lambda x, y: metrics.update(features=x, predicted_labels=y).compute())
    )
    got = each(jnp.stack([x, x, x // 5 * 5]), jnp.stack([cluster, 0 * cluster, cluster]))
    np.testing.assert_allclose(got["variance"], [50, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(got["told"], [50, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(got["rms"], [0.2, np.nan, 0], rtol=1e-6)
    np.testing.assert_allclose(got["zero"], [0.2, 0, 0], rtol=1e-6)


def test_errors():
    with pytest.raises(ValueError, match="spread='max'"):
        eqm.clustering.DaviesBouldin(2, 1, spread="max")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="needs all rows"):
        eqm.clustering.DaviesBouldin(2, 1, spread="mean")
    with pytest.raises(ValueError, match="needs all rows"):
        eqm.clustering.DaviesBouldin(2, 1, capacity=10)
