"""The rows of the table of laws for `eqm.clustering`."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, SIZES


CLUSTERS, DIM = 4, 2
SIZE = (5, CLUSTERS)


def clusters(rng, n):
    return rng.integers(0, CLUSTERS, n).astype(np.int32)


def classes(rng, n):
    return rng.integers(0, SIZE[0], n).astype(np.int32)


def given(rng, n):
    return rng.integers(0, 3, (n, 3)).astype(np.int32)


def points(rng, n):
    return rng.normal(size=(n, DIM)).astype(np.float32)


BOTH = drawn(SIZES, labels=classes, predicted_labels=clusters)
RATED = drawn(SIZES, ratings=given)
POINTS = drawn(SIZES, features=points, predicted_labels=clusters)
NEAR = {
    "weight": np.array([2, 3, 1, 4]),
    "mean": np.eye(4, DIM),
    "squares": np.array([1, 0.5, 0, 2]),
}

SCORES = (
    "MutualInformation",
    "NormalizedMutualInformation",
    "AdjustedMutualInformation",
    "VariationOfInformation",
    "Homogeneity",
    "Completeness",
    "VMeasure",
    "PairConfusion",
    "RandScore",
    "AdjustedRandScore",
    "FowlkesMallows",
    "Purity",
    "BCubed",
    "ClusterAccuracy",
    "CramersV",
    "TschuprowsT",
    "ContingencyCoefficient",
    "TheilsU",
    "GoodmanKruskalLambda",
    "ContingencyMatrix",
    "ContingencyCounts",
)
ROWS = {f"clustering.{name}": (getattr(eqm.clustering, name)(*SIZE), BOTH) for name in SCORES} | {
    "clustering.FleissKappa": (eqm.clustering.FleissKappa(3), RATED),
    "clustering.Coincidences": (eqm.clustering.Coincidences(3), RATED),
    "clustering.KrippendorffAlpha": (
        eqm.clustering.KrippendorffAlpha(3, level="ordinal"),
        RATED,
    ),
    "clustering.ClusterMoments": (eqm.clustering.ClusterMoments(CLUSTERS, DIM), POINTS),
    "clustering.CalinskiHarabasz": (eqm.clustering.CalinskiHarabasz(CLUSTERS, DIM), POINTS),
    "clustering.DaviesBouldin": (eqm.clustering.DaviesBouldin(CLUSTERS, DIM), POINTS),
    "clustering.ClusterBuffer": (
        eqm.clustering.ClusterBuffer(CLUSTERS, DIM, capacity=80),
        POINTS,
    ),
    "clustering.Silhouette": (eqm.clustering.Silhouette(CLUSTERS, DIM, capacity=80), POINTS),
    "clustering.SquaredSilhouette": (eqm.clustering.SquaredSilhouette(NEAR), POINTS),
}
# Readouts of a statistic that has a row of its own, and whose programs take long to compile.
SLOW = {
    f"clustering.{name}"
    for name in (
        "AdjustedMutualInformation",
        "AdjustedRandScore",
        "Completeness",
        "DaviesBouldin",
        "FowlkesMallows",
        "TheilsU",
        "TschuprowsT",
        "VMeasure",
        "VariationOfInformation",
    )
}
