from typing import final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from .._custom_types import Input, Labels, Mask, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._probabilities.calibration_error import averaged
from .._probabilities.proper_scores import average_problems, check_label_average, LabelAverage
from .._rows.nearest_quotient import quotient
from .inputs import Inputs
from .scores import Scores, scores_of
from .task import AbstractTask, Multiclass


MultiClass = Literal["crammer_singer", "ovr"]


def _losses(s: Scores, ovr: bool, squared: bool) -> tuple[Array, Array]:
    """The loss of each problem (row, label or class), and whether it counts."""
    if ovr:
        yes, taken = s.each()
        margin = jnp.where(yes, s.scores, -s.scores)
    elif s.labels.ndim == 1:
        index = jnp.where(s.taken, s.labels, 0)[:, None]
        classes = jnp.arange(s.scores.shape[1], dtype=jnp.int32)[None, :]
        own = jnp.take_along_axis(s.scores, index, axis=-1)
        others = jnp.where(classes == index, -jnp.inf, s.scores)
        best, taken = jnp.max(others, axis=-1, keepdims=True), s.taken[:, None]
        margin = jnp.where(own == best, 0, own - best)
    else:
        margin, taken = jnp.where(s.labels, s.scores, -s.scores), s.taken
    loss = jnp.where(taken, jnp.maximum(1 - margin, 0), 0)
    return loss * loss if squared else loss, taken


@final
class Hinge(Metric):
    r"""The mean hinge loss: by how much rows miss a margin of 1.

    For a binary task $\max(0, 1 - (2 y_i - 1) s_i)$; multiclass
    $\max(0, 1 - s_{i y_i} + \max_{c \neq y_i} s_{ic})$, as Crammer and Singer and scikit-learn
    define it; multilabel, the binary loss of each label. Scores are decision values, so `logits`;
    probabilities have no margin of 1.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `squared`: whether each loss is squared first.
    - `multi_class`: for a multiclass task, `"crammer_singer"`, as above, or `"ovr"`, the binary
        loss of each class against all others.
    - `average`: for a multilabel task and for ovr, `"macro"`, the mean over the labels or classes
        where the loss is defined, or `None`, for each. An ignored class is skipped.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 4 floats, 4 a label if the task is multilabel, 4 a class with ovr; and 2 for the invalid
    rows.
    Undefined when: no row was seen.
    Source: Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based
    vector machines", 2001.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        hinge = eqm.Hinge(eqm.Binary())
        assert hinge(logits=jnp.array([0.5, 2.0]), labels=jnp.array([1, 1])) == 0.25
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    squared: bool = eqx.field(static=True)
    multi_class: MultiClass = eqx.field(static=True)
    average: LabelAverage = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        task: AbstractTask,
        *,
        squared: bool = False,
        multi_class: MultiClass = "crammer_singer",
        average: LabelAverage = "macro",
        undefined: float | None = None,
    ):
        check_label_average(average)
        if multi_class not in get_args(MultiClass):
            raise ValueError(f"multi_class={multi_class!r}: expected {get_args(MultiClass)}.")
        if multi_class == "ovr" and not isinstance(task, Multiclass):
            raise ValueError(f"multi_class='ovr' is for a multiclass task, not for {task}.")
        self.task = task
        self.squared = squared
        self.multi_class = multi_class
        self.average = average
        self.undefined = undefined
        whole = isinstance(task, Multiclass) and multi_class != "ovr"
        problems = 1 if whole else task.classes
        self.sums = Sums(task.valid, loss=problems, weight=problems)

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."],
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`logits` and `labels` have the shapes of the task; `mask` and `weights` that of the
        rows."""
        s = scores_of(self.task, Inputs(labels, logits, None, None, mask, weights))
        loss, taken = _losses(s, self.multi_class == "ovr", self.squared)
        return self.replace(sums=self.sums.add(s.batch, loss=loss, weight=taken))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; if `average` is `None`, of shape `(labels,)` for a multilabel task, and
        `(classes,)` for ovr."""
        loss, weight = self.sums.read("loss", "weight")
        if self.multi_class == "ovr":
            found = quotient(loss, weight), weight > 0
            return averaged(*found, self.task, self.average, self.undefined)
        return average_problems(
            quotient(loss, weight), weight > 0, self.task, self.average, self.undefined
        )
