from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._checks import describe
from .._field import state
from .._quotient import over
from .._reduction import EXACT_SUM
from .._reduction.pair import to_float
from .._row_sum import invalid_of, Parts, total_of, weight_of
from .._rows import undefined_as
from .._task import Multilabel
from .decision import decide
from .inputs import AbstractClassification, Inputs


@final
class ExactMatch(AbstractClassification):
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
    sums: Float32[Array, "2 2"] = state(reduce=EXACT_SUM)  # pairs of (right, all)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.task.valid}")

    def __init__(self, task: Multilabel, *, undefined: float | None = None):
        if not isinstance(task, Multilabel):
            raise TypeError(
                f"`ExactMatch` got {describe(task)}, expected a multilabel task. Where a row is "
                "one decision, it is `eqm.Accuracy(task)`."
            )
        self.task = task
        self.undefined = undefined
        self.sums = jnp.zeros((2, 2))
        self.invalid = jnp.zeros(2)

    def see(self, inputs: Inputs) -> Parts:
        d = decide(self.task, inputs)
        right = jnp.all((d.labels == d.predicted) | ~d.taken, axis=-1)
        sums = total_of(d.batch._replace(values=right)), weight_of(d.batch)
        return {"sums": sums, "invalid": invalid_of(d.batch)}

    def compute(self) -> Float32[Array, ""]:
        right, every = to_float(self.sums)
        return undefined_as(over(right, every), every == 0, self.undefined)
