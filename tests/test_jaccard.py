"""`Jaccard` beside scikit-learn, and beside float64 where that gives 0 for 0/0."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import averaged, AVERAGES, batches, close, counts, every_average, kept, TASKS
from .oracle import few, fold


@pytest.mark.parametrize("name", TASKS)
def test_is_scikit_learns(name):
    task = TASKS[name]
    metrics = every_average(eqm.Jaccard, task)

    @few
    @given(batch=batches(task))
    def check(batch):
        got = fold(metrics, batch).compute()
        table = counts(task, batch)
        for average in AVERAGES:
            want = averaged(lambda tp, fp, fn, tn: (tp, tp + fp + fn), task, table, average)
            close(got[str(average)], want)
            y, p, w = kept(task, batch)
            if len(y) and np.all(np.isfinite(want)) and average != "macro":
                kind = "binary" if name == "binary" else average
                labels = list(range(task.classes)) if name != "binary" else None
                how: dict[str, Any] = {"average": kind, "labels": labels, "zero_division": 0}
                theirs = skl.jaccard_score(y, p, sample_weight=w, **how)
                close(theirs, want)

    check()


def test_by_hand():
    y, p = jnp.array([0, 0, 1, 1]), jnp.array([0, 1, 1, 2])
    each = eqm.Jaccard(eqm.Multiclass(4), average=None)(predicted_labels=p, labels=y)
    np.testing.assert_allclose(each, [1 / 2, 1 / 3, 0, np.nan], rtol=1e-6)
