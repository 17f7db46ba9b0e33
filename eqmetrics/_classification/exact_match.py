import functools as ft
from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._checks import describe
from .._field import state
from .._reduction import EXACT_SUM
from .._reduction.pair import add, fused, to_float
from .._rows import undefined_as
from .._task import Multilabel
from .decision import decide
from .inputs import AbstractClassification, Inputs


@ft.partial(fused, static_argnames="task")
def _updated(sums: Array, invalid: Array, inputs: Inputs, task: Multilabel) -> dict[str, Array]:
    d = decide(task, inputs)
    right = jnp.all((d.labels == d.predicted) | ~d.taken, axis=-1)
    batch = d.batch._replace(values=right)
    both = jnp.stack([batch.total(), batch.weight()], axis=-1)
    return {"sums": add(sums, both), "invalid": batch.left_out(invalid)}


@final
class ExactMatch(AbstractClassification):
    """The share of rows of which every label is right; subset accuracy.

    **Arguments:**

    - `task`: [`eqmetrics.Multilabel`][]. Ignored labels may be anything; a row of which all
        are ignored doesn't count.
    - `undefined`: what replaces an undefined value; NaN if not given.

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

    def see(self, inputs: Inputs) -> dict[str, Array]:
        return _updated(self.sums, self.invalid, inputs, task=self.task)

    def compute(self) -> Float32[Array, ""]:
        right, every = to_float(self.sums)
        return undefined_as(right / every, every == 0, self.undefined)
