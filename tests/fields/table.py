"""The rows of the table of laws for `eqm.fields`."""

import numpy as np

import eqmetrics as eqm

from ..draws import (
    BINARY,
    drawn,
    labels,
    logits,
    of_binary,
    of_multilabel,
    PAIR as PAIRS,
    SIZES,
    values,
    vectors,
)  # fmt: skip


def grid(*shape: int):
    return lambda rng, n: (rng.normal(size=(n, *shape)) + 0.5).astype(np.float32)


AREA = np.arange(12, dtype=np.float64).reshape(4, 3)
PAIR = drawn(SIZES, predictions=grid(2, 4, 3), targets=grid(2, 4, 3))
ENSEMBLES = drawn(SIZES, samples=vectors, targets=values)
OF_VECTORS = drawn(SIZES, samples=grid(3, 3), targets=grid(3))
SERIES = drawn(SIZES, **PAIRS)

ROWS = {
    "fields.RelativeError": (eqm.fields.RelativeError(3), PAIR),
    "fields.WeightedRMSE": (eqm.fields.WeightedRMSE(AREA, outputs=2), PAIR),
    "fields.AnomalyCorrelation": (
        eqm.fields.AnomalyCorrelation(AREA, outputs=2, centred=True),
        PAIR,
    ),
    "fields.SpectralError": (eqm.fields.SpectralError(3, edges=(0, 1.2)), PAIR),
    "fields.EnergySpectrum": (eqm.fields.EnergySpectrum(3, 2), PAIR),
    "fields.FractionsSkillScore": (
        eqm.fields.FractionsSkillScore(0.5, (1, 3)),
        drawn(SIZES, predictions=grid(4, 3), targets=grid(4, 3)),
    ),
    "fields.SpreadSkill": (eqm.fields.SpreadSkill(), ENSEMBLES),
    "fields.RankHistogram": (eqm.fields.RankHistogram(3), ENSEMBLES),
    "fields.RPS": (eqm.fields.RPS((0.5, 2.0), fair=True), ENSEMBLES),
    "fields.CategoricalRPS": (
        eqm.fields.CategoricalRPS(5),
        drawn(SIZES, logits=logits, labels=labels),
    ),
    "fields.EnergyScore": (eqm.fields.EnergyScore(), OF_VECTORS),
    "fields.VariogramScore": (eqm.fields.VariogramScore(), OF_VECTORS),
    "fields.NashSutcliffe": (eqm.fields.NashSutcliffe(), SERIES),
    "fields.KlingGupta": (eqm.fields.KlingGupta("2012"), SERIES),
    "fields.FalseAlarmRatio": (eqm.fields.FalseAlarmRatio(BINARY), of_binary()),
    "fields.FrequencyBias": (eqm.fields.FrequencyBias(eqm.Multilabel(3)), of_multilabel()),
    "fields.EquitableThreat": (
        eqm.fields.EquitableThreat(eqm.Multilabel(3), average=None),
        of_multilabel(),
    ),
    "fields.HeidkeSkill": (eqm.fields.HeidkeSkill(BINARY), of_binary()),
}
