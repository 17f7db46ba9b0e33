"""`Purity`, `BCubed` and `ClusterAccuracy` beside their definitions, and scipy's assignment."""

import jax
import numpy as np
from hypothesis import given
from scipy.optimize import linear_sum_assignment

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .tables import at_each, big, cases_of, close, table_of


@at_once
@given(seed=seeds)
def test_definitions_agree(seed):
    for got, y, p in cases_of(seed):
        table, n = table_of(y, p), len(y)
        if n == 0:
            assert np.isnan([got["purity"], got["accuracy"], *got["b-cubed"].values()]).all()
            continue
        close(got["purity"], table.max(0).sum() / n)
        close(got["accuracy"], table[linear_sum_assignment(-table)].sum() / n)
        same = (y[:, None] == y[None]) & (p[:, None] == p[None])
        precision = (same.sum(1) / (p[:, None] == p[None]).sum(1)).mean()
        recall = (same.sum(1) / (y[:, None] == y[None]).sum(1)).mean()
        close(got["b-cubed"]["precision"], precision)
        close(got["b-cubed"]["recall"], recall)
        close(got["b-cubed"]["f1"], 2 * precision * recall / (precision + recall))


def test_two_hundred_clusters():
    batch = big(100_000, 200, 200, 0.02)
    metrics = eqm.MetricDict(
        table=eqm.clustering.ContingencyMatrix(200),
        accuracy=eqm.clustering.ClusterAccuracy(200),
    )
    got = jax.jit(lambda b: metrics(**b))(batch)
    table = np.asarray(got["table"])
    want = table[linear_sum_assignment(-table)].sum() / table.sum()
    np.testing.assert_allclose(got["accuracy"], want, rtol=1e-7)


def test_by_hand():
    scores = eqm.MetricDict(
        purity=eqm.clustering.Purity(3),
        accuracy=eqm.clustering.ClusterAccuracy(3),
        told=eqm.clustering.ClusterAccuracy(3, undefined=0.0),
        cubed=eqm.clustering.BCubed(3),
    )
    # In the second both clusters are mostly of class 0, and one of them has another name.
    y = np.array([[0, 0, 0, 1, 1], [0, 0, 1, 0, 0], [0, 1, 2, 0, 0]])
    p = np.array([[1, 1, 1, 1, 0], [0, 0, 0, 1, 1], [1, 0, 0, 1, 1]])
    weights = np.array([[1, 1, 0, 1, 1], [1] * 5, [1, 1, 1, 0, 0]], np.float32)
    got = at_each(scores, y, p, weights)
    np.testing.assert_array_equal(got["purity"], np.array([3 / 4, 4 / 5, 2 / 3], np.float32))
    # More classes than clusters: one is always wrong.
    np.testing.assert_array_equal(got["accuracy"], np.array([3 / 4, 3 / 5, 2 / 3], np.float32))
    # Clusters of three and one, of which two and one are of one class.
    np.testing.assert_allclose(got["cubed"]["precision"][0], (2 * 2 / 3 + 1 / 3 + 1) / 4, rtol=1e-6)
    assert at_each(scores, y, p, 0 * weights)["told"].tolist() == [0, 0, 0]
