"""What weights mean: no scale of theirs changes a value, and what is no weight is counted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

import eqmetrics as eqm
from eqmetrics._collection.route import arguments_of
from eqmetrics.testing._subject import updated

from .groups import in_tens, narrow
from .table import ROWS


WEIGHTED = [name for name, (metric, _) in ROWS.items() if "weights" in arguments_of(metric)]
# Sums, or dicts that hold some: these grow with the weights.
SUMS = {
    "Sum",
    "Histogram",
    "CentredMoments",
    "CrossMoments",
    "PairMoments",
    "PairBuffer",
    "QuantileSketch",
    "Hits",
    "StatScores",
    "ConfusionCounts",
    "ClassificationReport",
    "scores of one matrix",
    "ScoreHistogram",
    "ScoreBuffer",
    "ProbabilityLosses",
    "LogLosses",
    "BrierLosses",
    "CalibrationBins",
    "ConfidenceHistogram",
    "ReliabilityDiagram",
    "SquaredErrors",
    "OneSidedErrors",
    "text.AlignmentCounts",
    "text.ChrFCounts",
    "text.EditCounts",
    "text.NgramCounts",
    "text.TokenLikelihoods",
    "text.ByteLikelihoods",
    "text.WordLikelihoods",
    "text.SpanCounts",
    "training.ActivationCounts",
    "fields.RankHistogram",
    "generative.FeatureBuffer",
    "clustering.ContingencyCounts",
    "clustering.ContingencyMatrix",
    "clustering.Coincidences",
    "clustering.ClusterMoments",
    "clustering.ClusterBuffer",
}
# Of these a number of rows is part of the definition, and their docstrings say so.
COUNTED = {"Variance", "Moments", "Covariance", "R2", "StandardError"}
COUNTED |= {"Significance", "LimitsOfAgreement"}
COUNTED |= {"generative.FeatureMoments", "generative.FrechetDistance"}
COUNTED |= {"generative.FrechetDistance of a reference", "generative.KernelDistance"}
COUNTED |= {"generative.MaximumMeanDiscrepancy", "generative.GenerativePrecision"}
COUNTED |= {"generative.GenerativeRecall", "generative.Density", "generative.Coverage"}
COUNTED |= {"Interval", "Interval of moments", "PerGroup of Interval", "ranking.LinkHits"}
COUNTED |= {"clustering.AdjustedMutualInformation", "clustering.AdjustedRandScore"}
COUNTED |= {"clustering.RandScore", "clustering.FowlkesMallows", "clustering.PairConfusion"}
COUNTED |= {"clustering.KrippendorffAlpha", "clustering.CalinskiHarabasz", "clustering.Silhouette"}
COUNTED |= {"uncertainty.ConformalQuantile"}
SCALES = 2.0**-60, 1e-20, 1e-6, 1e6, 1e16, 2.0**60


def leaves(value):
    return [np.asarray(x, np.float64) for x in jax.tree.leaves(value)]


def close(got, want):
    size = np.max(np.abs(want), initial=0, where=np.isfinite(want))
    return np.isclose(got, want, 1e-5, 1e-5 * size, equal_nan=True)


def weighted(name, seed=0):
    batch = ROWS[name][1][1]
    rows = len(next(iter(batch.values())))
    return batch, np.random.default_rng(seed).uniform(0.3, 3, rows).astype(np.float32)


def check_scales(names):
    given = {name: weighted(name) for name in names}

    @jax.jit
    def read(weights):
        new = {n: updated(ROWS[n][0], given[n][0] | {"weights": w}) for n, w in weights.items()}
        return {n: metric.compute() for n, metric in new.items()}

    def by_weights(change):
        found = read({n: np.float32(change(w)) for n, (_, w) in given.items()})
        return {name: leaves(value) for name, value in found.items()}

    base = by_weights(lambda w: w)
    for name in names:
        assert any(np.isfinite(x).any() for x in base[name]), name
    for scale in SCALES:
        for name, got in by_weights(lambda w, s=scale: w.astype(np.float64) * s).items():
            for x, y in zip(got, base[name], strict=True) if name not in COUNTED else ():
                right = close(x, y) | ~np.isfinite(x)
                if name in SUMS:
                    right |= close(x, y * scale)
                if name == "Minkowski":
                    right = close(x, y * scale ** (1 / 3))
                assert right.all(), (name, scale, x, y)
    for odd in (np.inf, -1.0, np.nan, 3e38):
        spoilt = by_weights(lambda w, odd=odd: np.where(np.arange(len(w)) == 2, odd, w))
        for name, found in spoilt.items():
            assert any(np.isnan(x).any() for x in found), (name, odd)
    # A sum of such weights would leave the range of float32.
    for name, found in by_weights(lambda w: np.full(w.shape, 2e38)).items():
        assert all(np.isnan(x).all() for x in found), name


@pytest.mark.parametrize("names", in_tens(WEIGHTED))
def test_any_scale_and_what_is_no_weight(names):
    narrow(check_scales, names)


def test_products_of_weights_stay_in_range():
    """Of what was plausible and wrong."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    predicted = np.where(rng.random(200) < 0.5, labels, rng.integers(0, 4, 200))
    scores, weights = rng.normal(size=200) + (labels > 1), rng.uniform(0.5, 2, 200)
    kappa = eqm.CohenKappa(eqm.Multiclass(4), weights="quadratic")
    auroc = eqm.AUROC(eqm.Binary(), exact=200), eqm.AUROC(eqm.Binary())
    given = {"logits": scores.astype(np.float32), "labels": labels > 1}
    cases = [(kappa, {"predicted_labels": predicted, "labels": labels})]
    cases += [(metric, given) for metric in auroc]
    truth = [
        cohen_kappa_score(labels, predicted, weights="quadratic", sample_weight=weights),
        *[roc_auc_score(labels > 1, scores, sample_weight=weights)] * 2,
    ]
    for (metric, batch), want in zip(cases, truth, strict=True):
        for scale in (1.0, 1e-20, 1e16, 1e18, 1e24):
            got = metric(**batch, weights=(weights * scale).astype(np.float32))
            assert abs(got - want) < 1e-4, (metric, scale)
        w = np.full(200, 1e38, np.float32)
        with pytest.raises(eqm.InvalidDataError, match="200 invalid.*weights >= 0 and finite"):
            metric.update(**batch, weights=w).check()


def test_weights_too_small_are_none():
    x, tiny = jnp.array([1.0, 2.0]), jnp.array([1.0, 1e-31])
    assert eqm.Average()(x, weights=tiny) == 1.0
    assert jnp.isnan(eqm.Average()(x, weights=jnp.full(2, 1e-31)))
    assert eqm.Average()(x, weights=jnp.full(2, 1e-20)) == 1.5
