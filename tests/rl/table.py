"""The rows of the table of laws for `eqm.rl`."""

import jax
import numpy as np

import eqmetrics as eqm

from ..draws import drawn, SIZES, yes


ENVS, TASKS = 3, 2


def steps(sizes: tuple[int, ...]) -> list[dict]:
    """Of whole episodes in every batch and in every three steps: the laws give these to different
    devices, which know nothing of each other."""
    rng, found = np.random.default_rng(0), []
    for n in sizes:
        dones = (rng.random((n, ENVS)) < 0.2) | (np.arange(n) % 3 == 2)[:, None]
        found.append({"rewards": rng.normal(size=(n, ENVS)).astype(np.float32), "dones": dones})
    return found


def runs(rng, n):
    return rng.normal(size=(n, TASKS)).astype(np.float32)


SCORES = drawn(SIZES, scores=runs)
SIZE = {"num_tasks": TASKS, "capacity": 80}

ROWS = {
    "rl.EpisodeStatistics": (eqm.rl.EpisodeStatistics(ENVS, discount=0.9), steps((6, 9, 9))),
    "rl.RunScores": (eqm.rl.RunScores(**SIZE), SCORES),
    "rl.IQM": (eqm.rl.IQM(**SIZE), SCORES),
    "rl.MedianOfMeans": (eqm.rl.MedianOfMeans(**SIZE), SCORES),
    "rl.OptimalityGap": (eqm.rl.OptimalityGap(**SIZE), SCORES),
    "rl.PerformanceProfile": (eqm.rl.PerformanceProfile([-1, 0, 1.5], **SIZE), SCORES),
    "rl.ProbabilityOfImprovement": (
        eqm.rl.ProbabilityOfImprovement(**SIZE),
        drawn(SIZES, scores=runs, reference=yes),
    ),
    "rl.StratifiedBootstrap": (
        eqm.rl.StratifiedBootstrap(eqm.rl.OptimalityGap(**SIZE), 20, key=jax.random.key(0)),
        SCORES,
    ),
}
