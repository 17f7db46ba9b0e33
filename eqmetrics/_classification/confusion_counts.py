from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._field import state
from .._metric import AbstractExact
from .._readout import AbstractStatistic
from .._reduction import EXACT_SUM
from .._reduction.pair import Pair, sum_pairs, to_float
from .._row_sum import invalid_of, Part, Parts
from .._task import Multiclass
from .decision import decide
from .inputs import AbstractClassification, Inputs


# 2 * 32767**2 is the last that an int32 counts.
MOST_CLASSES = 2**15 - 1


@final
class ConfusionCounts(AbstractStatistic, AbstractExact, AbstractClassification):
    """How often each class was predicted as each: the statistic under
    [`eqmetrics.ConfusionMatrix`][], from which a `MetricDict` reads those of all other counts.

    **Arguments:**

    - `task`: [`eqmetrics.Multiclass`][].

    The gradient is 0: the value is constant but for jumps.
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
    cells: Float32[Array, "2 classes classes"] = state(reduce=EXACT_SUM)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.task.valid}")

    def __init__(self, task: Multiclass):
        if task.num_classes > MOST_CLASSES:
            raise ValueError(
                f"A confusion matrix of {task.num_classes} classes has {task.num_classes}**2 "
                "cells. `eqm.StatScores` keeps the counts of each class alone."
            )
        self.task = task
        self.cells = jnp.zeros((2, task.num_classes, task.num_classes))
        self.invalid = jnp.zeros(2)

    def see(self, inputs: Inputs) -> Parts:
        d = decide(self.task, inputs)
        index = (d.labels * self.task.num_classes + d.predicted)[:, None]
        cells = Part(d.taken[:, None], d.batch.mask, d.batch.weights, index)
        return {"cells": cells, "invalid": invalid_of(d.batch)}

    def margins(self) -> tuple[Pair, Pair, Pair]:
        """Of each class, as pairs: the weight of its rows, of the rows predicted as it, and
        of both at once."""
        rows = sum_pairs(jnp.swapaxes(self.cells, 1, 2))
        return rows, sum_pairs(self.cells), jnp.diagonal(self.cells, axis1=1, axis2=2)

    def exact(self) -> Pair:
        return self.cells

    def compute(self) -> Float32[Array, "classes classes"]:
        """True classes down, predicted classes across."""
        return to_float(self.cells)
