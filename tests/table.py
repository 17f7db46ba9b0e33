"""One row for each metric, for the laws and the completeness test. A family with a folder of tests
has a table of its own in `tests/<family>/table.py`, which is added to this one."""

import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import equinox as eqx
import jax
import jax.numpy as jnp

import eqmetrics as eqm

from .draws import (
    BINARY,
    columns,
    drawn as _rows,
    INTERVAL,
    labels,
    logit,
    logits,
    MULTICLASS,
    MULTILABEL,
    numbered,
    of_binary,
    of_multiclass,
    of_multilabel,
    PAIR,
    POSITIVE,
    positive,
    scores,
    share,
    shares,
    SIZES,
    some,
    thirds,
    TIED,
    values,
    VECTORS,
    vectors,
    yes,
    yes_or_no,
)
from .users_sums import MeanSquare


def spread_of(x, y, mask):
    both = jnp.where(mask, x * y, 0)
    return {"least": jnp.min(both), "most": jnp.max(both), "rows": jnp.sum(mask)}


class Evaluation(eqm.Collection):
    accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)
    loss: eqm.Metric = eqx.field(default_factory=lambda: eqm.Average().from_output("loss"))
    loss_std: eqm.Metric = eqx.field(default_factory=lambda: eqm.Std().from_output("loss"))


