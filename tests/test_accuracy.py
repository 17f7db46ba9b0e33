"""`Accuracy` and `Hits` beside scikit-learn's `accuracy_score`."""

import math

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score

import eqmetrics as eqm

from .classification import averaged, batches, close, counts, every_average, kept, TASKS
from .oracle import few, fold, masks, ROWS, spread, STEPS, taken, weights


# Few values, so that ties are common; saturated and infinite scores tie as well.
SCORES = st.sampled_from([-1.0, 0.0, 1.0, 1e30, -1e30, math.inf, -math.inf])


@st.composite
def drawn(draw, classes, first=0, beyond=0):
    """Logits and labels between `first` and `classes - 1 + beyond`."""
    shape = (STEPS, ROWS)
    batch = {
        "logits": draw(arrays(np.float32, (*shape, classes), elements=SCORES)),
        "labels": draw(arrays(np.int8, shape, elements=st.integers(first, classes - 1 + beyond))),
        "weights": draw(arrays(np.float32, shape, elements=weights)),
        "mask": draw(masks()),
    }
    away = ~taken(batch)
    batch["logits"][away], batch["labels"][away] = np.nan, -1
    return batch


def expected(batch):
    keep = taken(batch)
    labels, logits, w = batch["labels"][keep], batch["logits"][keep], batch["weights"][keep]
    if not labels.size:
        return math.nan
    return accuracy_score(labels, logits.argmax(-1), sample_weight=w.astype(np.float64))


# Below and above the number of classes where the algorithm changes.
@pytest.mark.parametrize("classes", [1, 5, 40])
@pytest.mark.parametrize("way", [fold, spread])
def test_accuracy_is_scikit_learns(way, classes):
    @few
    @given(batch=drawn(classes))
    def check(batch):
        got = eqm.to_host(way(eqm.Accuracy(), batch))
        np.testing.assert_allclose(got, expected(batch), rtol=1e-6)

    check()


@pytest.mark.parametrize("classes", [5, 40])
def test_rows_with_labels_out_of_range_are_counted(classes):
    @few
    @given(batch=drawn(classes, first=-1, beyond=1))
    def check(batch):
        labels = batch["labels"][taken(batch)]
        bad = int(((labels < 0) | (labels >= classes)).sum())
        metric = fold(eqm.Accuracy(), batch)
        if bad == 0:
            np.testing.assert_allclose(eqm.to_host(metric), expected(batch), rtol=1e-6)
        else:
            assert jnp.isnan(metric.compute())
            with pytest.raises(eqm.InvalidDataError, match=f"Accuracy.* {bad} invalid row"):
                metric.check()

    check()


