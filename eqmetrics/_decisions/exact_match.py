from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.checks import describe
from .._onepass.sums import Sums
from .._rows.quotient import over
from .._rows.rows import undefined_as
from .decision import decide
from .inputs import AbstractLabelled, Inputs
from .task import Multilabel


@final
class ExactMatch(AbstractLabelled):
    """The share of rows of which every label is right; subset accuracy.

    **Arguments:**

    - `task`: [`eqmetrics.Multilabel`][]. Ignored labels may be anything; a row of which all
        are ignored doesn't count (torchmetrics: a row with an ignored label never matches).
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is constant but for jumps.
    State: 6 floats. Undefined when: no row was seen.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        match = eqm.ExactMatch(eqm.Multilabel(2))
        predicted, labels = jnp.array([[1, 1], [0, 1]]), jnp.array([[1, 0], [0, 1]])
        assert match(predicted_labels=predicted, labels=labels) == 0.5
        ```
    """

    task: Multilabel = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, task: Multilabel, *, undefined: float | None = None):
        if not isinstance(task, Multilabel):
            raise TypeError(
                f"`ExactMatch` got {describe(task)}, expected a multilabel task. Where a row is "
                "one decision, it is `eqm.Accuracy(task)`."
            )
        self.task = task
        self.undefined = undefined
        self.sums = Sums(task.valid, right=(), rows=())

    def see(self, inputs: Inputs) -> Self:
        d = decide(self.task, inputs)
        right = jnp.all((d.labels == d.predicted) | ~d.taken, axis=-1)
        return self.replace(sums=self.sums.add(d.batch, right=right, rows=1))

    def compute(self) -> Float32[Array, ""]:
        right, every = self.sums.read("right", "rows")
        return undefined_as(over(right, every), every == 0, self.undefined)
