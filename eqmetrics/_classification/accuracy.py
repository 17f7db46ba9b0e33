import functools as ft
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._field import state
from .._quotient import over
from .._readout import AbstractPartialStatistic, AbstractReadout
from .._reduction import EXACT_SUM
from .._reduction.pair import add, sum_pairs, to_float
from .._row_sum import invalid_of, Parts, total_of, weight_of
from .._rows import undefined_as
from .._task import AbstractTask, Multiclass
from .average import average_of, AverageKind, check_average
from .decision import hits
from .inputs import AbstractClassification, Inputs
from .stat_scores import Counts, StatScores


@final
class Hits(AbstractPartialStatistic, AbstractClassification):
    """How many decisions were right, and how many were made: the statistic under
    [`eqmetrics.Accuracy`][] and [`eqmetrics.HammingLoss`][].

    **Arguments:**

    - `task`: a task; or `None`: multiclass, top-1, as many classes as there are scores.

    The gradient is 0: the value is constant but for jumps.
    State: 6 floats, whatever the number of classes. Undefined when: never.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        hits = eqm.Hits()
        logits = jnp.array([[-1.0, 1.0], [1.0, -1.0]])
        assert hits(logits=logits, labels=jnp.array([0, 0])).tolist() == [1, 2]
        ```
    """

    task: AbstractTask | None = eqx.field(static=True)
    sums: Float32[Array, "2 2"] = state(reduce=EXACT_SUM)  # pairs of (right, all)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.valid}")

    def __init__(self, task: AbstractTask | None = None):
        self.task = task
        self.sums = jnp.zeros((2, 2))
        self.invalid = jnp.zeros(2)

    @property
    def valid(self) -> str:
        if self.task is not None:
            return self.task.valid
        scores = "scores without NaN, probabilities in [0, 1]"
        return f"labels in [0, classes), {scores}, weights >= 0 and finite"

    def see(self, inputs: Inputs) -> Parts:
        hit, d = hits(self.task, inputs)
        batch = d.batch
        if hit.ndim == 1:
            sums = total_of(batch._replace(values=hit)), weight_of(batch)
        else:
            # each of the labels of a row is a decision
            each = jnp.stack([hit & d.taken, d.taken], axis=-1)
            counts = jnp.sum(each, axis=1, dtype=jnp.int32)
            sums = total_of(batch._replace(values=counts))
        return {"sums": sums, "invalid": invalid_of(batch)}

    def larger(self) -> StatScores | None:
        return None if self.task is None else StatScores(self.task)

    @classmethod
    def read(cls, larger: StatScores) -> Self:
        counts = larger.counts()
        if isinstance(larger.task, Multiclass):
            right, wrong = counts.tp, counts.fn
        else:
            right, wrong = add(counts.tp, counts.tn), add(counts.fp, counts.fn)
        both = sum_pairs(jnp.stack([right, add(right, wrong)], axis=-1))
        return cls(larger.task).replace(sums=both, invalid=larger.invalid)

    def compute(self) -> Float32[Array, "2"]:
        """The weights of the right decisions and of all."""
        return to_float(self.sums)


def _accuracy(counts: Counts, multiclass: bool) -> tuple[Array, Array]:
    tp, fp, fn, tn = counts
    # Of one class among several, the rows that are its own: all others would be right of it
    # as soon as they are something else, however wrong.
    return (tp, tp + fn) if multiclass else (tp + tn, tp + fp + fn + tn)


@final
class Accuracy(AbstractReadout):
    r"""The share of right decisions.

    Without a task, the share of rows whose highest score is the label's, as in clu: `logits`
    of shape `(*rows, classes)`, `labels` of shape `rows`, and a state that doesn't grow with
    the classes. Ties go to the lower class.

    The accuracy of one class of several is the share of its rows that are right (its recall),
    as in torchmetrics; that of a label of a multilabel task is the share of right decisions
    about it. With `average="macro"` a multiclass accuracy is the balanced accuracy.

    **Arguments:**

    - `task`: a task; `None` as said above.
    - `average`: `"micro"` over all decisions alike, `"macro"`, `"weighted"` by the support of
        the classes, or `None` for each class. Micro here, unlike in the rest of the family.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is constant but for jumps.
    State: micro 6 floats, else that of [`eqmetrics.StatScores`][]. Undefined when: no row was
    seen; of a class, when no row of it was.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        logits = jnp.array([[-1.0, 1.0], [1.0, -1.0]])
        assert eqm.Accuracy()(logits=logits, labels=jnp.array([0, 0])) == 0.5
        ```
    """

    task: AbstractTask | None = eqx.field(static=True)
    average: AverageKind = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: Hits | StatScores

    def __init__(
        self,
        task: AbstractTask | None = None,
        *,
        average: AverageKind = "micro",
        undefined: float | None = None,
    ):
        check_average(average)
        if task is None and average != "micro":
            raise ValueError(
                f"`Accuracy(average={average!r})` needs to know the classes: "
                f"`eqm.Accuracy(eqm.Multiclass(num_classes), average={average!r})`."
            )
        self.task = task
        self.average = average
        self.undefined = undefined
        self.statistic = Hits(task) if task is None or average == "micro" else StatScores(task)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None`."""
        if isinstance(self.statistic, Hits):
            right, every = self.statistic.compute()
            return undefined_as(over(right, every), every == 0, self.undefined)
        ratio = ft.partial(_accuracy, multiclass=isinstance(self.task, Multiclass))
        return average_of(ratio, self.statistic, self.average, self.undefined)
