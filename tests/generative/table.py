"""The rows of the table of laws for `eqm.generative`."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, logits, SIZES, values


def vectors(scale: float, offset: float):
    return lambda rng, n: (offset + scale * rng.normal(size=(n, 3))).astype(np.float32)


FEATURES = drawn(SIZES, real_features=vectors(1.0, 0.0), generated_features=vectors(1.5, 0.5))

ROWS = {
    "generative.FeatureMoments": (eqm.generative.FeatureMoments(3), FEATURES),
    "generative.FrechetDistance": (eqm.generative.FrechetDistance(3), FEATURES),
    "generative.FrechetDistance of a reference": (
        eqm.generative.FrechetDistance(3, reference=(np.zeros(3), np.eye(3))),
        [{"generated_features": b["generated_features"]} for b in FEATURES],
    ),
    "generative.FeatureBuffer": (eqm.generative.FeatureBuffer(3, capacity=80), FEATURES),
    "generative.MaximumMeanDiscrepancy": (
        eqm.generative.MaximumMeanDiscrepancy(3, capacity=80, sigma=1.0),
        FEATURES,
    ),
    "generative.KernelDistance": (eqm.generative.KernelDistance(3, capacity=80), FEATURES),
    "generative.GenerativePrecision": (
        eqm.generative.GenerativePrecision(3, capacity=80, k=1),
        FEATURES,
    ),
    "generative.GenerativeRecall": (
        eqm.generative.GenerativeRecall(3, capacity=80, k=1),
        FEATURES,
    ),
    "generative.Density": (eqm.generative.Density(3, capacity=80, k=1), FEATURES),
    "generative.Coverage": (eqm.generative.Coverage(3, capacity=80, k=1), FEATURES),
    "generative.InceptionScore": (eqm.generative.InceptionScore(5), drawn(SIZES, logits=logits)),
    "generative.BitsPerDimension": (
        eqm.generative.BitsPerDimension(12, bin_width=1 / 256),
        drawn(SIZES, log_likelihoods=values),
    ),
    "generative.Alignment": (
        eqm.generative.Alignment(3),
        drawn(SIZES, anchors=vectors(1.0, 0.0), positives=vectors(1.0, 0.0)),
    ),
    "generative.EffectiveRank": (
        eqm.generative.EffectiveRank(3),
        drawn(SIZES, features=vectors(1.0, 0.5)),
    ),
    "generative.VendiScore": (
        eqm.generative.VendiScore(3),
        drawn(SIZES, features=vectors(1.0, 0.5)),
    ),
}
# Readouts of a statistic that has a row of its own, and whose programs take long to compile.
SLOW = {"generative.GenerativeRecall", "generative.Density", "generative.Coverage"}
MORE = {"generative.FrechetDistance of a reference"}
