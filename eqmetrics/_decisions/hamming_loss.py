from typing import final

import equinox as eqx
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._rows.nearest_quotient import quotient_or
from .accuracy import Hits
from .task import AbstractTask


@final
class HammingLoss(AbstractReadout):
    """The share of wrong decisions: of rows, or of the single labels of a multilabel task.

    **Arguments:**

    - `task`: a task; `None` as for [`eqmetrics.Accuracy`][], of which this is the complement.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats, shared. Undefined when: no row was seen.
    Source: Tsoumakas and Katakis, "Multi-label classification: an overview", 2007.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        loss = eqm.HammingLoss(eqm.Multilabel(2))
        predicted, labels = jnp.array([[1, 1], [0, 1]]), jnp.array([[1, 0], [0, 1]])
        assert loss(predicted_labels=predicted, labels=labels) == 0.25
        ```
    """

    task: AbstractTask | None = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: Hits

    def __init__(self, task: AbstractTask | None = None, *, undefined: float | None = None):
        self.task = task
        self.undefined = undefined
        self.statistic = Hits(task)

    def compute(self) -> Float32[Array, ""]:
        right, every = self.statistic.compute()
        return quotient_or(every - right, every, self.undefined)
