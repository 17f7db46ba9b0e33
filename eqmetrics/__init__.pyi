# Every public name, grouped by file. Type checkers read this page, and `_lazy.py` imports by it.

# The shelves: public subpackages.
from . import (
    audio as audio,
    clustering as clustering,
    detection as detection,
    fields as fields,
    generative as generative,
    image as image,
    pairwise as pairwise,
    plot as plot,
    ranking as ranking,
    rl as rl,
    segmentation as segmentation,
    shape as shape,
    testing as testing,
    text as text,
    training as training,
    uncertainty as uncertainty,
)
from ._aggregate.average import Average as Average
from ._aggregate.covariance import (
    Correlation as Correlation,
    Covariance as Covariance,
    CrossMoments as CrossMoments,
)
from ._aggregate.distinct import Distinct as Distinct
from ._aggregate.extrema import Max as Max, Min as Min
from ._aggregate.higher_moments import Moments as Moments
from ._aggregate.histogram import Histogram as Histogram
from ._aggregate.last_value import LastValue as LastValue
from ._aggregate.moments import CentredMoments as CentredMoments
from ._aggregate.quantile import Median as Median, Quantile as Quantile
from ._aggregate.quantile_sketch import QuantileSketch as QuantileSketch
from ._aggregate.reservoir import Reservoir as Reservoir, Sample as Sample
from ._aggregate.std import Std as Std, Variance as Variance
from ._aggregate.sum import Count as Count, Sum as Sum
from ._aggregate.throughput import Throughput as Throughput
from ._collection.collection import Collection as Collection
from ._collection.metric_dict import MetricDict as MetricDict
from ._curves.auroc import AUROC as AUROC
from ._curves.average_precision import AveragePrecision as AveragePrecision
from ._curves.gini import Gini as Gini
from ._curves.operating_points import (
    PrecisionAtRecall as PrecisionAtRecall,
    RecallAtPrecision as RecallAtPrecision,
    SensitivityAtSpecificity as SensitivityAtSpecificity,
    SpecificityAtSensitivity as SpecificityAtSensitivity,
)
from ._curves.partial_area import LogAUC as LogAUC, PartialAUROC as PartialAUROC
from ._curves.precision_gain import PrecisionRecallGain as PrecisionRecallGain
from ._curves.precision_recall_curve import (
    PrecisionRecallCurve as PrecisionRecallCurve,
)
from ._curves.roc import DET as DET, ROC as ROC
from ._curves.roc_scores import (
    EqualErrorRate as EqualErrorRate,
    KolmogorovSmirnov as KolmogorovSmirnov,
)
from ._curves.score_buffer import ScoreBuffer as ScoreBuffer
from ._curves.score_histogram import ScoreHistogram as ScoreHistogram
from ._curves.threshold_curve import (
    BestThreshold as BestThreshold,
    ThresholdCurve as ThresholdCurve,
)
from ._decisions.accuracy import Accuracy as Accuracy, Hits as Hits
from ._decisions.agreement import (
    CohenKappa as CohenKappa,
    MatthewsCorrelation as MatthewsCorrelation,
)
from ._decisions.balanced_accuracy import BalancedAccuracy as BalancedAccuracy
from ._decisions.classification_report import (
    ClassificationReport as ClassificationReport,
    Report as Report,
)
from ._decisions.confusion_counts import ConfusionCounts as ConfusionCounts
from ._decisions.confusion_matrix import ConfusionMatrix as ConfusionMatrix
from ._decisions.exact_match import ExactMatch as ExactMatch
from ._decisions.f_score import F1 as F1, FBeta as FBeta
from ._decisions.group_fairness import GroupFairness as GroupFairness
from ._decisions.hamming_loss import HammingLoss as HammingLoss
from ._decisions.hinge import Hinge as Hinge
from ._decisions.jaccard import Jaccard as Jaccard
from ._decisions.label_ranking import (
    CoverageError as CoverageError,
    LabelRankingAveragePrecision as LabelRankingAveragePrecision,
    LabelRankingLoss as LabelRankingLoss,
)
from ._decisions.likelihood_ratios import (
    ClassLikelihoodRatios as ClassLikelihoodRatios,
    InformednessMarkedness as InformednessMarkedness,
)
from ._decisions.precision_recall import Precision as Precision, Recall as Recall
from ._decisions.specificity import (
    NegativePredictiveValue as NegativePredictiveValue,
    Specificity as Specificity,
)
from ._decisions.stat_scores import Counts as Counts, StatScores as StatScores
from ._decisions.task import (
    AbstractTask as AbstractTask,
    Binary as Binary,
    Multiclass as Multiclass,
    Multilabel as Multilabel,
)
from ._host.collect import Collect as Collect
from ._host.loop import (
    evaluate as evaluate,
    EvaluationError as EvaluationError,
    pad_batch as pad_batch,
)
from ._host.processes import process_all_reduce as process_all_reduce
from ._host.save import load as load, save as save
from ._host.to_host import to_host as to_host
from ._metric.bounds import AbstractBounded as AbstractBounded, bounds as bounds
from ._metric.field import constant as constant, stacked as stacked, state as state
from ._metric.invalid import Invalid as Invalid, InvalidDataError as InvalidDataError
from ._metric.metric import (
    AbstractExact as AbstractExact,
    AbstractWrapper as AbstractWrapper,
    Metric as Metric,
)
from ._metric.readout import (
    AbstractPartialStatistic as AbstractPartialStatistic,
    AbstractReadout as AbstractReadout,
    AbstractStatistic as AbstractStatistic,
)
from ._onepass.sums import Sums as Sums
from ._probabilities.adaptive_calibration import (
    AdaptiveCalibrationError as AdaptiveCalibrationError,
    ConfidenceHistogram as ConfidenceHistogram,
)
from ._probabilities.brier_decomposition import BrierDecomposition as BrierDecomposition
from ._probabilities.calibration_bins import CalibrationBins as CalibrationBins
from ._probabilities.calibration_error import (
    CalibrationError as CalibrationError,
    ReliabilityDiagram as ReliabilityDiagram,
)
from ._probabilities.cross_entropy import CrossEntropy as CrossEntropy
from ._probabilities.probability_losses import (
    BrierLosses as BrierLosses,
    LogLosses as LogLosses,
    ProbabilityLosses as ProbabilityLosses,
)
from ._probabilities.proper_scores import Brier as Brier, LogLoss as LogLoss
from ._probabilities.relative_scores import (
    D2Brier as D2Brier,
    D2LogLoss as D2LogLoss,
    NormalizedEntropy as NormalizedEntropy,
)
from ._reduction import (
    AbstractReduction as AbstractReduction,
    exact_sum as exact_sum,
)
from ._reduction.reduce import (
    all_reduce as all_reduce,
    compute as compute,
    merge as merge,
    reduce as reduce,
    reset as reset,
    stack as stack,
    unreplicate as unreplicate,
    vary as vary,
)
from ._regression.absolute_error import (
    MeanAbsoluteError as MeanAbsoluteError,
    MeanAbsolutePercentageError as MeanAbsolutePercentageError,
    SymmetricMAPE as SymmetricMAPE,
)
from ._regression.concordance_index import ConcordanceIndex as ConcordanceIndex
from ._regression.correlation import Concordance as Concordance, Pearson as Pearson
from ._regression.crps import CRPSEnsemble as CRPSEnsemble, CRPSGaussian as CRPSGaussian
from ._regression.d2_pinball import (
    D2AbsoluteError as D2AbsoluteError,
    D2Pinball as D2Pinball,
    OneSidedErrors as OneSidedErrors,
)
from ._regression.d2_tweedie import D2Tweedie as D2Tweedie
from ._regression.deviance import Tweedie as Tweedie
from ._regression.huber import Huber as Huber
from ._regression.interval import (
    IntervalCoverage as IntervalCoverage,
    WinklerScore as WinklerScore,
)
from ._regression.likelihood import GaussianNLL as GaussianNLL, PoissonNLL as PoissonNLL
from ._regression.limits_of_agreement import LimitsOfAgreement as LimitsOfAgreement
from ._regression.log_error import (
    LogCosh as LogCosh,
    MeanSquaredLogError as MeanSquaredLogError,
    RootMeanSquaredLogError as RootMeanSquaredLogError,
)
from ._regression.mase import MASE as MASE
from ._regression.max_error import MaxError as MaxError
from ._regression.mean_error import AbstractMeanError as AbstractMeanError
from ._regression.median_error import MedianAbsoluteError as MedianAbsoluteError
from ._regression.minkowski import Minkowski as Minkowski
from ._regression.normalized_gini import NormalizedGini as NormalizedGini
from ._regression.pair_buffer import PairBuffer as PairBuffer
from ._regression.pair_moments import PairMoments as PairMoments
from ._regression.pinball import Pinball as Pinball
from ._regression.r2 import (
    ExplainedVariance as ExplainedVariance,
    NormalizedRMSE as NormalizedRMSE,
    R2 as R2,
    RelativeSquaredError as RelativeSquaredError,
)
from ._regression.rank_correlation import Kendall as Kendall, Spearman as Spearman
from ._regression.ratio_error import (
    CriticalSuccessIndex as CriticalSuccessIndex,
    WeightedMAPE as WeightedMAPE,
)
from ._regression.significance import Significance as Significance
from ._regression.similarity import (
    CosineSimilarity as CosineSimilarity,
    JensenShannon as JensenShannon,
    KLDivergence as KLDivergence,
)
from ._regression.squared_error import (
    MeanSquaredError as MeanSquaredError,
    RootMeanSquaredError as RootMeanSquaredError,
    SquaredErrors as SquaredErrors,
)
from ._regression.wasserstein import Wasserstein1D as Wasserstein1D
from ._rows.rows import Rows as Rows, rows as rows
from ._wrap.best import Best as Best
from ._wrap.bootstrap import Bootstrap as Bootstrap
from ._wrap.buffer import Buffer as Buffer
from ._wrap.classwise import Classwise as Classwise
from ._wrap.compose import Compose as Compose
from ._wrap.confidence import Interval as Interval
from ._wrap.decayed import Decayed as Decayed
from ._wrap.from_fun import FromFun as FromFun
from ._wrap.from_output import FromOutput as FromOutput
from ._wrap.multi_output import MultiOutput as MultiOutput
from ._wrap.optional import Optional as Optional
from ._wrap.per_group import PerGroup as PerGroup
from ._wrap.row_mean import RowMean as RowMean
from ._wrap.standard_error import StandardError as StandardError
from ._wrap.windowed import Windowed as Windowed

__version__: str
