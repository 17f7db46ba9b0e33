"""`BalancedAccuracy` beside scikit-learn."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, close, TASKS
from .oracle import few, fold
from .test_agreement import by_label


def balanced(y, p, w, adjusted):
    if adjusted and len(np.unique(y)) == 1:
        return np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return skl.balanced_accuracy_score(y, p, sample_weight=w, adjusted=adjusted)


@pytest.mark.parametrize("name", TASKS)
def test_is_scikit_learns(name):
    task = TASKS[name]
    metrics = eqm.MetricDict(
        {str(x): eqm.BalancedAccuracy(task, adjusted=x) for x in (False, True)}
    )

    @few
    @given(batch=batches(task))
    def check(batch):
        got = fold(metrics, batch).compute()
        for adjusted in (False, True):
            score = lambda y, p, w, a=adjusted: balanced(y, p, w, a)
            close(got[str(adjusted)], by_label(score, task, batch), 1e-5)

    check()


def test_by_hand():
    y, p = jnp.array([0, 0, 0, 1]), jnp.array([0, 0, 1, 1])
    want = (2 / 3 + 1) / 2
    for task in (eqm.Binary(), eqm.Multiclass(2), eqm.Multiclass(5)):
        got = eqm.BalancedAccuracy(task)(predicted_labels=p, labels=y)
        np.testing.assert_allclose(got, want, rtol=1e-6)
        got = eqm.BalancedAccuracy(task, adjusted=True)(predicted_labels=p, labels=y)
        np.testing.assert_allclose(got, 2 * want - 1, rtol=1e-6)
    kept = eqm.Multiclass(3, ignore_index=0)
    assert eqm.BalancedAccuracy(kept)(predicted_labels=p, labels=y) == 1
    assert kept.top_k == 1 and jnp.isnan(eqm.BalancedAccuracy(kept).compute())
