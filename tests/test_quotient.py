"""Rates that are met exactly: quotients of equal counts are 1, and a rate is reached by counts."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._reduction.pair import from_integer, lift, share_reaches
from eqmetrics._rows.nearest_quotient import corrected, quotient


MOST = 200


def test_a_quotient_is_the_nearest_float():
    divide = jax.jit(lambda counts, n: (quotient(counts, n), quotient(counts, n[None])))
    counts = np.arange(MOST + 1, dtype=np.float32)
    for n in range(1, MOST + 1):
        for got in divide(counts, jnp.float32(n)):
            np.testing.assert_array_equal(got, counts / np.float32(n))


@pytest.mark.parametrize("off", [-2, -1, 1, 2])
def test_what_a_gpu_divides_is_corrected(off):
    rng = np.random.default_rng(0)
    top, bottom = rng.integers(1, 2**24, (2, 10**5)).astype(np.float32)
    top[:1000] = bottom[:1000]
    right = top / bottom
    found = (right.view(np.int32) + np.int32(off)).view(np.float32)
    got = np.asarray(jax.jit(corrected)(found, top, bottom))
    assert np.sum(got != right) <= 1 and np.all(got[:1000] == 1)
    limits = corrected(*jnp.array([[jnp.inf, 0, jnp.nan], [jnp.inf, 0, jnp.nan], [2.0, 3.0, 4.0]]))
    np.testing.assert_array_equal(limits, np.array([np.inf, 0, np.nan], np.float32))


def test_nothing_of_nothing_is_no_nan():
    with jax.debug_nans(True):
        assert quotient(jnp.zeros(2), jnp.array([0.0, 1.0])).tolist() == [0, 0]
    assert jnp.isnan(quotient(jnp.array([jnp.nan, 1.0]), jnp.array([1.0, jnp.nan]))).all()


@pytest.mark.parametrize("scale", [1, 2**30 - 35])
@pytest.mark.parametrize("rate", [0.1, 0.3, 1 / 3, 0.8, 0.95, 1.0])
def test_a_rate_is_reached_by_counts(rate, scale):
    whole = np.arange(1, MOST + 1, dtype=np.int32) * (scale // MOST or 1)
    wanted = np.array([-(-n * round(rate * 6000) // 6000) for n in whole.tolist()], np.int32)
    for part, enough in ((wanted, True), (wanted - 1, False)):
        got = share_reaches(from_integer(jnp.asarray(part)), rate, from_integer(jnp.asarray(whole)))
        assert np.all(np.asarray(got) == enough)


def test_a_rate_is_reached_by_weights():
    each = np.float32(0.1)
    part, whole = (
        jnp.stack([jnp.float32(high), jnp.float32(n * float(each) - float(high))])
        for n in (20, 25)
        for high in [np.float32(n * float(each))]
    )
    assert share_reaches(part, 0.8, whole) and not share_reaches(part, 0.8 + 1e-9, whole)
    assert share_reaches(lift(jnp.zeros(())), 0.8, lift(jnp.zeros(())))


BINARY, LABELS, CLASSES = eqm.Binary(), eqm.Multilabel(3), eqm.Multiclass(3)
# What is 1 if all is right, and 0 if all is wrong.
SHARES = {
    "Accuracy": eqm.Accuracy(BINARY),
    "Precision": eqm.Precision(BINARY),
    "Recall": eqm.Recall(BINARY),
    "Specificity": eqm.Specificity(BINARY),
    "NegativePredictiveValue": eqm.NegativePredictiveValue(BINARY),
    "F1": eqm.F1(BINARY),
    "Jaccard": eqm.Jaccard(BINARY),
    "BalancedAccuracy": eqm.BalancedAccuracy(BINARY),
    "report": eqm.ClassificationReport(BINARY),
    "shares of all": eqm.ConfusionMatrix(BINARY, normalize="true"),
    "AUROC": eqm.AUROC(BINARY, exact=2 * MOST),
    "AveragePrecision": eqm.AveragePrecision(BINARY, exact=2 * MOST),
    "PartialAUROC": eqm.PartialAUROC(BINARY, max_fpr=0.3, exact=2 * MOST),
    "LogAUC": eqm.LogAUC(BINARY, exact=2 * MOST),
    "KolmogorovSmirnov": eqm.KolmogorovSmirnov(BINARY, exact=2 * MOST),
    "EqualErrorRate": eqm.EqualErrorRate(BINARY, exact=2 * MOST),
    "ROC": eqm.ROC(BINARY, exact=2 * MOST),
    "DET": eqm.DET(BINARY, exact=2 * MOST),
    "CalibrationError": eqm.CalibrationError(BINARY),
    "HammingLoss": eqm.HammingLoss(BINARY),
}


def test_what_is_all_right_or_all_wrong_is_1_or_0():
    """With any number of positives, and another one of negatives."""

    @jax.jit
    def read(right, positives, negatives):
        rows = jnp.arange(2 * MOST, dtype=jnp.int32)
        labels, mask = rows < positives, rows < positives + negatives
        logits = jnp.where(labels == right, 1, -1) * 2.0**100
        return eqm.MetricDict(SHARES)(logits=logits, labels=labels, mask=mask)

    rng = np.random.default_rng(0)
    for positives in range(1, MOST + 1):
        negatives = rng.integers(1, MOST + 1)
        for right in (1, 0):
            got = dict(read(bool(right), positives, negatives))
            np.testing.assert_array_equal(got.pop("HammingLoss"), 1 - right)
            np.testing.assert_array_equal(got.pop("EqualErrorRate"), 1 - right)
            np.testing.assert_array_equal(got.pop("CalibrationError"), 1 - right)
            np.testing.assert_array_equal(got.pop("KolmogorovSmirnov"), 1)
            np.testing.assert_array_equal(
                got.pop("shares of all"), np.eye(2)[:: 1 if right else -1]
            )
            report = got.pop("report")
            np.testing.assert_array_equal(report.accuracy, right)
            for scores in (report.classes, *report.averages.values()):
                for name in ("precision", "recall", "f1"):
                    np.testing.assert_array_equal(scores[name], right, name)
            roc, det = got.pop("ROC"), got.pop("DET")
            assert roc["tpr"][-1] == roc["fpr"][-1] == det["fpr"][-1] == det["fnr"][0] == 1
            assert roc["tpr"].max() == roc["fpr"].max() == 1 and det["fnr"][-1] == 0
            if not right:
                worst = {n: got.pop(n) for n in ("AveragePrecision", "PartialAUROC")}
                assert 0 < worst["AveragePrecision"] < 1 and worst["PartialAUROC"] < 0.5
            for name, x in got.items():
                np.testing.assert_array_equal(x, right, f"{name} of {positives}")


def test_what_is_alike_in_all_columns():
    """Several values over one weight."""
    metrics = eqm.MetricDict(
        coverage=eqm.IntervalCoverage(outputs=3, multioutput="raw_values"),
        average=eqm.Average(3).from_output("targets"),
        shares=eqm.ConfusionMatrix(CLASSES, normalize="all"),
    )

    @ft.partial(jax.jit, static_argnames="inside")
    def read(rows, inside):
        mask = jnp.arange(MOST, dtype=jnp.int32) < rows
        x = jnp.ones((MOST, 3))
        labels = jnp.ones(MOST, jnp.int32)
        return metrics(
            lower=x if inside else x + 1,
            upper=x + 1,
            targets=x,
            predicted_labels=labels,
            labels=labels,
            mask=mask,
        )

    for rows in range(1, MOST + 1):
        for inside in (True, False):
            got = read(rows, inside)
            assert got["coverage"].tolist() == [inside] * 3 and got["average"].tolist() == [1] * 3
            assert got["shares"][1, 1] == 1


def test_one_class_alone_has_no_entropy():
    """Its share is 1, and so the relative scores are undefined, not huge."""
    names = "NormalizedEntropy", "D2LogLoss", "D2Brier"
    for task, shape in ((CLASSES, (MOST, 3)), (LABELS, (MOST, 3)), (BINARY, (MOST,))):
        metrics = eqm.MetricDict({name: getattr(eqm, name)(task) for name in names})
        labels = np.ones(shape[:1] if task is CLASSES else shape, np.int32)

        @jax.jit
        def read(rows, metrics=metrics, labels=labels, shape=shape):
            mask = jnp.arange(MOST, dtype=jnp.int32) < rows
            return metrics(probabilities=jnp.full(shape, 0.25), labels=labels, mask=mask)

        for rows in range(1, MOST + 1):
            assert all(jnp.isnan(x) for x in read(rows).values())
