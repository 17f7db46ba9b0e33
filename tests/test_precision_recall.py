"""`Precision` and `Recall` beside scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import AVERAGES, batches, close, every_average, scikit, TASKS
from .oracle import few, fold, spread


SCORES = {
    "Precision": (eqm.Precision, skl.precision_score),
    "Recall": (eqm.Recall, skl.recall_score),
}


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("name", TASKS)
def test_is_scikit_learns(name, way):
    task = TASKS[name]
    metrics = eqm.MetricDict({n: every_average(cls, task) for n, (cls, _) in SCORES.items()})

    @few
    @given(batch=batches(task))
    def check(batch):
        got = way(metrics, batch).compute()
        for n, (_, fn) in SCORES.items():
            for average in AVERAGES:
                close(got[n][str(average)], scikit(fn, task, batch, average))

    check()


def values(cls, task, y, p, **kwargs):
    return eqm.to_host(cls(task, **kwargs)(predicted_labels=jnp.array(p), labels=jnp.array(y)))


def test_by_hand():
    task = eqm.Multiclass(4)  # class 3 is absent; 2 is predicted and never true
    y, p = [0, 0, 1, 1], [0, 1, 1, 2]
    each = values(eqm.Precision, task, y, p, average=None)
    np.testing.assert_allclose(each, [1, 0.5, 0, np.nan])
    each = values(eqm.Recall, task, y, p, average=None)
    np.testing.assert_allclose(each, [0.5, 0.5, np.nan, np.nan])
    assert values(eqm.Precision, task, y, p) == 0.5  # of three classes
    assert values(eqm.Recall, task, y, p) == 0.5  # of two
    assert values(eqm.Precision, task, y, p, average="weighted") == 0.75


@pytest.mark.parametrize("classes", [3, 10, 1000])
def test_a_perfect_predictor_of_three_classes_of_many_has_1(classes):
    y = [0, 1, 2, 2]
    for cls in (eqm.Precision, eqm.Recall):
        assert values(cls, eqm.Multiclass(classes), y, y) == 1.0


def test_an_ignored_class_is_in_no_average():
    # torchmetrics gives 2/3: it counts the ignored class as 0 (its issue 2441 and others)
    y = [0, 1, 2, 1, 0]
    for average in ("micro", "macro", "weighted"):
        for index in (0, -100):
            task = eqm.Multiclass(3, ignore_index=index)
            labels = np.where(np.array(y) == 0, index, y)
            assert values(eqm.Recall, task, labels, y, average=average) == 1.0
            assert values(eqm.Precision, task, labels, y, average=average) == 1.0
    task = eqm.Multiclass(3, ignore_index=0)
    each = values(eqm.Recall, task, [0, 1, 2, 2], [1, 1, 0, 2], average=None, undefined=0.0)
    np.testing.assert_array_equal(each, [np.nan, 1, 0.5])
    # a prediction of the ignored class is a miss, and nobody's false positive
    assert values(eqm.Precision, task, [1, 2, 2], [1, 0, 2], average="micro") == 1.0


def test_undefined():
    for cls in (eqm.Precision, eqm.Recall):
        assert jnp.isnan(cls(eqm.Multiclass(3)).compute())
        assert cls(eqm.Multiclass(3), undefined=0.0).compute() == 0
        each = cls(eqm.Multiclass(3), average=None, undefined=0.5).compute()
        assert each.tolist() == [0.5] * 3
    with pytest.raises(ValueError, match="average='makro': expected one of"):
        eqm.Precision(eqm.Binary(), average="makro")  # pyright: ignore[reportArgumentType]
