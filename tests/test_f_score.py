"""`F1` and `FBeta` beside scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import AVERAGES, batches, close, every_average, scikit, TASKS
from .oracle import few, fold


@pytest.mark.parametrize("name", TASKS)
def test_is_scikit_learns(name):
    task = TASKS[name]
    metrics = eqm.MetricDict(
        f1=every_average(eqm.F1, task), f2=every_average(eqm.FBeta, task, beta=2.0)
    )

    @few
    @given(batch=batches(task))
    def check(batch):
        got = fold(metrics, batch).compute()
        for average in AVERAGES:
            close(got["f1"][str(average)], scikit(skl.f1_score, task, batch, average))
            want = scikit(skl.fbeta_score, task, batch, average, beta=2.0)
            close(got["f2"][str(average)], want)

    check()


def test_by_hand():
    # 0: right once, missed once; 1: right once, said once too often; 2: said, never true;
    # 3: absent
    y, p = jnp.array([0, 0, 1, 1]), jnp.array([0, 1, 1, 2])
    each = eqm.F1(eqm.Multiclass(4), average=None)(predicted_labels=p, labels=y)
    np.testing.assert_allclose(each, [2 / 3, 0.5, 0, np.nan], rtol=1e-6)
    macro = eqm.F1(eqm.Multiclass(4))(predicted_labels=p, labels=y)
    np.testing.assert_allclose(macro, (2 / 3 + 0.5 + 0) / 3, rtol=1e-6)
    half = eqm.FBeta(eqm.Binary(), beta=0.5)(predicted_labels=p > 0, labels=y)
    np.testing.assert_allclose(half, 1.25 * 2 / (1.25 * 2 + 1), rtol=1e-6)


def test_of_infinity_is_recall():
    y, p = jnp.array([0, 0, 1, 1]), jnp.array([0, 1, 1, 2])
    for average in ("micro", "macro", None):
        at = {"average": average, "undefined": -1.0}
        recall = eqm.Recall(eqm.Multiclass(4), **at)(predicted_labels=p, labels=y)
        for beta in (1e6, 1e30, float("inf")):
            got = eqm.FBeta(eqm.Multiclass(4), beta=beta, average=None)
            each = got(predicted_labels=p, labels=y)[:2]
            np.testing.assert_allclose(each, [0.5, 0.5], rtol=1e-6)
        got = eqm.FBeta(eqm.Multiclass(4), beta=float("inf"), **at)
        np.testing.assert_array_equal(got(predicted_labels=p, labels=y), recall)


def test_what_it_refuses():
    assert eqm.FBeta(eqm.Binary(), beta=0.0).compute() != 0
    for beta in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="expected a number of at least 0"):
            eqm.FBeta(eqm.Binary(), beta=beta)
