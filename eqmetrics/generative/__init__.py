"""Scores of generated samples, from features or probabilities that the caller's networks give."""

from ._frechet import FrechetDistance as FrechetDistance
from ._moments import FeatureMoments as FeatureMoments
