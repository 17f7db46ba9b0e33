"""`ExactMatch` beside scikit-learn's subset accuracy."""

import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, close, kept, NAN
from .oracle import few, fold


@pytest.mark.parametrize("labels", [1, 3])
def test_is_scikit_learns(labels):
    task = eqm.Multilabel(labels)

    @few
    @given(batch=batches(task))
    def check(batch):
        y, p, w = kept(task, batch)
        want = skl.accuracy_score(y, p, sample_weight=w) if len(y) else NAN
        close(fold(eqm.ExactMatch(task), batch).compute(), want)

    check()


def test_by_hand():
    match = eqm.ExactMatch(eqm.Multilabel(2, ignore_index=-1))
    predicted = np.array([[1, 1], [0, 1], [1, 1]])
    # the second is right where it is asked; the third isn't asked at all
    assert match(predicted_labels=predicted, labels=np.array([[1, 0], [-1, 1], [-1, -1]])) == 0.5
    assert np.isnan(match.compute())
    with pytest.raises(TypeError, match="ExactMatch.*Multiclass.*`eqm.Accuracy"):
        eqm.ExactMatch(eqm.Multiclass(3))  # pyright: ignore[reportArgumentType]
