"""`CoverageError`, `LabelRankingAveragePrecision` and `LabelRankingLoss` beside scikit-learn's."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    coverage_error,
    label_ranking_average_precision_score,
    label_ranking_loss,
)

import eqmetrics as eqm

from .oracle import few, fold, masks, ROWS, spread, STEPS, taken, weights


PAIRS = [
    (eqm.CoverageError, coverage_error),
    (eqm.LabelRankingAveragePrecision, label_ranking_average_precision_score),
    (eqm.LabelRankingLoss, label_ranking_loss),
]
SCORES = st.sampled_from([-1.0, -0.0, 0.0, 1.0, 2.0, 1e30])


@st.composite
def drawn(draw, labels=4):
    shape = (STEPS, ROWS)
    batch = {
        "logits": draw(arrays(np.float32, (*shape, labels), elements=SCORES)),
        "labels": draw(arrays(np.bool_, (*shape, labels))),
        "weights": draw(arrays(np.float32, shape, elements=weights)),
        "mask": draw(masks()),
    }
    batch["logits"][~taken(batch)] = np.nan
    return batch


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("way", [fold, spread])
def test_scikit_learn_agrees(way, ours, theirs):
    @few
    @given(batch=drawn())
    def check(batch):
        keep = taken(batch)
        x, y, w = (batch[k][keep] for k in ("logits", "labels", "weights"))
        want = theirs(y, x, sample_weight=w.astype(np.float64)) if len(y) else math.nan
        got = way(ours(eqm.Multilabel(4)), batch).compute()
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)

    check()


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_ignored_labels_are_left_out_of_their_rows(ours, theirs):
    logits = jnp.array([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    labels = jnp.array([[1, -1, 0, 1], [0, 1, 0, -1]])
    got = ours(eqm.Multilabel(4, ignore_index=-1))(logits=logits, labels=labels)
    rows = [theirs([[1, 0, 1]], [[4.0, 2.0, 1.0]]), theirs([[0, 1, 0]], [[1.0, 2.0, 3.0]])]
    np.testing.assert_allclose(got, np.mean(rows), rtol=1e-6)


def test_by_hand():
    logits = jnp.array([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]])
    labels = jnp.array([[1, 0, 0], [0, 0, 1]])
    got = [metric(eqm.Multilabel(3))(logits=logits, labels=labels) for metric, _ in PAIRS]
    np.testing.assert_allclose(got, [2.5, (1 / 2 + 1 / 3) / 2, (1 / 2 + 1) / 2], rtol=1e-6)


def test_undefined():
    for metric, _ in PAIRS:
        assert jnp.isnan(metric(eqm.Multilabel(3)).compute())
        assert metric(eqm.Multilabel(3), undefined=0.0).compute() == 0
