"""Values of the scores of runs on tasks, as rliable defines them."""

from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from ._run_scores import AbstractRunScore, RunScores, Table


@final
class IQM(AbstractRunScore, init=False):
    """The interquartile mean (IQM): the mean of the middle half of all scores, over all runs and
    tasks together.

    Single runs change it less than the mean, and it is less noisy than the median. Normalise the
    scores first, for example by those of a human.

    **Arguments:**

    - `num_tasks`: the size of the last axis of `scores`.
    - `capacity`: how many runs there is room for.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The lowest and the highest $\\lfloor n / 4 \\rfloor$ of $n$ scores are left out, as in
    `scipy.stats.trim_mean`. The gradient is that of the mean of the others.
    State: `capacity * num_tasks + 7` numbers, shared in a `MetricDict`. Undefined when: there is no
    run, or more than `capacity`. Runs with NaN are invalid.
    Source: Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice",
    2021 (rliable).

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        iqm = eqm.rl.IQM(num_tasks=2, capacity=10)
        assert iqm(scores=jnp.array([[0.0, 1.0], [2.0, 30.0]])) == 1.5
        ```
    """

    def of_tables(self, table: Table, /) -> Float32[Array, ""]:
        flat = jnp.sort(table.scores.ravel())
        number = table.runs * table.scores.shape[1]
        cut = number // 4
        place = jnp.arange(flat.size, dtype=jnp.int32)
        inside = (place >= cut) & (place < number - cut)
        total = jnp.sum(jnp.where(inside, flat, 0))
        return total / jnp.maximum(number - 2 * cut, 1).astype(jnp.float32)


@final
class MedianOfMeans(AbstractRunScore, init=False):
    """The median over the tasks of the mean score of the runs, as many Atari papers report.

    **Arguments:**

    - `num_tasks`: the size of the last axis of `scores`.
    - `capacity`: how many runs there is room for.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the task that is the median.
    State: `capacity * num_tasks + 7` numbers, shared in a `MetricDict`. Undefined when: there is no
    run, or more than `capacity`. Runs with NaN are invalid. Source: rliable's
    `aggregate_median`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        median = eqm.rl.MedianOfMeans(num_tasks=3, capacity=10)
        assert median(scores=jnp.array([[0.0, 1.0, 5.0], [2.0, 3.0, 9.0]])) == 2.0
        ```
    """

    def of_tables(self, table: Table, /) -> Float32[Array, ""]:
        return jnp.median(table.of_tasks(table.scores))


@final
class OptimalityGap(AbstractRunScore):
    r"""By how much runs fall short of the score `gamma`, on average:
    $\gamma - \overline{\min(s, \gamma)}$.

    Smaller is better. Scores above `gamma` don't make up for others.

    **Arguments:**

    - `num_tasks`: the size of the last axis of `scores`.
    - `capacity`: how many runs there is room for.
    - `gamma`: the score to be reached; 1 for scores normalised by those of a human.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the scores below `gamma`.
    State: `capacity * num_tasks + 7` numbers, shared in a `MetricDict`. Undefined when: there is no
    run, or more than `capacity`. Runs with NaN are invalid. Source: rliable.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        gap = eqm.rl.OptimalityGap(num_tasks=2, capacity=10)
        assert gap(scores=jnp.array([[0.5, 2.0]])) == 0.25
        ```
    """

    gamma: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: RunScores

    def __init__(
        self,
        num_tasks: int,
        capacity: int,
        *,
        gamma: float = 1.0,
        undefined: float | None = None,
    ):
        self.gamma = gamma
        self.undefined = undefined
        self.statistic = RunScores(num_tasks, capacity)

    def of_tables(self, table: Table, /) -> Float32[Array, ""]:
        return jnp.mean(table.of_tasks(self.gamma - jnp.minimum(table.scores, self.gamma)))


@final
class PerformanceProfile(AbstractRunScore):
    """The share of the scores, over all runs and tasks, that are above each threshold: the tail of
    their distribution.

    **Arguments:**

    - `thresholds`: numbers in any order. The value has the shape `(len(thresholds),)`.
    - `num_tasks`: the size of the last axis of `scores`.
    - `capacity`: how many runs there is room for.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `capacity * num_tasks + 7` numbers, shared in a `MetricDict`. Undefined when: there is no
    run, or more than `capacity`. Runs with NaN are invalid. Source: rliable's
    `run_score_distribution`.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        profile = eqm.rl.PerformanceProfile([0.0, 1.0, 5.0], num_tasks=2, capacity=10)
        assert profile(scores=jnp.array([[0.5, 1.0], [2.0, 3.0]])).tolist() == [1.0, 0.5, 0.0]
        ```
    """

    thresholds: tuple[float, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: RunScores

    def __init__(
        self,
        thresholds: Sequence[float] | np.ndarray,
        num_tasks: int,
        capacity: int,
        *,
        undefined: float | None = None,
    ):
        given = np.asarray(thresholds, np.float32)
        if given.ndim != 1 or given.size == 0 or np.any(np.isnan(given)):
            raise ValueError(f"thresholds={thresholds!r}: expected a list of numbers.")
        self.thresholds = tuple(given.tolist())
        self.undefined = undefined
        self.statistic = RunScores(num_tasks, capacity)

    def of_tables(self, table: Table, /) -> Float32[Array, "thresholds"]:
        above = lambda t: jnp.mean(table.of_tasks((table.scores > t).astype(jnp.float32)))
        return jnp.stack([above(t) for t in self.thresholds])
