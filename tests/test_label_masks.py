"""A mask of the shape of multilabel labels removes single ones, as `ignore_index` does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm

from .classification import batches
from .oracle import few, fold, ROWS, STEPS


def every(task):
    return eqm.MetricDict(
        f1=eqm.F1(task),
        match=eqm.ExactMatch(task),
        loss=eqm.LogLoss(task, average=None),
        ranking=eqm.LabelRankingLoss(task),
        scores=eqm.ScoreBuffer(task, 24),
    )


MASKED, MARKED = every(eqm.Multilabel(3)), every(eqm.Multilabel(3, ignore_index=-1))


@jax.jit
def read(metrics):
    return metrics.compute()


@few
@given(batch=batches(eqm.Multilabel(3)), entries=arrays(np.bool_, (STEPS, ROWS, 3)))
def test_it_is_removal(batch, entries):
    batch["logits"] = np.clip(batch["logits"], -3.0, 3.0)
    keep = entries & batch["mask"][..., None]
    marked = batch | {"labels": np.where(keep, batch["labels"], -1).astype(np.int8)}
    # what a masked entry holds, NaN too, leaves no trace
    logits = np.where(keep, batch["logits"], np.float32(np.nan))
    got = read(fold(MASKED, batch | {"mask": keep, "logits": logits}))
    want = read(fold(MARKED, marked))
    jax.tree.map(np.testing.assert_array_equal, got, want)


def test_by_hand():
    p, y = jnp.array([[1, 1], [0, 1]]), jnp.array([[1, 0], [0, 1]])
    mask = jnp.array([[True, False], [True, True]])
    assert eqm.ExactMatch(eqm.Multilabel(2))(predicted_labels=p, labels=y, mask=mask) == 1
    with pytest.raises(TypeError, match="`mask` is .* a mask has the shape"):
        eqm.F1(eqm.Multilabel(2))(predicted_labels=p, labels=y, mask=mask[:, :1])
    with pytest.raises(TypeError, match="To give each entry of a row its own weights"):
        eqm.F1(eqm.Multilabel(2))(predicted_labels=p, labels=y, weights=jnp.ones((2, 2)))
