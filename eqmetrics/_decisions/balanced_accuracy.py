from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._rows.nearest_quotient import quotient
from .average import each_problem
from .stat_scores import StatScores
from .task import AbstractTask, Multiclass


@final
class BalancedAccuracy(AbstractReadout):
    r"""The mean recall over the classes that have rows.

    For a binary task, the mean of the recalls of 0 and 1; for a multilabel task, the mean of these
    over the labels.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `adjusted`: rescales the value $b$ to $(b - 1/k) / (1 - 1/k)$, where $k$ classes have rows:
        chance is 0, as in scikit-learn.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: no row was seen; if adjusted,
    also when all are of one class.
    Source: Brodersen et al., "The balanced accuracy and its posterior distribution", 2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        balanced = eqm.BalancedAccuracy(eqm.Binary())
        value = balanced(predicted_labels=jnp.array([1, 0, 0, 0]), labels=jnp.array([1, 1, 0, 0]))
        assert value == 0.75
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    adjusted: bool = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: StatScores

    def __init__(
        self, task: AbstractTask, *, adjusted: bool = False, undefined: float | None = None
    ):
        self.task = task
        self.adjusted = adjusted
        self.undefined = undefined
        self.statistic = StatScores(task)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(thresholds,)` for a binary task that has several."""
        counts = self.statistic.counts().floats()
        part = jnp.asarray(self.task.takes_part())
        if isinstance(self.task, Multiclass):
            right, rows = counts.tp[:, None], (counts.tp + counts.fn)[:, None]
        else:
            right = jnp.stack([counts.tp, counts.tn])
            rows = jnp.stack([counts.tp + counts.fn, counts.tn + counts.fp])
        # The mean over the classes that have rows (first axis), of each problem (second axis).
        seen = (rows > 0) & (part[:, None] if isinstance(self.task, Multiclass) else True)
        number = jnp.sum(seen, axis=0, dtype=jnp.float32)
        mean = quotient(jnp.sum(jnp.where(seen, quotient(right, rows), 0), axis=0), number)
        defined = number > 0
        if self.adjusted:
            defined = number > 1
            chance = 1 / jnp.where(defined, number, 2)
            mean = (mean - chance) / (1 - chance)
        return each_problem(mean, defined, self.task, self.undefined)