KEY = jax.random.key(0)
ROWS: dict[str, tuple[eqm.Metric, list[dict]]] = {
    "Sum": (eqm.Sum(), _rows(SIZES, values=values)),
    "Count": (eqm.Count(), _rows(SIZES, values=values)),
    "Average": (eqm.Average(), _rows(SIZES, values=values)),
    "Min": (eqm.Min(), _rows(SIZES, values=values)),
    "Max": (eqm.Max(), _rows(SIZES, values=values)),
    "Std": (eqm.Std(), _rows(SIZES, values=values)),
    "Variance": (eqm.Variance(ddof=1), _rows(SIZES, values=values)),
    "CentredMoments": (eqm.CentredMoments(), _rows(SIZES, values=values)),
    "CrossMoments": (eqm.CrossMoments(2), _rows(SIZES, values=columns)),
    "Covariance": (eqm.Covariance(2), _rows(SIZES, values=columns)),
    "Correlation": (eqm.Correlation(2), _rows(SIZES, values=columns)),
    "Histogram": (eqm.Histogram([-1, 0, 1]), _rows(SIZES, values=values)),
    "Throughput": (eqm.Throughput(), _rows((8, 8, 8), items=positive, seconds=positive)),
    "QuantileSketch": (eqm.QuantileSketch(), _rows(SIZES, values=values)),
    "Quantile": (eqm.Quantile((0.1, 0.8)), _rows(SIZES, values=values)),
    "Median": (eqm.Median(), _rows(SIZES, values=values)),
    "Distinct": (eqm.Distinct(bits=5), _rows(SIZES, ids=labels)),
    "Reservoir": (
        eqm.Reservoir(7, KEY),
        numbered(values=values),
    ),
    "Moments": (eqm.Moments(), _rows(SIZES, values=values)),
    "LastValue": (eqm.LastValue(), _rows((8, 8, 8), values=values)),
    "Accuracy": (eqm.Accuracy(), _rows(SIZES, logits=logits, labels=labels)),
    "Hits": (eqm.Hits(MULTILABEL), of_multilabel()),
    "StatScores": (eqm.StatScores(MULTICLASS), of_multiclass()),
    "ConfusionCounts": (eqm.ConfusionCounts(MULTICLASS), of_multiclass()),
    "ConfusionMatrix": (eqm.ConfusionMatrix(MULTICLASS, normalize="all"), of_multiclass()),
    "Precision": (eqm.Precision(eqm.Multiclass(5, top_k=2)), of_multiclass()),
    "Recall": (eqm.Recall(MULTICLASS, average="weighted"), of_multiclass()),
    "Specificity": (eqm.Specificity(MULTILABEL), of_multilabel()),
    "NegativePredictiveValue": (eqm.NegativePredictiveValue(BINARY), of_binary()),
    "F1": (eqm.F1(MULTICLASS), of_multiclass()),
    "FBeta": (eqm.FBeta(MULTILABEL, beta=0.5, average=None), of_multilabel()),
    "Jaccard": (eqm.Jaccard(eqm.Multiclass(5, ignore_index=2)), of_multiclass()),
    "HammingLoss": (eqm.HammingLoss(BINARY), of_binary()),
    "ExactMatch": (eqm.ExactMatch(MULTILABEL), of_multilabel()),
    "BalancedAccuracy": (eqm.BalancedAccuracy(BINARY), of_binary()),
    "CohenKappa": (eqm.CohenKappa(MULTICLASS, weights="linear"), of_multiclass()),
    "MatthewsCorrelation": (eqm.MatthewsCorrelation(MULTICLASS), of_multiclass()),
    "ClassLikelihoodRatios": (eqm.ClassLikelihoodRatios(BINARY), of_binary()),
    "InformednessMarkedness": (eqm.InformednessMarkedness(BINARY), of_binary()),
    "ClassificationReport": (eqm.ClassificationReport(MULTICLASS), of_multiclass()),
    "scores of one matrix": (
        eqm.MetricDict(
            accuracy=eqm.Accuracy(MULTICLASS),
            f1=eqm.F1(MULTICLASS),
            kappa=eqm.CohenKappa(MULTICLASS),
            confusion=eqm.ConfusionMatrix(MULTICLASS),
        ),
        of_multiclass(),
    ),
    "ScoreHistogram": (
        eqm.ScoreHistogram(eqm.Multiclass(5), resolution=9),
        _rows(SIZES, logits=logits, labels=labels),
    ),
    "ScoreBuffer": (
        eqm.ScoreBuffer(eqm.Multilabel(3), 100),
        _rows(SIZES, probabilities=lambda rng, n: rng.random((n, 3)), labels=yes_or_no(3)),
    ),
    "exact AUROC": (eqm.AUROC(eqm.Multiclass(5), exact=100, average="micro"), of_multiclass()),
    "AUROC of pairs": (
        eqm.AUROC(eqm.Multiclass(5), multi_class="ovo", resolution=9),
        of_multiclass((40, 30, 50)),
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
    "LogLosses": (eqm.LogLosses(eqm.Binary()), _rows(SIZES, logits=logit, labels=yes)),
    "BrierLosses": (eqm.BrierLosses(eqm.Multilabel(5)), _rows(SIZES, logits=logits, labels=some)),
    "LogLoss": (eqm.LogLoss(eqm.Multiclass(5)), _rows(SIZES, logits=logits, labels=labels)),
    "CrossEntropy": (
        eqm.CrossEntropy(eqm.Multiclass(5), smoothing=0.1),
        _rows(SIZES, logits=logits, targets=shares),
    ),
    "Brier": (eqm.Brier(eqm.Multiclass(5)), _rows(SIZES, probabilities=shares, labels=labels)),
    "BrierDecomposition": (
        eqm.BrierDecomposition(eqm.Binary(), exact=100),
        _rows(SIZES, probabilities=share, labels=yes),
    ),
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
    "ConfidenceHistogram": (
        eqm.ConfidenceHistogram(eqm.Binary(), resolution=9),
        _rows(SIZES, probabilities=share, labels=yes),
    ),
    "AdaptiveCalibrationError": (
        eqm.AdaptiveCalibrationError(eqm.Multiclass(5), bins=3, per_class=True, resolution=9),
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
    "MeanSquaredError": (eqm.MeanSquaredError(), _rows(SIZES, **PAIR)),
    "SquaredErrors": (eqm.SquaredErrors(), _rows(SIZES, **PAIR)),
    "RootMeanSquaredError": (
        eqm.RootMeanSquaredError(outputs=2, multioutput="raw_values"),
        _rows(SIZES, predictions=columns, targets=columns),
    ),
    "MeanAbsoluteError": (eqm.MeanAbsoluteError(), _rows(SIZES, **PAIR)),
    "MeanAbsolutePercentageError": (eqm.MeanAbsolutePercentageError(), _rows(SIZES, **PAIR)),
    "SymmetricMAPE": (eqm.SymmetricMAPE(), _rows(SIZES, **PAIR)),
    "WeightedMAPE": (eqm.WeightedMAPE(), _rows(SIZES, **PAIR)),
    "MeanSquaredLogError": (eqm.MeanSquaredLogError(), _rows(SIZES, **POSITIVE)),
    "RootMeanSquaredLogError": (eqm.RootMeanSquaredLogError(), _rows(SIZES, **POSITIVE)),
    "LogCosh": (eqm.LogCosh(), _rows(SIZES, **PAIR)),
    "Huber": (eqm.Huber(), _rows(SIZES, **PAIR)),
    "Pinball": (eqm.Pinball(0.3), _rows(SIZES, **PAIR)),
    "Minkowski": (eqm.Minkowski(3), _rows(SIZES, **PAIR)),
    "MaxError": (eqm.MaxError(), _rows(SIZES, **PAIR)),
    "Tweedie": (eqm.Tweedie(1.5), _rows(SIZES, **POSITIVE)),
    "D2Tweedie": (eqm.D2Tweedie(1.5), _rows(SIZES, **POSITIVE)),
    "OneSidedErrors": (eqm.OneSidedErrors(), _rows(SIZES, **PAIR)),
    "D2Pinball": (eqm.D2Pinball(0.3), _rows(SIZES, **PAIR)),
    "D2AbsoluteError": (eqm.D2AbsoluteError(), _rows(SIZES, **PAIR)),
    "Wasserstein1D": (eqm.Wasserstein1D(), _rows(SIZES, **PAIR)),
    "PairBuffer": (eqm.PairBuffer(80), _rows(SIZES, **PAIR)),
    "Spearman": (eqm.Spearman(80), _rows(SIZES, **TIED)),
    "Kendall": (eqm.Kendall(80), _rows(SIZES, **TIED)),
    "Significance": (eqm.Significance(eqm.Kendall(80)), _rows(SIZES, **TIED)),
    "NormalizedGini": (eqm.NormalizedGini(80), _rows(SIZES, **TIED)),
    "ConcordanceIndex": (eqm.ConcordanceIndex(80), _rows(SIZES, events=yes, **TIED)),
    "PoissonNLL": (eqm.PoissonNLL(), _rows(SIZES, **POSITIVE)),
    "GaussianNLL": (eqm.GaussianNLL(), _rows(SIZES, scales=positive, **PAIR)),
    "CriticalSuccessIndex": (eqm.CriticalSuccessIndex(0.0), _rows(SIZES, **PAIR)),
    "CosineSimilarity": (eqm.CosineSimilarity(), _rows(SIZES, **VECTORS)),
    "KLDivergence": (eqm.KLDivergence(), _rows(SIZES, **VECTORS)),
    "JensenShannon": (eqm.JensenShannon(), _rows(SIZES, **VECTORS)),
    "IntervalCoverage": (eqm.IntervalCoverage(), _rows(SIZES, **INTERVAL)),
    "WinklerScore": (eqm.WinklerScore(0.1), _rows(SIZES, **INTERVAL)),
    "MASE": (eqm.MASE(), _rows(SIZES, naive_errors=positive, **PAIR)),
    "CRPSEnsemble": (eqm.CRPSEnsemble(), _rows(SIZES, samples=vectors, targets=values)),
    "CRPSGaussian": (eqm.CRPSGaussian(), _rows(SIZES, scales=positive, **PAIR)),
    "MedianAbsoluteError": (eqm.MedianAbsoluteError(), _rows(SIZES, **PAIR)),
    "PairMoments": (eqm.PairMoments(), _rows(SIZES, **PAIR)),
    "R2": (eqm.R2(adjusted=1), _rows(SIZES, **PAIR)),
    "ExplainedVariance": (eqm.ExplainedVariance(), _rows(SIZES, **PAIR)),
    "RelativeSquaredError": (eqm.RelativeSquaredError(), _rows(SIZES, **PAIR)),
    "NormalizedRMSE": (eqm.NormalizedRMSE(), _rows(SIZES, **PAIR)),
    "Pearson": (
        eqm.Pearson(outputs=2, multioutput="raw_values"),
        _rows(SIZES, predictions=columns, targets=columns),
    ),
    "Concordance": (eqm.Concordance(), _rows(SIZES, **PAIR)),
    "LimitsOfAgreement": (eqm.LimitsOfAgreement(), _rows(SIZES, **PAIR)),
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
    "ThresholdCurve": (
        eqm.ThresholdCurve(eqm.Binary(), eqm.F1(eqm.Binary()), points=20, resolution=9),
        _rows(SIZES, logits=logit, labels=yes),
    ),
    "BestThreshold": (
        eqm.BestThreshold(eqm.Binary(), eqm.F1(eqm.Binary()), resolution=9),
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
    "PrecisionRecallGain": (
        eqm.PrecisionRecallGain(eqm.Binary(), resolution=9),
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
    "Buffer": (
        eqm.Buffer(100, predictions=jnp.float32, targets=jnp.float32, fn=spread_of),
        _rows(SIZES, **PAIR),
    ),
    "FromOutput": (eqm.Average().from_output("loss"), _rows(SIZES, loss=values)),
    "FromFun": (eqm.Average().from_fun(lambda loss: loss * loss), _rows(SIZES, loss=values)),
    "PerGroup": (
        eqm.PerGroup(eqm.Accuracy(), 3),
        _rows(SIZES, logits=logits, labels=labels, group=thirds),
    ),
    "PerGroup by masks": (eqm.PerGroup(eqm.Max(), 3), _rows(SIZES, values=values, group=thirds)),
    "PerGroup of a dict": (
        eqm.PerGroup(
            eqm.MetricDict(f1=eqm.F1(MULTICLASS), std=eqm.Std().from_output("loss")), 3, worst="min"
        ),
        _rows(SIZES, logits=logits, labels=labels, loss=values, group=thirds),
    ),
    "PerGroup of a user's metric": (
        eqm.PerGroup(MeanSquare(2), 3),
        _rows(SIZES, values=columns, group=thirds),
    ),
    "Bootstrap": (
        eqm.Bootstrap(eqm.Average(), 8, key=KEY, ids=True),
        numbered(values=values),
    ),
    "Bootstrap of PerGroup": (
        eqm.Bootstrap(eqm.PerGroup(eqm.Average(), 3), 8, key=KEY, ids=True),
        numbered(values=values, group=thirds),
    ),
    "PerGroup of Bootstrap": (
        eqm.PerGroup(eqm.Bootstrap(eqm.Accuracy(), 8, key=KEY, ids=True), 3),
        numbered(logits=logits, labels=labels, group=thirds),
    ),
    "Interval": (eqm.Interval(eqm.F1(MULTICLASS)), of_multiclass()),
    "Interval of moments": (eqm.Interval(eqm.R2()), _rows(SIZES, **PAIR)),
    "Interval of clusters": (
        eqm.Interval(eqm.Average(), clusters=3, method="t"),
        _rows(SIZES, values=values, cluster=thirds),
    ),
    "PerGroup of Interval": (
        eqm.PerGroup(eqm.Interval(eqm.Average()), 3),
        _rows(SIZES, values=values, group=thirds),
    ),
    "StandardError": (eqm.StandardError(), _rows(SIZES, values=values)),
    "Windowed": (eqm.Windowed(eqm.Average(), 2), _rows(SIZES, values=values)),
    "Windowed of a dict": (
        eqm.Windowed(
            eqm.MetricDict(
                accuracy=eqm.Accuracy(),
                std=eqm.Std().from_output("loss"),
                newest=eqm.LastValue().from_output("loss"),
            ),
            3,
        ),
        _rows((8, 8, 8), logits=logits, labels=labels, loss=values),
    ),
    "Decayed": (eqm.Decayed(eqm.Average(), half_life=3), _rows(SIZES, values=values)),
    "Decayed of PerGroup": (
        eqm.Decayed(eqm.PerGroup(eqm.Std(), 3), half_life=0.5),
        _rows(SIZES, values=values, group=thirds),
    ),
    "Best": (eqm.Best(eqm.Average(), "min"), _rows(SIZES, values=values)),
    "MultiOutput": (
        eqm.MultiOutput(eqm.MeanSquaredError(), 2),
        _rows(SIZES, predictions=columns, targets=columns),
    ),
    "Compose": (
        eqm.Compose(jnp.divide, eqm.MeanSquaredError(), eqm.MeanAbsoluteError()),
        _rows(SIZES, **PAIR),
    ),
    "Optional": (eqm.Optional(eqm.MeanAbsoluteError()), _rows(SIZES, **PAIR)),
    "RowMean": (eqm.RowMean(eqm.Jaccard(MULTILABEL, average="micro")), of_multilabel()),
    "Classwise": (
        eqm.Classwise(eqm.Recall(MULTICLASS, average=None), list("abcde")),
        of_multiclass(),
    ),
    "GroupFairness": (
        eqm.GroupFairness(2),
        _rows((15, 18, 21), logits=scores(), labels=yes_or_no(), group=yes_or_no()),
    ),
}
# Readouts whose programs take long to compile, of a statistic that has a row of its own: their rows
# run in the session `slow`.
SLOW = {
    "BrierDecomposition",
    "PrecisionRecallGain",
    "ThresholdCurve",
    "BestThreshold",
    "AUROC of pairs",
    "AveragePrecision",
    "Gini",
    "ROC",
    "DET",
    "PrecisionRecallCurve",
    "PartialAUROC",
    "LogAUC",
    "KolmogorovSmirnov",
    "EqualErrorRate",
    "PrecisionAtRecall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "Quantile",
    "Median",
    "MedianAbsoluteError",
    "D2Pinball",
    "D2AbsoluteError",
    "Wasserstein1D",
    "GroupFairness",
    "Bootstrap of PerGroup",
    "PerGroup of Bootstrap",
    "PerGroup of a dict",
    "Interval",
    "Interval of moments",
    "PerGroup of Interval",
    "Windowed of a dict",
    "Decayed of PerGroup",
}
# Additional rows of metrics that have one already.
MORE = {
    "scores of one matrix",
    "exact AUROC",
    "AUROC of pairs",
    "PerGroup by masks",
    "PerGroup of a dict",
    "PerGroup of a user's metric",
    "Bootstrap of PerGroup",
    "PerGroup of Bootstrap",
    "Interval of moments",
    "Interval of clusters",
    "PerGroup of Interval",
    "Windowed of a dict",
    "Decayed of PerGroup",
}
# `Collect` keeps its state on the host, and refuses every transformation; `Sums` is a part of
# metrics, and has no update of its own.
APART = {"Collect", "Sums"}


def families() -> list[ModuleType]:
    """The tables `tests/<family>/table.py`."""
    found = sorted(Path(__file__).parent.glob("*/table.py"))
    return [importlib.import_module(f".{x.parent.name}.table", __package__) for x in found]


def add(tables: Iterable[ModuleType]) -> None:
    """Adds the rows of other tables, which may have their own `SLOW`, `MORE` and `APART`."""
    for table in tables:
        own = vars(table)
        if twice := ROWS.keys() & own["ROWS"].keys():
            raise ValueError(f"{table.__name__}: rows of another table: {', '.join(sorted(twice))}")
        ROWS.update(own["ROWS"])
        for name, known in {"SLOW": SLOW, "MORE": MORE, "APART": APART}.items():
            known.update(own.get(name, ()))


add(families())
