"""Reinforcement learning: episodes while they run, and scores of runs on tasks."""

from ._episodes import EpisodeStatistics as EpisodeStatistics
from ._improvement import ProbabilityOfImprovement as ProbabilityOfImprovement
from ._run_scores import RunScores as RunScores
from ._scores import (
    IQM as IQM,
    MedianOfMeans as MedianOfMeans,
    OptimalityGap as OptimalityGap,
    PerformanceProfile as PerformanceProfile,
)
from ._stratified import StratifiedBootstrap as StratifiedBootstrap
