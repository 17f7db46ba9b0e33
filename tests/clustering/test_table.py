"""`ContingencyCounts` and `ContingencyMatrix`: counts, and what is shared with a confusion
matrix."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .tables import cases_of, table_of


@at_once
@given(seed=seeds)
def test_cells_are_counted(seed):
    for got, y, p in cases_of(seed):
        np.testing.assert_array_equal(got["table"], table_of(y, p))
        np.testing.assert_array_equal(got["matrix"], table_of(y, p))


def test_as_many_clusters_as_classes_share_with_a_confusion_matrix():
    both = eqm.MetricDict(
        matrix=eqm.ConfusionMatrix(eqm.Multiclass(3)),
        counts=eqm.clustering.ContingencyMatrix(3),
        score=eqm.clustering.AdjustedRandScore(3, 3),
        purity=eqm.clustering.Purity(3),
    )
    assert len(both.states.all()) == 1
    logits = jnp.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
    value = both(logits=logits, labels=jnp.array([2, 0]))
    assert value["matrix"].tolist() == value["counts"].tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert value["score"].shape == () and value["purity"] == 1


def test_scores_of_clusters():
    counts = eqm.clustering.ContingencyCounts(2, 3)
    chosen = jnp.array([[0.1, 0.1, 0.8], [0.5, 0.3, 0.2]])
    table = counts(probabilities=chosen, labels=jnp.array([1, 0]))
    assert table.tolist() == [[1, 0, 0], [0, 0, 1]]


def test_large_counts_are_exact():
    counts = eqm.clustering.ContingencyMatrix(2, 3)
    one, zero = jnp.array([1]), jnp.array([0])
    counts = counts.update(predicted_labels=one, labels=zero, weights=jnp.array([2.0**40]))
    counts = counts.update(predicted_labels=one, labels=zero)
    assert eqm.to_host(counts)[0, 1] == 2**40 + 1


def test_errors():
    counts = eqm.clustering.ContingencyCounts(2, 3)
    labels = jnp.array([0, 1])
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*clusters in \[0, 3\)"):
        counts.update(predicted_labels=jnp.array([0, 3]), labels=labels).check()
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*labels in \[0, 2\)"):
        counts.update(predicted_labels=jnp.array([0, 1]), labels=jnp.array([0, 2])).check()
    with pytest.raises(TypeError, match=r"expected the shape \(2, 3\) for `logits`"):
        counts.update(logits=jnp.zeros((2, 2)), labels=labels)
    with pytest.raises(ValueError, match="num_clusters=0"):
        eqm.clustering.Purity(2, 0)
    with pytest.raises(ValueError, match="num_classes=0"):
        eqm.clustering.Purity(0)
    with pytest.raises(ValueError, match="more than"):
        eqm.clustering.ContingencyCounts(2**20, 2**11)
