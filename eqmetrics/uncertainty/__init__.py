"""Uncertainty: conformal sets, draws of posteriors and of chains, abstention, ratings, survival."""

from ._bradley_terry import BradleyTerry as BradleyTerry
from ._chains import EffectiveSampleSize as EffectiveSampleSize, RHat as RHat
from ._conformal_coverage import ConformalCoverage as ConformalCoverage
from ._conformal_quantile import ConformalQuantile as ConformalQuantile
from ._credible_coverage import CredibleCoverage as CredibleCoverage
from ._ranked_chains import (
    BulkSampleSize as BulkSampleSize,
    ChainBuffer as ChainBuffer,
    RankRHat as RankRHat,
)
from ._sbc_ranks import SBCRanks as SBCRanks
from ._selective import (
    AURC as AURC,
    ConfidenceBuffer as ConfidenceBuffer,
    SelectiveRisk as SelectiveRisk,
)
from ._survival import (
    IntegratedBrier as IntegratedBrier,
    IPCWBrier as IPCWBrier,
    TimeDependentAUC as TimeDependentAUC,
)
from ._survival_buffer import SurvivalBuffer as SurvivalBuffer
from ._value_buffer import ValueBuffer as ValueBuffer
