"""Scores of generated samples, from the features or probabilities of a network that you choose."""

from ._alignment import Alignment as Alignment
from ._bits import BitsPerDimension as BitsPerDimension
from ._buffer import FeatureBuffer as FeatureBuffer
from ._frechet import FrechetDistance as FrechetDistance
from ._inception import InceptionScore as InceptionScore
from ._kernel import (
    KernelDistance as KernelDistance,
    MaximumMeanDiscrepancy as MaximumMeanDiscrepancy,
)
from ._moments import FeatureMoments as FeatureMoments
from ._neighbours import (
    Coverage as Coverage,
    Density as Density,
    GenerativePrecision as GenerativePrecision,
    GenerativeRecall as GenerativeRecall,
)
from ._rank import EffectiveRank as EffectiveRank, VendiScore as VendiScore
