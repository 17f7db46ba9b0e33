"""`StatScores` beside scikit-learn, and every score of counts on 200 random cases a task."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import (
    averaged,
    AVERAGES,
    batches,
    close,
    counts,
    every_average,
    NAN,
    random_batch,
    scikit,
    TASKS,
)
from .oracle import few, fold, spread


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("name", TASKS)
def test_is_scikit_learns(name, way):
    task = TASKS[name]

    @few
    @given(batch=batches(task))
    def check(batch):
        got = eqm.to_host(way(eqm.StatScores(task), batch))
        tn, fp, fn, tp = counts(task, batch).reshape(-1, 4).T
        want = {"tp": tp, "fp": fp, "fn": fn, "tn": tn, "support": tp + fn}
        for key, x in want.items():
            np.testing.assert_allclose(got[key], x, rtol=1e-6, atol=1e-5)

    check()


RATIOS = {
    "Precision": lambda tp, fp, fn, tn: (tp, tp + fp),
    "Recall": lambda tp, fp, fn, tn: (tp, tp + fn),
    "F1": lambda tp, fp, fn, tn: (2 * tp, 2 * tp + fp + fn),
    "Jaccard": lambda tp, fp, fn, tn: (tp, tp + fp + fn),
    "Specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "NegativePredictiveValue": lambda tp, fp, fn, tn: (tn, tn + fn),
}
# Classes and padded rows; each is one compilation for all its cases.
SIZES = [(1, 8), (2, 64), (3, 500), (7, 64), (10, 8), (24, 500), (25, 64), (50, 500)]


def task_of(kind, size):
    kinds = {"multiclass": eqm.Multiclass, "multilabel": eqm.Multilabel}
    return eqm.Binary() if kind == "binary" else kinds[kind](size)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_200_random_cases(kind):
    rng = np.random.default_rng(0)
    undefined = 0
    for size, pad in SIZES:
        # a column of labels is a binary task to scikit-learn
        task = task_of(kind, 4 if kind == "multilabel" and size == 1 else size)
        metrics = eqm.MetricDict(
            {n: every_average(getattr(eqm, n), task) for n in RATIOS}
            | {"accuracy": eqm.Accuracy(task), "hamming": eqm.HammingLoss(task)}
        )
        run = jax.jit(lambda batch, m=metrics: m.update(**batch).compute())
        for _ in range(25):
            batch = random_batch(rng, task, pad, pad)
            got, table = run(batch), counts(task, batch)
            for n, ratio in RATIOS.items():
                for average in AVERAGES:
                    want = averaged(ratio, task, table, average)
                    close(got[n][str(average)], want)
                    undefined += bool(np.all(np.isnan(want)))
            for average in ("micro", "macro", None):
                want = scikit(skl.precision_recall_fscore_support, task, batch, average)
                for n, x in zip(("Precision", "Recall", "F1"), want, strict=False):
                    close(got[n][str(average)], x)
            right, every = table[:, [0, 1], [0, 1]].sum(), table.sum()
            if kind == "multiclass":
                right, every = table[:, 1, 1].sum(), table[:, 1].sum()
            accuracy = right / every if every else NAN
            close(got["accuracy"], accuracy)
            close(got["hamming"], 1 - accuracy)
    assert undefined > 10


# ---- inputs


def test_scores_of_every_kind_say_the_same():
    rng = np.random.default_rng(0)
    for task, shape in ((eqm.Binary(), (6, 4)), (eqm.Multilabel(4), (6, 4))):
        logits = rng.normal(size=shape).astype(np.float32)
        labels = rng.integers(0, 2, shape)
        given = ft.partial(eqm.StatScores(task), labels=labels)
        forms = [
            given(logits=logits),
            given(probabilities=jax.nn.sigmoid(logits)),
            given(predicted_labels=logits > 0),
            given(predicted_labels=(logits > 0).astype(np.uint8)),
        ]
        for form in forms[1:]:
            assert jax.tree.all(jax.tree.map(lambda x, y: (x == y).all(), form, forms[0]))
    for classes in (4, 40):
        logits = rng.normal(size=(2, 9, classes)).astype(np.float32)
        labels = rng.integers(0, classes, (2, 9))
        given = ft.partial(eqm.StatScores(eqm.Multiclass(classes)), labels=labels)
        one = given(logits=logits)
        for other in (
            given(probabilities=jax.nn.softmax(logits)),
            given(predicted_labels=logits.argmax(-1)),
        ):
            assert jax.tree.all(jax.tree.map(lambda x, y: (x == y).all(), one, other))


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_the_threshold_is_a_probability(threshold):
    p = np.array([0.0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0], np.float32)
    labels = np.ones(p.size, int)
    task = eqm.Binary(threshold=threshold)
    positive = eqm.StatScores(task)(probabilities=p, labels=labels)["tp"][0]
    assert positive == (p > np.float32(threshold)).sum()
    inner = (p > 0) & (p < 1) & (p != np.float32(threshold))
    logits = np.log(p[inner] / (1 - p[inner]))
    positive = eqm.StatScores(task)(logits=logits, labels=labels[inner])["tp"][0]
    assert positive == (p[inner] > threshold).sum()


@pytest.mark.parametrize("classes", [4, 30])
def test_top_k(classes):
    rng = np.random.default_rng(0)
    logits = rng.integers(-2, 3, (50, classes)).astype(np.float32)  # with ties
    labels = rng.integers(0, classes, 50)
    # scikit-learn's top_k_accuracy_score breaks ties by the higher index: by hand, then
    order = np.argsort(-logits, axis=1, kind="stable")
    last = np.zeros(3)
    for k in (1, 2, 3, classes):
        task = eqm.Multiclass(classes, top_k=k)
        hit = (order[:, :k] == labels[:, None]).any(1)
        assert abs(eqm.Accuracy(task)(logits=logits, labels=labels) - hit.mean()) < 1e-6
        scores = np.array(
            [
                eqm.Recall(task, average=a)(logits=logits, labels=labels)
                for a in ("micro", "macro", "weighted")
            ]
        )
        assert np.all(scores >= last - 1e-6)
        last = scores
        matrix = eqm.ConfusionMatrix(task)(logits=logits, labels=labels)
        predicted = np.where(hit, labels, order[:, 0])
        want = skl.confusion_matrix(labels, predicted, labels=range(classes))
        np.testing.assert_array_equal(matrix, want)
    np.testing.assert_array_equal(last, 1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32])
def test_labels_of_few_bits_and_300_classes(dtype):
    top = min(np.iinfo(dtype).max, 299)
    y, p = np.array([0, 1, top, top], dtype), np.array([0, 2, top, 299])
    got = eqm.StatScores(eqm.Multiclass(300))(predicted_labels=p, labels=y)
    want = np.zeros(300)
    want[[0, top]] = 1, 1 + (top == 299)
    np.testing.assert_array_equal(got["tp"], want)


@pytest.mark.parametrize(
    "task, bad",
    [
        (eqm.Multiclass(3), dict(labels=[0, -1, 3, 1])),
        (eqm.Multiclass(3), dict(predicted_labels=[0, -1, 3, 1])),
        (eqm.Multiclass(2), dict(probabilities=[[0.5, 0.5], [-1, 2], [np.nan, 1], [0, 1]])),
        (eqm.Multiclass(2), dict(logits=[[0.5, 0.5], [np.nan, 2], [1, np.nan], [-9, 9]])),
        (eqm.Binary(), dict(labels=[0, 2, -1, 1])),
        (eqm.Binary(), dict(probabilities=[0, 1.5, np.nan, 1])),
        (eqm.Binary(), dict(logits=[0, np.nan, np.nan, 1])),
        (eqm.Multilabel(2), dict(labels=[[0, 1], [0, 2], [-1, 2], [1, 1]])),
        (eqm.Multilabel(2), dict(predicted_labels=[[0, 1], [0, 2], [-1, 2], [1, 1]])),
    ],
)
def test_invalid_rows_are_counted(task, bad):
    shape = (4, 2) if isinstance(task, eqm.Multilabel) else (4,)
    batch = {"labels": np.zeros(shape, int)} | {k: np.array(v) for k, v in bad.items()}
    if len(batch) == 1:
        batch["predicted_labels"] = np.zeros(shape, int)
    batch = {k: x.astype(np.float32) if x.dtype == float else x for k, x in batch.items()}
    metrics = eqm.MetricDict(f1=eqm.F1(task), accuracy=eqm.Accuracy(task), all=eqm.Hits(task))
    for m in (metrics, eqm.MetricDict(f1=eqm.F1(task, undefined=0.0))):
        seen = m.update(**batch)
        assert all(np.isnan(x).all() for x in jax.tree.leaves(seen.compute()))
        message = r"f1.* \(F1\).*: 2 invalid row.*valid are labels"
        with pytest.raises(eqm.InvalidDataError, match=message):
            seen.check()
        masked = m.update(**batch, mask=np.array([True, False, False, True]))
        masked.check()
    if isinstance(task, eqm.Multiclass):
        with pytest.raises(eqm.InvalidDataError, match=rf"labels in \[0, {task.classes}\)"):
            metrics.update(**batch).check()


def test_an_ignored_label_is_not_invalid_and_hides_its_score():
    nan = np.float32(np.nan)
    got = eqm.StatScores(eqm.Multilabel(2, ignore_index=-1))(
        logits=np.array([[1, nan], [1, -1]], np.float32), labels=np.array([[1, -1], [0, 0]])
    )
    assert got["tp"].tolist() == [1, 0] and got["fp"].tolist() == [1, 0]
    assert got["tn"].tolist() == [0, 1]
    got = eqm.StatScores(eqm.Binary(ignore_index=-1)).update(
        logits=np.array([nan, 1], np.float32), labels=np.array([-1, 1])
    )
    got.check()
    assert got.compute()["support"].tolist() == [1]


LOGITS, LABELS = np.zeros((4, 3), np.float32), np.zeros(4, int)


@pytest.mark.parametrize(
    "task, batch, message",
    [
        (eqm.Multiclass(3), dict(), "got none of them"),
        (
            eqm.Multiclass(3),
            dict(logits=LOGITS, probabilities=LOGITS),
            r"got `logits` and `probabilities`.*from_output\(probabilities=None\)",
        ),
        (eqm.Multiclass(5), dict(logits=LOGITS), r"`logits` is float32\[4, 3\].*\(4, 5\)"),
        (eqm.Multiclass(3), dict(predicted_labels=LOGITS), "predicted_labels"),
        (eqm.Multiclass(3), dict(predicted_labels=LOGITS > 0), r"expected the shape \(4,\)"),
        (eqm.Multiclass(3, top_k=2), dict(predicted_labels=LABELS), "top_k=2.*Pass `logits`"),
        (eqm.Binary(), dict(logits=LOGITS), r"`logits` is float32\[4, 3\] and `labels`"),
        (eqm.Multilabel(3), dict(logits=LOGITS), r"`labels` is int32\[4\]"),
        (
            eqm.Multiclass(3),
            dict(logits=LOGITS, mask=np.ones(3, bool)),
            r"`mask` is bool\[3\] and `labels` is int32\[4\]",
        ),
    ],
)
def test_what_it_refuses(task, batch, message):
    for metric in (eqm.StatScores(task), eqm.Hits(task), eqm.F1(task)):
        with pytest.raises(Exception, match=f"(?s){message}"):
            metric.update(**batch, labels=LABELS)


def test_a_million_classes_in_100_mb():
    task = eqm.Multiclass(1_000_000)
    scores = {"f1": eqm.F1, "precision": eqm.Precision, "recall": eqm.Recall, "hits": eqm.Accuracy}
    metrics = eqm.MetricDict({name: cls(task) for name, cls in scores.items()})
    assert len(metrics.states) == 1
    y, p = np.arange(8) * 7, np.arange(8) * 7 // 2 * 2
    update = jax.jit(lambda m: m.update(predicted_labels=p, labels=y), donate_argnums=0)
    for call in (update, jax.jit(eqm.compute)):
        memory = call.lower(metrics).compile().memory_analysis()
        if memory is not None:
            used = memory.temp_size_in_bytes + memory.argument_size_in_bytes
            used += memory.output_size_in_bytes - memory.alias_size_in_bytes
            assert used < 100e6, used
    got = eqm.to_host(update(metrics))
    assert got["hits"] == np.mean(y == p) == got["recall"]


def test_cells_are_exact_beyond_what_float32_and_int32_hold():
    task = eqm.Multiclass(2)
    big = eqm.StatScores(task).update(predicted_labels=jnp.array([0, 1]), labels=jnp.array([0, 0]))
    for _ in range(33):
        big = big.merge(big)
    more = big.update(predicted_labels=jnp.array([0, 0]), labels=jnp.array([0, 0]))
    got = eqm.to_host(more)
    assert got["tp"][0] == 2**33 + 2 and got["fn"][0] == 2**33 and got["fp"][1] == 2**33
