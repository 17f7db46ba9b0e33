import functools as ft
from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32

from .._custom_types import Input, Labels, Mask, Weights
from .._field import state
from .._metric import AbstractExact
from .._readout import AbstractStatistic
from .._reduction import EXACT_SUM
from .._reduction.pair import add, fused, Pair, to_float
from .._rows import weighted_sum
from .._task import AbstractTask, Multiclass
from .inputs import Inputs
from .scores import Scores, scores_of, softmax_parts


def _of_each(s: Scores) -> tuple[Array, Array]:
    """The log loss and the squared error of a yes or no for each class."""
    x, yes = s.scores, s.labels
    if s.are_logits:
        # -log sigmoid: no probability is formed, so none saturates
        log_loss = jax.nn.softplus(jnp.where(yes, -x, x))
        return log_loss, jax.nn.sigmoid(jnp.where(yes, -x, x)) ** 2
    log_loss = -jnp.where(yes, jnp.log(jnp.where(yes, x, 1)), jnp.log1p(-jnp.where(yes, 0, x)))
    return log_loss, jnp.where(yes, 1 - x, x) ** 2


def _of_one(s: Scores, yes: Bool[Array, "rows classes"]) -> tuple[Array, Array]:
    """The log loss and the squared error of the probabilities of all classes, as a column."""
    x = s.scores
    label = jnp.where(s.taken, s.labels, 0)[:, None]
    if s.are_logits:
        shifted, whole = softmax_parts(x)
        log_loss = jnp.log(whole) - jnp.take_along_axis(shifted, label, axis=-1)
        p = jnp.exp(shifted) / whole
    else:
        log_loss, p = -jnp.log(jnp.take_along_axis(x, label, axis=-1)), x
    return log_loss, jnp.sum(jnp.where(yes, 1 - p, p) ** 2, axis=-1, keepdims=True)


@ft.partial(fused, static_argnames="task")
def _updated(
    sums: Array, positives: Array, weight: Array, invalid: Array, inputs: Inputs, task: AbstractTask
) -> dict[str, Array]:
    s = scores_of(task, inputs)
    yes, taken = s.each()
    if isinstance(task, Multiclass):
        losses, every = _of_one(s, yes), s.taken[:, None]
    else:
        losses, every = _of_each(s), taken
    total = ft.partial(weighted_sum, mask=s.batch.mask, weights=s.batch.weights)
    both = jnp.where(every[:, None], jnp.stack(losses, axis=1), 0)
    return {
        "sums": add(sums, total(both)),
        "positives": add(positives, total(yes & taken)),
        "weight": add(weight, total(every)),
        "invalid": s.batch.left_out(invalid),
    }


@final
class ProbabilityLosses(AbstractStatistic, AbstractExact):
    """The log loss and the squared error of probabilities, and how often each class occurs: the
    statistic that [`eqmetrics.LogLoss`][], [`eqmetrics.Brier`][] and the scores relative to them
    share.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].

    State: 8 floats and 2 a class; 8 a label if the task is multilabel, and 2 for the invalid
    rows. Undefined when: never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        losses = eqm.ProbabilityLosses(eqm.Binary())
        sums = losses(probabilities=jnp.array([0.5, 1.0]), labels=jnp.array([0, 1]))
        assert sums["squared_error"] == 0.25 and sums["weight"] == 2
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    # Of each problem, which a multiclass task has one of: both losses.
    sums: Float32[Array, "2 2 problems"] = state(reduce=EXACT_SUM)
    positives: Float32[Array, "2 classes"] = state(reduce=EXACT_SUM)
    weight: Float32[Array, "2 problems"] = state(reduce=EXACT_SUM)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.task.valid}")

    def __init__(self, task: AbstractTask):
        self.task = task
        problems = 1 if isinstance(task, Multiclass) else task.classes
        self.sums = jnp.zeros((2, 2, problems))
        self.positives = jnp.zeros((2, task.classes))
        self.weight = jnp.zeros((2, problems))
        self.invalid = jnp.zeros(2)

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits` and `probabilities`; their shapes are the task's. `mask`
        and `weights` have the shape of the rows."""
        inputs = Inputs(labels, logits, probabilities, None, mask, weights)
        return self.replace(
            **_updated(
                self.sums, self.positives, self.weight, self.invalid, inputs, task=self.task
            )
        )

    def exact(self) -> dict[str, Pair]:
        return {
            "log_loss": self.sums[:, 0],
            "squared_error": self.sums[:, 1],
            "positives": self.positives,
            "weight": self.weight,
        }

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """Sums over the rows: `log_loss`, `squared_error` and `weight` of the task, or of each
        label; and `positives`, the weight of each class."""
        return {name: to_float(x) for name, x in self.exact().items()}
