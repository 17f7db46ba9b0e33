"""`ScoreBuffer`, and the readouts that are built with `exact=`, beside scikit-learn."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

import eqmetrics as eqm

from .oracle import few, fold, ROWS, spread, STEPS
from .scores import drawn_of, kept, KINDS, read, scored


CAPACITY = STEPS * ROWS


def area(scores, labels, weights):
    if np.unique(labels).size < 2:
        return math.nan
    return roc_auc_score(labels, scores, sample_weight=weights)


def precision(scores, labels, weights):
    return (
        average_precision_score(labels, scores, sample_weight=weights) if any(labels) else math.nan
    )


SCORES = [(eqm.AUROC, area), (eqm.AveragePrecision, precision)]


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("way", [fold, spread])
def test_rows_with_ties(way, weighted):
    @few
    @given(batch=scored())
    def check(batch):
        if not weighted:
            batch["mask"] &= batch.pop("weights") > 0
            batch["weights"] = batch["mask"].astype(np.float32)
        scores = kept(batch, "logits")
        batch = batch if weighted else {k: v for k, v in batch.items() if k != "weights"}
        for cls, oracle in SCORES:
            got, (low, high) = read(way(cls(eqm.Binary(), exact=CAPACITY), batch))
            want = oracle(*scores)
            np.testing.assert_allclose(got, want, atol=1e-6)
            assert math.isnan(want) or (low <= want + 1e-9 and want - 1e-9 <= high <= low + 2e-6)

    check()


seen = jax.jit(lambda metric, batch: read(metric.update(**batch)))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_any_range(kind):
    rows = 1000
    for seed in range(10):
        name, scores, labels = drawn_of(kind, rows, seed)
        weights = np.random.default_rng(seed).gamma(1.0, size=rows).astype(np.float32)
        plain, finite = (
            {name: scores, "labels": labels},
            np.clip(scores.astype(float), -1e300, 1e300),
        )
        for cls, oracle in SCORES:
            metric = cls(eqm.Binary(), exact=rows + 7)
            got = seen(metric, plain)[0]
            np.testing.assert_allclose(got, oracle(finite, labels, None), atol=1e-6)
            got = seen(metric, plain | {"weights": weights})[0]
            np.testing.assert_allclose(got, oracle(finite, labels, weights), atol=1e-6)


@few
@given(batch=scored("probabilities", classes=3))
def test_classes(batch):
    scores, labels, weights = kept(batch, "probabilities")
    each = np.eye(3)[labels]
    for cls, oracle in SCORES:
        metric = fold(cls(eqm.Multiclass(3), average=None, exact=CAPACITY), batch)
        want = [oracle(scores[:, c], each[:, c], weights) for c in range(3)]
        np.testing.assert_allclose(read(metric)[0], want, atol=1e-6)
        whole = fold(cls(eqm.Multiclass(3), average="micro", exact=CAPACITY), batch)
        want = oracle(scores.ravel(), each.ravel(), np.repeat(weights, 3))
        np.testing.assert_allclose(read(whole)[0], want, atol=1e-6)


def test_entries_that_are_left_out():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (50, 3)).astype(np.float32) / 10
    labels, weights = rng.integers(0, 3, (50, 3)), rng.integers(1, 4, 50).astype(np.float32)
    known = labels < 2
    each = np.broadcast_to(weights[:, None], known.shape)
    task = eqm.Multilabel(3, ignore_index=2)
    for cls, oracle in SCORES:
        want = oracle(scores[known], labels[known], each[known])
        for options in (dict(exact=60), dict(resolution=9)):
            metric = cls(task, average="micro", **options)
            got = metric(probabilities=scores, labels=labels, weights=weights)
            np.testing.assert_allclose(got, want, atol=1e-6)


def test_by_hand():
    logits = jnp.array([0.0, -0.0, 1e-30, -1e-40, -jnp.inf, 3e38])
    labels = jnp.array([0, 1, 1, 0, 1, 0])
    buffer = eqm.ScoreBuffer(eqm.Binary(), 8).update(logits=logits, labels=labels)
    (cells,) = buffer.layouts()
    assert cells.positives[0].tolist() == [[1, 0, 0, 1, 1, 0, 0, 0]]  # of a tie at its end
    assert cells.negatives[0].tolist() == [[0, 1, 0, 1, 0, 1, 0, 0]]
    # pairs in order: 0 of the lowest, 1.5 of 0, 2 of 1e-30
    auroc = eqm.AUROC(eqm.Binary(), exact=6)(logits=logits, labels=labels)
    np.testing.assert_allclose(auroc, 3.5 / 9, rtol=1e-6)


def test_more_rows_than_there_is_room_for():
    metric = eqm.AUROC(eqm.Binary(), exact=3)
    metric = metric.update(logits=jnp.arange(3.0), labels=jnp.array([0, 1, 1]))
    assert metric.compute() == 1
    more = metric.merge(metric)
    assert jnp.isnan(more.compute()) and jnp.isnan(jnp.stack(more.bounds())).all()
    with pytest.raises(eqm.InvalidDataError, match=r"AUROC\): 3 row.*capacity=6"):
        more.check()
    with pytest.raises(ValueError, match="leave out `resolution`"):
        eqm.AUROC(eqm.Binary(), exact=3, resolution=9)
    bad = metric.update(logits=jnp.full(1, jnp.nan), labels=jnp.ones(1, jnp.int32))
    with pytest.raises(eqm.InvalidDataError, match="AUROC: 1 invalid row"):
        bad.check()
    probabilities = eqm.AUROC(eqm.Binary(), exact=5).update(
        probabilities=jnp.array([0.0, 1.0]), labels=jnp.array([0, 1])
    )
    both = probabilities.update(logits=jnp.array([0.0, 1.0]), labels=jnp.array([0, 1]))
    assert probabilities.compute() == 1 and jnp.isnan(both.compute())


def test_all_readouts():
    name, scores, labels = drawn_of("integers", 200, 0)
    rows, task = {name: scores, "labels": labels}, eqm.Binary()
    curve = eqm.ROC(task, exact=200)(**rows)
    fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    found = np.unique(np.stack([curve[k] for k in ("thresholds", "fpr", "tpr")]), axis=1)
    want = np.stack([thresholds, fpr, tpr])[:, ::-1]
    np.testing.assert_allclose(found, want, rtol=1e-6)
    metrics = eqm.MetricDict(
        gini=eqm.Gini(task, exact=200),
        auroc=eqm.AUROC(task, exact=200),
        partial=eqm.PartialAUROC(task, max_fpr=1.0, standardized=False, exact=200),
        ks=eqm.KolmogorovSmirnov(task, exact=200),
        eer=eqm.EqualErrorRate(task, exact=200),
        recall=eqm.RecallAtPrecision(task, min_precision=0.01, exact=200),
        curve=eqm.PrecisionRecallCurve(task, points=5, exact=200),
    )
    assert len(metrics.states) == 1
    values = eqm.to_host(metrics.update(**rows))
    np.testing.assert_allclose(values["gini"], 2 * values["auroc"] - 1, atol=1e-6)
    np.testing.assert_allclose(values["partial"], values["auroc"], atol=1e-6)
    np.testing.assert_allclose(values["ks"], np.max(tpr - fpr), atol=1e-6)
    assert values["recall"]["value"] == 1 and 0 < values["eer"] < 0.5