@pytest.mark.parametrize("classes", [1, 2, 24, 25, 300, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_any_leading_axes_and_dtype(classes, dtype):
    rng = np.random.default_rng(0)
    logits = rng.integers(-2, 2, size=(3, 4, classes)).astype(dtype)
    labels = rng.integers(0, classes, size=(3, 4)).astype(np.int16)
    labels[0] = logits[0].astype(np.float32).argmax(-1)  # some hits, however many classes
    want = accuracy_score(labels.ravel(), logits.astype(np.float32).argmax(-1).ravel())
    assert abs(eqm.Accuracy()(logits=logits, labels=labels) - want) < 1e-6


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_labels_of_few_bits_and_300_classes(dtype):
    top = min(np.iinfo(dtype).max, 299)
    labels = np.array([0, 1, top, top], dtype)
    logits = np.zeros((4, 300), np.float32)
    logits[np.arange(4), [0, 2, top, 299]] = 1.0
    want = np.mean([True, False, True, top == 299])
    assert eqm.Accuracy()(logits=logits, labels=labels) == want


@pytest.mark.parametrize("classes", [3, 30])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_nan_score_is_invalid_wherever_it_is(classes, place):
    logits = jnp.zeros((2, classes)).at[0, place].set(jnp.nan)
    metric = eqm.Accuracy(undefined=0.0).update(logits=logits, labels=jnp.array([1, 0]))
    assert jnp.isnan(metric.compute())
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*labels in \[0, classes\)"):
        metric.check()


def test_by_hand():
    logits = jnp.array([[-1.0, 1.0], [1.0, -1.0]])
    assert eqm.Accuracy()(logits=logits, labels=jnp.array([0, 0])) == 0.5
    # ties go to the lower class
    assert eqm.Accuracy()(logits=jnp.zeros((2, 3)), labels=jnp.array([0, 2])) == 0.5
    assert eqm.Accuracy()(logits=jnp.array([0.1, 0.9]), labels=1) == 1.0
    weighted = eqm.Accuracy()(
        logits=logits, labels=jnp.array([0, 0]), weights=jnp.array([1.0, 3.0])
    )
    assert weighted == 0.75


@pytest.mark.parametrize("name", TASKS)
def test_averages_are_their_definitions(name):
    task = TASKS[name]
    averages = ("macro", "weighted", None)
    metrics = eqm.MetricDict(
        micro=eqm.Accuracy(task), each=every_average(eqm.Accuracy, task, averages)
    )

    def ratio(tp, fp, fn, tn):
        one = isinstance(task, eqm.Multiclass)
        return (tp, tp + fn) if one else (tp + tn, tp + fp + fn + tn)

    @few
    @given(batch=batches(task))
    def check(batch):
        got, table = fold(metrics, batch).compute(), counts(task, batch)
        for average in averages:
            close(got["each"][str(average)], averaged(ratio, task, table, average))
        y, p, w = kept(task, batch)
        if y.ndim > 1:  # scikit-learn's is of whole rows
            y, p, w = y.ravel(), p.ravel(), np.repeat(w, y.shape[1])
        close(got["micro"], accuracy_score(y, p, sample_weight=w) if len(y) else math.nan)

    check()


def test_a_label_beyond_32_bits_is_invalid_with_64_bit_types():
    with jax.enable_x64(True):
        labels = jnp.array([2**32, 1], jnp.int64)
        for task in (None, eqm.Multiclass(3)):
            for p in (dict(logits=jnp.eye(3)[:2]), dict(predicted_labels=jnp.array([0, 1]))):
                seen = eqm.Accuracy(task).update(labels=labels, **p)
                assert jnp.isnan(seen.compute()), (task, p)
    with pytest.raises(ValueError, match="don't fit int32"):
        eqm.Accuracy().update(labels=np.array([2**32, 1]), predicted_labels=np.array([0, 1]))


def test_without_a_task():
    y, p = jnp.array([3, 900, 2]), jnp.array([3, 900, 5])
    np.testing.assert_allclose(eqm.Accuracy()(predicted_labels=p, labels=y), 2 / 3, rtol=1e-6)
    with pytest.raises(ValueError, match=r"eqm.Accuracy\(eqm.Multiclass\(num_classes\)"):
        eqm.Accuracy(average="macro")


def test_the_numbers_of_clus_notebook():
    logits = jnp.array([[-1.0, 1.0], [1.0, -1.0]])
    one = eqm.Accuracy.from_model_output(logits=logits, labels=jnp.array([0, 0]))
    two = eqm.Accuracy.from_model_output(logits=logits, labels=jnp.array([1, 0]))
    assert one.merge(two).compute() == 0.75


def test_undefined():
    assert jnp.isnan(eqm.Accuracy().compute())
    assert eqm.Accuracy(undefined=0.0).compute() == 0.0
    empty = eqm.Accuracy()(logits=jnp.zeros((0, 3)), labels=jnp.zeros(0, jnp.int32))
    assert jnp.isnan(empty)
    with pytest.raises(TypeError, match="no classes"):
        eqm.Accuracy().update(logits=jnp.zeros((2, 0)), labels=jnp.zeros(2, jnp.int32))


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_an_ignored_row_has_no_weight(weight):
    metric = eqm.Accuracy(eqm.Multiclass(3, ignore_index=0))
    predicted, labels = jnp.array([1, 2, 1]), jnp.array([1, 2, 0])
    weights = jnp.full(3, weight)
    assert metric(predicted_labels=predicted, labels=labels, weights=weights) == 1
