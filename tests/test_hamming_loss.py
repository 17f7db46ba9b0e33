"""`HammingLoss` beside scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, close, kept, NAN, TASKS
from .oracle import few, fold


@pytest.mark.parametrize("name", TASKS)
def test_is_scikit_learns(name):
    task = TASKS[name]

    @few
    @given(batch=batches(task))
    def check(batch):
        y, p, w = kept(task, batch)
        want = skl.hamming_loss(y, p, sample_weight=w) if len(y) else NAN
        close(fold(eqm.HammingLoss(task), batch).compute(), want)

    check()


def test_by_hand():
    loss = eqm.HammingLoss(eqm.Multilabel(2, ignore_index=-1))
    got = loss(predicted_labels=np.array([[1, 1], [0, 1]]), labels=np.array([[1, 0], [-1, 1]]))
    np.testing.assert_allclose(got, 1 / 3, rtol=1e-6)
    assert eqm.HammingLoss(undefined=0.5).compute() == 0.5
