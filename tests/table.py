"""One row per metric: the laws and the completeness test read it."""

from collections.abc import Callable

import equinox as eqx
import numpy as np

import eqmetrics as eqm


def _rows(sizes: tuple[int, ...], **make: Callable) -> list[dict]:
    rng = np.random.default_rng(0)
    return [{name: f(rng, n) for name, f in make.items()} for n in sizes]


def values(rng, n):
    return rng.normal(size=n).astype(np.float32)


def logits(rng, n):
    return rng.integers(-3, 3, size=(n, 5)).astype(np.float32)  # with ties


def labels(rng, n):
    return rng.integers(0, 5, size=n).astype(np.int32)


def logit(rng, n):
    return rng.integers(-3, 3, size=n).astype(np.float32)  # with ties


def share(rng, n):
    return rng.random(n).astype(np.float32)


def shares(rng, n):
    x = rng.random((n, 5))
    return (x / x.sum(-1, keepdims=True)).astype(np.float32)


def some(rng, n):
    return rng.random((n, 5)) < 0.5


def yes(rng, n):
    return np.arange(n) % 3 % 2 == 0  # both in each batch


class Evaluation(eqm.Collection):
    accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)
    loss: eqm.Metric = eqx.field(default_factory=lambda: eqm.Average().from_output("loss"))
    loss_std: eqm.Metric = eqx.field(default_factory=lambda: eqm.Std().from_output("loss"))


SIZES = (5, 8, 11)
ROWS: dict[str, tuple[eqm.Metric, list[dict]]] = {
    "Sum": (eqm.Sum(), _rows(SIZES, values=values)),
    "Count": (eqm.Count(), _rows(SIZES, values=values)),
    "Average": (eqm.Average(), _rows(SIZES, values=values)),
    "Min": (eqm.Min(), _rows(SIZES, values=values)),
    "Max": (eqm.Max(), _rows(SIZES, values=values)),
    "Std": (eqm.Std(), _rows(SIZES, values=values)),
    "Variance": (eqm.Variance(ddof=1), _rows(SIZES, values=values)),
    "CentredMoments": (eqm.CentredMoments(), _rows(SIZES, values=values)),
    "LastValue": (eqm.LastValue(), _rows((8, 8, 8), values=values)),
    "Accuracy": (eqm.Accuracy(), _rows(SIZES, logits=logits, labels=labels)),
    "ScoreHistogram": (
        eqm.ScoreHistogram(eqm.Multiclass(5), resolution=9),
        _rows(SIZES, logits=logits, labels=labels),
    ),
    "AUROC": (
        eqm.AUROC(eqm.Binary(), resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "AveragePrecision": (
        eqm.AveragePrecision(eqm.Multiclass(5), resolution=9),
        _rows(SIZES, logits=logits, labels=labels),
    ),
    "ProbabilityLosses": (
        eqm.ProbabilityLosses(eqm.Multilabel(5)),
        _rows(SIZES, logits=logits, labels=some),
    ),
    "LogLoss": (eqm.LogLoss(eqm.Multiclass(5)), _rows(SIZES, logits=logits, labels=labels)),
    "Brier": (eqm.Brier(eqm.Multiclass(5)), _rows(SIZES, probabilities=shares, labels=labels)),
    "NormalizedEntropy": (
        eqm.NormalizedEntropy(eqm.Binary()),
        _rows(SIZES, probabilities=share, labels=yes),
    ),
    "D2LogLoss": (eqm.D2LogLoss(eqm.Binary()), _rows(SIZES, logits=logit, labels=yes)),
    "D2Brier": (eqm.D2Brier(eqm.Binary()), _rows(SIZES, logits=logit, labels=yes)),
    "Hinge": (eqm.Hinge(eqm.Multiclass(5)), _rows(SIZES, logits=logits, labels=labels)),
    "CalibrationBins": (
        eqm.CalibrationBins(eqm.Binary()),
        _rows(SIZES, probabilities=share, labels=yes),
    ),
    "CalibrationError": (
        eqm.CalibrationError(eqm.Multiclass(5), bins=5),
        _rows(SIZES, probabilities=shares, labels=labels),
    ),
    "ReliabilityDiagram": (
        eqm.ReliabilityDiagram(eqm.Multiclass(5), bins=3, per_class=True),
        _rows(SIZES, probabilities=shares, labels=labels),
    ),
    "CoverageError": (
        eqm.CoverageError(eqm.Multilabel(5)),
        _rows(SIZES, logits=logits, labels=some),
    ),
    "LabelRankingAveragePrecision": (
        eqm.LabelRankingAveragePrecision(eqm.Multilabel(5)),
        _rows(SIZES, logits=logits, labels=some),
    ),
    "LabelRankingLoss": (
        eqm.LabelRankingLoss(eqm.Multilabel(5)),
        _rows(SIZES, logits=logits, labels=some),
    ),
    "ROC": (eqm.ROC(eqm.Binary(), resolution=9), _rows(SIZES, logits=logit, labels=yes)),
    "DET": (
        eqm.DET(eqm.Binary(), points=20, resolution=9),
        _rows(SIZES, probabilities=share, labels=yes),
    ),
    "PrecisionRecallCurve": (
        eqm.PrecisionRecallCurve(eqm.Multiclass(5), points=9, resolution=9),
        _rows(SIZES, logits=logits, labels=labels),
    ),
    "PrecisionAtRecall": (
        eqm.PrecisionAtRecall(eqm.Binary(), min_recall=0.5, resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "RecallAtPrecision": (
        eqm.RecallAtPrecision(eqm.Binary(), min_precision=0.4, resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "SensitivityAtSpecificity": (
        eqm.SensitivityAtSpecificity(eqm.Binary(), min_specificity=0.3, resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "SpecificityAtSensitivity": (
        eqm.SpecificityAtSensitivity(eqm.Binary(), min_sensitivity=0.3, resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "EqualErrorRate": (
        eqm.EqualErrorRate(eqm.Binary(), resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "KolmogorovSmirnov": (
        eqm.KolmogorovSmirnov(eqm.Binary(), resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "PartialAUROC": (
        eqm.PartialAUROC(eqm.Binary(), max_fpr=0.5, resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "LogAUC": (
        eqm.LogAUC(eqm.Binary(), min_fpr=0.1, max_fpr=0.5, resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "Gini": (
        eqm.Gini(eqm.Binary(), resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "MetricDict": (
        eqm.MetricDict(
            accuracy=eqm.Accuracy(),
            loss=eqm.Average().from_output("loss"),
            std=eqm.Std().from_output("loss"),
            variance=eqm.Variance().from_output("loss"),
        ),
        _rows(SIZES, logits=logits, labels=labels, loss=values),
    ),
    "Collection": (Evaluation(), _rows(SIZES, logits=logits, labels=labels, loss=values)),
    "Invalid": (eqm.Invalid("x > 0"), _rows(SIZES, invalid=lambda rng, n: rng.random(n) < 0.5)),
    "FromOutput": (eqm.Average().from_output("loss"), _rows(SIZES, loss=values)),
    "FromFun": (eqm.Average().from_fun(lambda loss: loss * loss), _rows(SIZES, loss=values)),
}
# Keeps its state on the host, and says so to every transformation.
APART = {"Collect"}
