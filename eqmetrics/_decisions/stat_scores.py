from typing import final, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.metric import AbstractExact
from .._metric.readout import AbstractPartialStatistic
from .._onepass.sums import Sums
from .._reduction.pair import add, Pair, to_float
from .._reduction.pair_sums import sum_pairs
from .confusion_counts import ConfusionCounts, MOST_CLASSES
from .decision import decide
from .inputs import AbstractLabelled, Inputs
from .task import AbstractTask, Multiclass


class Counts(NamedTuple):
    """True and false positives and negatives, for each class or for all together."""

    tp: Array
    fp: Array
    fn: Array
    tn: Array

    def floats(self) -> "Counts":
        return Counts(*map(to_float, self))

    def total(self, part: Array) -> "Counts":
        """The sums over the classes where `part` is true, of counts that are pairs."""
        return Counts(*(sum_pairs(jnp.where(part[None], x, 0)) for x in self))


@final
class StatScores(AbstractPartialStatistic, AbstractExact, AbstractLabelled):
    r"""True and false positives and negatives of each class: the statistic that scores of counts
    read, and share in a `MetricDict`.

    A row with label $y$ and prediction $p$ is a true positive of $y$ if $p = y$; else a false
    negative of $y$ and a false positive of $p$. An update costs $O(\text{rows} + \text{classes})$.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].

    The gradient is 0: the value is piecewise constant.
    State: 6 floats a class (8 if the task isn't multiclass; 8 a threshold for a binary task), and 2
    for the invalid rows.
    Undefined when: never; empty counts are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        scores = eqm.StatScores(eqm.Multiclass(3))
        counts = scores(predicted_labels=jnp.array([0, 1, 1]), labels=jnp.array([0, 1, 2]))
        assert counts["tp"].tolist() == [1, 1, 0] and counts["fp"].tolist() == [0, 1, 0]
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    # `cells`, for each class: the weight of its rows, of the rows predicted as it, and of both; and
    # that of all rows, unless it is the sum of the first over the classes.
    sums: Sums

    def __init__(self, task: AbstractTask):
        self.task = task
        kinds = 3 if isinstance(task, Multiclass) else 4
        self.sums = Sums(task.valid, cells=(kinds, task.decisions))

    def see(self, inputs: Inputs) -> Self:
        d, classes = decide(self.task, inputs), self.task.classes
        if isinstance(self.task, Multiclass):
            # Each row has one label and one prediction: three cells, wherever the classes end.
            index = jnp.stack([d.labels, classes + d.predicted, 2 * classes + d.labels], axis=1)
            columns = jnp.stack([d.taken, d.taken, d.taken & (d.labels == d.predicted)], axis=1)
            return self.replace(sums=self.sums.add_at(d.batch, "cells", index, columns))
        # Each row says yes or no to every class.
        both = d.labels & d.predicted
        columns = jnp.stack([d.labels, d.predicted, both, jnp.ones_like(d.labels)], axis=1)
        return self.replace(sums=self.sums.add(d.batch, cells=columns & d.taken[:, None]))

    def larger(self) -> ConfusionCounts | None:
        if isinstance(self.task, Multiclass) and self.task.num_classes <= MOST_CLASSES:
            return ConfusionCounts(self.task)
        return None

    @classmethod
    def read(cls, larger: ConfusionCounts) -> Self:
        new, cells = cls(larger.task), jnp.stack(larger.margins(), axis=1)
        return new.replace(sums=new.sums.read_from(larger.sums, cells=cells))

    def counts(self) -> Counts:
        """The counts of each class as pairs: arrays of shape `(2, classes)`."""
        cells = self.sums.pair("cells")
        support, predicted, tp = cells[:, 0], cells[:, 1], cells[:, 2]
        fp, fn = add(predicted, -tp), add(support, -tp)
        if cells.shape[1] == 4:
            total = cells[:, 3]
        else:
            total = jnp.broadcast_to(sum_pairs(support)[:, None], support.shape)
        return Counts(tp, fp, fn, add(add(total, -support), -fp))

    def exact(self) -> dict[str, Pair]:
        counts = self.counts()
        return counts._asdict() | {"support": add(counts.tp, counts.fn)}

    def compute(self) -> dict[str, Float32[Array, "classes"]]:
        """A dict: `tp`, `fp`, `fn`, `tn` and `support` of each class, of shape `(classes,)`; for a
        binary task those of class 1, or with several thresholds of shape `(thresholds,)`."""
        return {name: to_float(x) for name, x in self.exact().items()}
