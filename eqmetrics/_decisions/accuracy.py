import functools as ft
from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractPartialStatistic, AbstractReadout
from .._onepass.sums import Sums
from .._reduction.pair import add
from .._reduction.pair_sums import sum_pairs
from .._rows.nearest_quotient import quotient_or
from .._rows.row_mean import Empty
from .average import ALL, average_of, AverageKind, check_average, Scope, scope_of
from .decision import hits
from .inputs import AbstractLabelled, Inputs
from .stat_scores import Counts, StatScores
from .task import AbstractTask, has_thresholds, Multiclass, one_threshold


@final
class Hits(AbstractPartialStatistic, AbstractLabelled):
    """The number of right decisions, and of all decisions: the statistic that
    [`eqmetrics.Accuracy`][] and [`eqmetrics.HammingLoss`][] read.

    **Arguments:**

    - `task`: a task; `None` is multiclass, top-1, with as many classes as there are scores.

    The gradient is 0: the value is piecewise constant.
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
    sums: Sums

    def __init__(self, task: AbstractTask | None = None):
        one_threshold("Hits", task)
        self.task = task
        scores = "scores without NaN, probabilities in [0, 1]"
        any_classes = f"labels in [0, classes), {scores}, weights >= 0 and finite"
        self.sums = Sums(any_classes if task is None else task.valid, right=(), every=())

    def see(self, inputs: Inputs) -> Self:
        hit, d = hits(self.task, inputs)
        if hit.ndim == 1:
            return self.replace(sums=self.sums.add(d.batch, right=hit, every=1))
        # Each label of a row is a decision.
        right, every = (jnp.sum(x, axis=1, dtype=jnp.int32) for x in (hit & d.taken, d.taken))
        return self.replace(sums=self.sums.add(d.batch, right=right, every=every))

    def larger(self) -> StatScores | None:
        return None if self.task is None else StatScores(self.task)

    @classmethod
    def read(cls, larger: StatScores) -> Self:
        counts = larger.counts()
        if isinstance(larger.task, Multiclass):
            right, wrong = counts.tp, counts.fn
        else:
            right, wrong = add(counts.tp, counts.tn), add(counts.fp, counts.fn)
        right, every = sum_pairs(right), sum_pairs(add(right, wrong))
        hits = cls(larger.task)
        return hits.replace(sums=hits.sums.read_from(larger.sums, right=right, every=every))

    def compute(self) -> Float32[Array, "2"]:
        """The weight of the right decisions and of all, of shape `(2,)`."""
        return jnp.stack(self.sums.read("right", "every"))


def _accuracy(counts: Counts, multiclass: bool) -> tuple[Array, Array]:
    tp, fp, fn, tn = counts
    # Of one class among several, only its own rows: any other row would be right about the class as
    # soon as its prediction is something else, even a wrong class.
    return (tp, tp + fn) if multiclass else (tp + tn, tp + fp + fn + tn)


@final
class Accuracy(AbstractReadout):
    r"""The share of right decisions.

    Without a task, the share of rows whose highest score is that of the label, as in clu: `logits`
    of shape `(*rows, classes)`, `labels` of shape `(*rows,)`, and a state that doesn't grow with
    the classes. Ties go to the lower class.

    The accuracy of one of several classes is the share of its rows that are right (its recall), as
    in torchmetrics; that of one label of a multilabel task is the share of right decisions about
    it. With `average="macro"` a multiclass accuracy is the balanced accuracy.

    **Arguments:**

    - `task`: a task; `None`, not given, as above.
    - `average`: `"micro"`, over all decisions alike; `"macro"`, over the classes; `"weighted"`, by
        the support of the classes; `None`, for each class. Unlike in the rest of the family the
        default is `"micro"`.
    - `include`: the classes of the average, such as `(1, 2)`; all but an ignored one if not given.
        Other classes have no value.
    - `empty`: what an undefined class counts as in a macro or weighted average: `"skip"` leaves it
        out, `"zero"` and `"one"` count it as 0 or 1.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats for micro, else that of [`eqmetrics.StatScores`][]. Undefined when: no row was
    seen; for a class, if it has no row.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        logits = jnp.array([[-1.0, 1.0], [1.0, -1.0]])
        assert eqm.Accuracy()(logits=logits, labels=jnp.array([0, 0])) == 0.5
        ```
    """

    task: AbstractTask | None = eqx.field(static=True)
    average: AverageKind = eqx.field(static=True)
    scope: Scope = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: Hits | StatScores

    def __init__(
        self,
        task: AbstractTask | None = None,
        *,
        average: AverageKind = "micro",
        include: Sequence[int] | None = None,
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        check_average(average)
        if task is None and (average != "micro" or include is not None):
            raise ValueError(
                f"`Accuracy(average={average!r}, include={include!r})` needs to know the classes: "
                f"`eqm.Accuracy(eqm.Multiclass(num_classes), average={average!r})`."
            )
        self.task = task
        self.average = average
        self.scope = ALL if task is None else scope_of(task, include, empty)
        self.undefined = undefined
        whole = average == "micro" and include is None and not has_thresholds(task)
        self.statistic = Hits(task) if task is None or whole else StatScores(task)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None`, and `(thresholds,)` for a binary
        task that has several."""
        if isinstance(self.statistic, Hits):
            right, every = self.statistic.compute()
            return quotient_or(right, every, self.undefined)
        ratio = ft.partial(_accuracy, multiclass=isinstance(self.task, Multiclass))
        return average_of(ratio, self.statistic, self.average, self.undefined, self.scope)
