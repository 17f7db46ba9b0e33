"""Scores of fields and their forecasts: neural operators, weather, hydrology."""

from ._anomaly_correlation import AnomalyCorrelation as AnomalyCorrelation
from ._area import cell_areas as cell_areas
from ._contingency import (
    EquitableThreat as EquitableThreat,
    FalseAlarmRatio as FalseAlarmRatio,
    FrequencyBias as FrequencyBias,
    HeidkeSkill as HeidkeSkill,
)
from ._energy_score import EnergyScore as EnergyScore
from ._fractions import FractionsSkillScore as FractionsSkillScore
from ._hydrology import KlingGupta as KlingGupta, NashSutcliffe as NashSutcliffe
from ._rank_histogram import RankHistogram as RankHistogram
from ._relative_error import RelativeError as RelativeError
from ._rps import CategoricalRPS as CategoricalRPS, RPS as RPS
from ._spectrum import EnergySpectrum as EnergySpectrum, SpectralError as SpectralError
from ._spread_skill import SpreadSkill as SpreadSkill
from ._variogram_score import VariogramScore as VariogramScore
from ._weighted_rmse import WeightedRMSE as WeightedRMSE
