from typing import final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.messages import describe
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient_or
from .decision import decide
from .inputs import AbstractLabelled, Inputs
from .task import Multilabel


Criterion = Literal["equal", "overlap", "contain", "belong"]


def _meets(criterion: Criterion, labels: Array, predicted: Array, taken: Array) -> Array:
    """Whether the labels predicted in each row meet the criterion."""
    if criterion == "overlap":
        some = jnp.any((labels | predicted) & taken, axis=-1)
        return jnp.any(labels & predicted & taken, axis=-1) | ~some
    if criterion == "equal":
        return jnp.all((labels == predicted) | ~taken, axis=-1)
    wrong = labels & ~predicted if criterion == "contain" else predicted & ~labels
    return ~jnp.any(wrong & taken, axis=-1)


@final
class ExactMatch(AbstractLabelled):
    """The share of rows whose labels are all right (subset accuracy), or that meet a weaker
    criterion.

    **Arguments:**

    - `task`: [`eqmetrics.Multilabel`][]. Ignored labels may be anything; a row whose labels are all
        ignored doesn't count (torchmetrics: a row with an ignored label never matches).
    - `criterion`: how the predicted labels of a row relate to the true ones: they are `"equal"`,
        `"overlap"` (also where both are empty), `"contain"` all true labels, or `"belong"` to them.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
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
    criterion: Criterion = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        task: Multilabel,
        *,
        criterion: Criterion = "equal",
        undefined: float | None = None,
    ):
        if criterion not in get_args(Criterion):
            raise ValueError(f"criterion={criterion!r}: expected one of {get_args(Criterion)}.")
        if not isinstance(task, Multilabel):
            raise TypeError(
                f"`ExactMatch` got {describe(task)}, expected a multilabel task. Where a row is "
                "one decision, it is `eqm.Accuracy(task)`."
            )
        self.task = task
        self.criterion = criterion
        self.undefined = undefined
        self.sums = Sums(task.valid, right=(), rows=())

    def see(self, inputs: Inputs) -> Self:
        d = decide(self.task, inputs)
        right = _meets(self.criterion, d.labels, d.predicted, d.taken)
        return self.replace(sums=self.sums.add(d.batch, right=right, rows=1))

    def compute(self) -> Float32[Array, ""]:
        right, every = self.sums.read("right", "rows")
        return quotient_or(right, every, self.undefined)
