"""`ConfusionMatrix` beside scikit-learn."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, counts, kept, TASKS
from .oracle import few, fold, spread


KINDS = (None, "true", "pred", "all")


def table_of(task, batch):
    """`(..., classes, classes)` in float64."""
    if isinstance(task, eqm.Multilabel):
        return counts(task, batch)
    y, p, w = kept(task, batch)
    classes = 2 if isinstance(task, eqm.Binary) else task.classes
    if not len(y):
        return np.zeros((classes, classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return skl.confusion_matrix(y, p, sample_weight=w, labels=range(classes))


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("name", TASKS)
def test_is_scikit_learns(name, way):
    task = TASKS[name]
    metrics = eqm.MetricDict({str(n): eqm.ConfusionMatrix(task, normalize=n) for n in KINDS})
    assert len(metrics.states) == 1

    @few
    @given(batch=batches(task))
    def check(batch):
        got, table = way(metrics, batch).compute(), table_of(task, batch)
        sums = {"true": (-1,), "pred": (-2,), "all": (-1, -2)}
        np.testing.assert_allclose(got["None"], table, rtol=1e-6, atol=1e-5)
        for kind, axes in sums.items():
            with np.errstate(all="ignore"):
                want = table / table.sum(axis=axes, keepdims=True)
            np.testing.assert_allclose(got[kind], want, rtol=1e-5, atol=1e-6)

    check()


def test_by_hand():
    y, p = jnp.array([0, 0, 1, 2, 2, 2]), jnp.array([0, 1, 1, 2, 2, 0])
    task = eqm.Multiclass(4)
    matrix = eqm.ConfusionMatrix(task)(predicted_labels=p, labels=y)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]
    rows = eqm.ConfusionMatrix(task, normalize="true")(predicted_labels=p, labels=y)
    np.testing.assert_allclose(rows[2], [1 / 3, 0, 2 / 3, 0], rtol=1e-6)
    assert jnp.isnan(rows[3]).all()  # scikit-learn: 0
    zeros = eqm.ConfusionMatrix(task, normalize="true", undefined=0.0)
    assert zeros(predicted_labels=p, labels=y)[3].tolist() == [0, 0, 0, 0]
    both = eqm.ConfusionMatrix(eqm.Binary())(predicted_labels=p > 0, labels=y > 0)
    assert both.tolist() == [[1, 1], [1, 3]]


def test_what_it_refuses():
    with pytest.raises(ValueError, match="normalize='rows': expected one of"):
        eqm.ConfusionMatrix(eqm.Binary(), normalize="rows")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"100000 classes.*eqm.StatScores"):
        eqm.ConfusionMatrix(eqm.Multiclass(100_000))
