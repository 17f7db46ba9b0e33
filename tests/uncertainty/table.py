"""The rows of the table of laws for `eqm.uncertainty`."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, labels, positive, share, SIZES, some, values, vectors, yes_or_no


u = eqm.uncertainty
ENSEMBLES = drawn(SIZES, samples=vectors, targets=values)
SELECTIVE = drawn(SIZES, confidence=share, loss=values)
VALUES = drawn(SIZES, values=values)



def chains(*shape):
    return lambda rng, n: np.cumsum(rng.normal(size=(n, *shape)), axis=-1).astype(np.float32)


CHAINS = drawn(SIZES, samples=chains(6))
# On an axis of its own: the meshes of the tests have as many devices as there are columns.
LONG = drawn(SIZES, samples=chains(1, 16))
TIMES = 0.5, 1.0


def player(rng, n):
    return (np.arange(n) % 2).astype(np.int32)


def opponent(rng, n):
    return (2 + np.arange(n) // 2 % 2).astype(np.int32)


def curve(rng, n):
    return rng.random((n, 2)).astype(np.float32)


SURVIVAL = drawn(SIZES, predictions=curve, targets=positive, events=yes_or_no())

ROWS = {
    "uncertainty.ConformalCoverage": (
        u.ConformalCoverage(5),
        drawn(SIZES, predicted_sets=some, labels=labels),
    ),
    "uncertainty.ConformalQuantile": (u.ConformalQuantile((0.1, 0.5)), VALUES),
    "uncertainty.ConformalQuantile of a buffer": (u.ConformalQuantile(0.2, exact=80), VALUES),
    "uncertainty.ValueBuffer": (u.ValueBuffer(80), VALUES),
    "uncertainty.CredibleCoverage": (u.CredibleCoverage((0.3, 0.6)), ENSEMBLES),
    "uncertainty.SBCRanks": (u.SBCRanks(3), ENSEMBLES),
    "uncertainty.ConfidenceBuffer": (u.ConfidenceBuffer(80), SELECTIVE),
    "uncertainty.AURC": (u.AURC(80), SELECTIVE),
    "uncertainty.SelectiveRisk": (u.SelectiveRisk((0.3, 1.0), capacity=80), SELECTIVE),
    "uncertainty.RHat": (u.RHat(6), CHAINS),
    "uncertainty.EffectiveSampleSize": (u.EffectiveSampleSize(16), LONG),
    "uncertainty.ChainBuffer": (u.ChainBuffer(6, capacity=80), CHAINS),
    "uncertainty.RankRHat": (u.RankRHat(6, capacity=80), CHAINS),
    "uncertainty.BulkSampleSize": (u.BulkSampleSize(6, capacity=80), CHAINS),
    "uncertainty.BradleyTerry": (
        u.BradleyTerry(4),
        drawn(SIZES, first=player, second=opponent, outcomes=lambda rng, n: rng.integers(-1, 2, n)),
    ),
    "uncertainty.SurvivalBuffer": (u.SurvivalBuffer(TIMES, capacity=80), SURVIVAL),
    "uncertainty.IPCWBrier": (u.IPCWBrier(TIMES, capacity=80), SURVIVAL),
    "uncertainty.IntegratedBrier": (u.IntegratedBrier(TIMES, capacity=80), SURVIVAL),
    "uncertainty.TimeDependentAUC": (u.TimeDependentAUC(TIMES, capacity=80), SURVIVAL),
}
MORE = {"uncertainty.ConformalQuantile of a buffer"}
