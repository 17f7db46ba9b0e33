"""`RowMean` beside scikit-learn's `average="samples"`, and the mean of what `per_row` gives."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, close, kept, scikit, TASKS
from .oracle import few, fold


TASK = TASKS["multilabel"]
SCORES = {
    "precision": (eqm.Precision, skl.precision_score),
    "recall": (eqm.Recall, skl.recall_score),
    "f1": (eqm.F1, skl.f1_score),
}
METRICS = eqm.MetricDict(
    {n: eqm.RowMean(cls(TASK, average="micro"), empty="zero") for n, (cls, _) in SCORES.items()}
    | {
        "jaccard": eqm.RowMean(eqm.Jaccard(TASK, average="micro")),
        "area": eqm.RowMean(eqm.AUROC(TASK, average="micro", exact=1)),
        "pooled": eqm.F1(TASK, average="micro"),
    }
)


@jax.jit
def read(metrics):
    return metrics.compute()


@few
@given(batch=batches(TASK))
def test_is_scikit_learns_average_over_samples(batch):
    batch["logits"] = np.clip(batch["logits"], -2.0, 2.0)
    got = jax.device_get(read(fold(METRICS, batch)))
    y, p, w = kept(TASK, batch)
    if not len(y):
        assert all(np.isnan(x) for x in got.values())
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (_, fn) in SCORES.items():
            want = fn(y, p, average="samples", sample_weight=w, zero_division=0)
            close(got[name], want)
        pooled = scikit(skl.f1_score, TASK, batch, "micro")
        close(got["pooled"], pooled)
    some = (y | p).any(-1)
    with np.errstate(all="ignore"):
        each = np.where(some, (y & p).sum(-1) / (y | p).sum(-1), 0)
        close(got["jaccard"], (w * some) @ each / (w @ some))
    keep = batch["mask"] & (batch["weights"] > 0)
    x, mixed = batch["logits"][keep], np.asarray(y.any(-1) & ~y.all(-1))
    area = np.array([skl.roc_auc_score(y[i], x[i]) if mixed[i] else 0 for i in range(len(y))])
    with np.errstate(all="ignore"):
        close(got["area"], (w * mixed) @ area / (w @ mixed))


def test_images_of_a_batch():
    # each image is a batch of pixels of its own: torchmetrics' `multidim_average="samplewise"`
    task = eqm.Multiclass(2)
    labels = jnp.array([[[0, 1], [1, 1]], [[0, 0], [0, 0]]])
    said = jnp.array([[[0, 1], [1, 0]], [[0, 0], [0, 0]]])
    mean = eqm.RowMean(eqm.Jaccard(task))
    each = eqm.Jaccard(task).per_row(predicted_labels=said, labels=labels)
    assert mean(predicted_labels=said, labels=labels) == each.mean() == (7 / 12 + 1) / 2
    mask = jnp.array([[[True, True], [True, False]], [[False] * 2] * 2])
    seen = {"predicted_labels": said, "labels": labels}
    assert mean(**seen, mask=mask) == 1  # the wrong pixel isn't there, nor the second image
    by_class = eqm.RowMean(eqm.Recall(task, average=None))
    assert by_class(**seen).tolist() == [1, jnp.float32(2 / 3)]


def test_invalid_rows_are_counted():
    mean = eqm.RowMean(eqm.F1(eqm.Multilabel(2)))
    labels = jnp.array([[0, 1], [5, 1], [1, 1]])
    seen = mean.update(predicted_labels=jnp.ones((3, 2), int), labels=labels)
    assert jnp.isnan(seen.compute())
    with pytest.raises(eqm.InvalidDataError, match=r"RowMean.*: 1 invalid row"):
        seen.check()


def test_undefined():
    assert jnp.isnan(eqm.RowMean(eqm.F1(eqm.Binary())).compute())
    assert eqm.RowMean(eqm.F1(eqm.Binary()), undefined=0.0).compute() == 0
    with pytest.raises(TypeError, match="`RowMean` is of one array"):
        eqm.RowMean(eqm.StatScores(eqm.Binary()))
    with pytest.raises(ValueError, match="`empty` is 'none'"):
        eqm.RowMean(eqm.Average(), empty="none")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="`values` is .*expected a first axis of rows"):
        eqm.RowMean(eqm.Average()).update(values=1.0)
