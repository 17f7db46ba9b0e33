from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.metric import AbstractExact
from .._metric.readout import AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import Pair
from .._reduction.pair_sums import sum_pairs
from .decision import decide
from .inputs import AbstractLabelled, Inputs
from .task import Multiclass


# The largest number whose square, twice, fits an int32.
MOST_CLASSES = 2**15 - 1


def margins(cells: Pair) -> tuple[Pair, Pair, Pair]:
    """The sums of the rows of a matrix, those of its columns, and its diagonal."""
    rows = sum_pairs(jnp.swapaxes(cells, 1, 2))
    return rows, sum_pairs(cells), jnp.diagonal(cells, axis1=1, axis2=2)


@final
class ConfusionCounts(AbstractStatistic, AbstractExact, AbstractLabelled):
    """How often each class was predicted as each: the statistic that
    [`eqmetrics.ConfusionMatrix`][] reads, and in a `MetricDict` all scores of counts.

    **Arguments:**

    - `task`: [`eqmetrics.Multiclass`][].

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_classes**2` floats, and 2 for the invalid rows. Undefined when: never.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        counts = eqm.ConfusionCounts(eqm.Multiclass(2))
        matrix = counts(predicted_labels=jnp.array([0, 1, 1]), labels=jnp.array([0, 0, 1]))
        assert matrix.tolist() == [[1, 1], [0, 1]]
        ```
    """

    task: Multiclass = eqx.field(static=True)
    sums: Sums

    def __init__(self, task: Multiclass):
        if task.num_classes > MOST_CLASSES:
            raise ValueError(
                f"A confusion matrix of {task.num_classes} classes has {task.num_classes}**2 "
                "cells. `eqm.StatScores` keeps the counts of each class alone."
            )
        self.task = task
        self.sums = Sums(task.valid, cells=(task.num_classes, task.num_classes))

    def see(self, inputs: Inputs) -> Self:
        d = decide(self.task, inputs)
        index = (d.labels * self.task.num_classes + d.predicted)[:, None]
        return self.replace(sums=self.sums.add_at(d.batch, "cells", index, d.taken[:, None]))

    def margins(self) -> tuple[Pair, Pair, Pair]:
        """For each class, as pairs: the weight of its rows, of the rows predicted as it, and
        of the rows that are both."""
        return margins(self.sums.pair("cells"))

    def exact(self) -> Pair:
        return self.sums.pair("cells")

    def compute(self) -> Float32[Array, "classes classes"]:
        """The matrix: a row for each true class, a column for each predicted one."""
        return self.sums.read("cells")
