"""The rows of the table of laws for `eqm.generative`."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, SIZES


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
}
MORE = {"generative.FrechetDistance of a reference"}
