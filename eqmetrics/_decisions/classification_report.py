from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._metric.html import table
from .._metric.readout import AbstractReadout
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.nearest_quotient import quotient_or
from .average import mean_of
from .stat_scores import Counts, StatScores
from .task import AbstractTask, Binary, Multilabel, one_threshold


COLUMNS = "precision", "recall", "f1", "support"
_HEAD = "precision", "recall", "f1-score", "support"


@final
class Report(eqx.Module):
    """What a [`eqmetrics.ClassificationReport`][] computes; `print` shows it as a table, as
    scikit-learn does."""

    classes: dict[str, Any]
    """Arrays of shape `(classes,)` by name: `precision`, `recall`, `f1` and `support`."""
    averages: dict[str, dict[str, Any]]
    """The same scalars for `micro` (only multilabel), `macro` and `weighted`."""
    accuracy: Any
    """The share of right rows, a scalar; `None` for a multilabel task."""
    names: tuple[str | None, ...] = eqx.field(static=True)
    """The names of the classes; `None` where a class is ignored."""

    def _lines(self, digits: int) -> tuple[list[list[str]], list[list[str]]]:
        """The cells of each class, and those of the averages."""

        def cells(name: str, x: dict[str, Any], at: Any = ()) -> list[str]:
            *scores, support = (float(np.asarray(x[c])[at]) for c in COLUMNS)
            return [name, *(f"{score:.{digits}f}" for score in scores), _number(support)]

        each = [cells(n, self.classes, i) for i, n in enumerate(self.names) if n is not None]
        kinds = [kind for kind in ("micro", "macro", "weighted") if kind in self.averages]
        averages = [cells(f"{kind} avg", self.averages[kind]) for kind in kinds]
        if self.accuracy is not None:
            support = _number(float(self.averages["macro"]["support"]))
            right = f"{float(self.accuracy):.{digits}f}"
            averages.insert(0, ["accuracy", "", "", right, support])
        return each, averages

    def table(self, digits: int = 2) -> str:
        """The report as text. Host only."""
        each, averages = self._lines(digits)
        width = max(len("weighted avg"), digits, *(len(name) for name, *_ in each))

        def line(name: str, *cells: str) -> str:
            return f"{name:>{width}}  " + " ".join(f"{x:>9}" for x in cells) + "\n"

        groups = [line("", *_HEAD)], [line(*x) for x in each], [line(*x) for x in averages]
        return "\n".join("".join(group) for group in groups)

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        each, averages = self._lines(2)
        return table(["", *_HEAD], each + averages)


def _number(support: float) -> str:
    return str(int(support) if support.is_integer() else support)


def _with_both(counts: Counts) -> Counts:
    """The counts of the classes 0 and 1, from those of 1."""
    tp, fp, fn, tn = counts
    pairs = (tn, tp), (fn, fp), (fp, fn), (tp, tn)
    return Counts(*(jnp.concatenate(x) for x in pairs))


def _scores(counts: Counts, part: Array, undefined: float | None) -> dict[str, Array]:
    tp, fp, fn, _ = counts

    def ratio(top: Array, bottom: Array) -> Array:
        return jnp.where(part, quotient_or(top, bottom, undefined), jnp.nan)

    return {
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "support": tp + fn,
    }


def _average(each: dict[str, Array], weights: Array, undefined: float | None) -> dict[str, Array]:
    means = {
        name: mean_of(each[name], jnp.where(jnp.isnan(each[name]), 0, weights), undefined)
        for name in COLUMNS[:3]
    }
    return means | {"support": to_float(sum_rows(each["support"]))}


@final
class ClassificationReport(AbstractReadout):
    """Precision, recall, F1 and support of each class, and their averages: printed, the table
    that scikit-learn's `classification_report` prints.

    A binary task has a row for 0 and one for 1. Averages skip classes where the score is undefined,
    as with scikit-learn's `zero_division=nan`. There is no average over samples.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `names`: the names of the classes, in order; their numbers if not given.
    - `undefined`: what replaces an undefined value, after the averages; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: as for
    [`eqmetrics.Precision`][], [`eqmetrics.Recall`][] and [`eqmetrics.F1`][].

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        report = eqm.ClassificationReport(eqm.Multiclass(2), names=("cat", "dog"))
        value = report(predicted_labels=jnp.array([0, 1, 1]), labels=jnp.array([0, 0, 1]))
        print(value)
        ```

        ```text
                      precision    recall  f1-score   support

                 cat       1.00      0.50      0.67         2
                 dog       0.50      1.00      0.67         1

            accuracy                           0.67         3
           macro avg       0.75      0.75      0.67         3
        weighted avg       0.83      0.67      0.67         3
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: StatScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        names: tuple[str, ...] | list[str] | None = None,
        undefined: float | None = None,
    ):
        classes = 2 if isinstance(task, Binary) else task.classes
        if names is not None and len(names) != classes:
            raise ValueError(f"`names` has {len(names)} names, and the task {classes} classes.")
        one_threshold("ClassificationReport", task)
        self.task = task
        self.names = tuple(map(str, range(classes) if names is None else names))
        self.undefined = undefined
        self.statistic = StatScores(task)

    def compute(self) -> Report:
        """Arrays, as a [`eqmetrics.Report`][]."""
        pairs, part = self.statistic.counts(), self.task.takes_part()
        counts = pairs.floats()
        if isinstance(self.task, Binary):
            counts, part = _with_both(counts), np.ones(2, bool)
        takes_part = jnp.asarray(part)
        each = _scores(counts, takes_part, None)
        averages = {
            "macro": _average(each, jnp.ones_like(each["support"]), self.undefined),
            "weighted": _average(each, each["support"], self.undefined),
        }
        accuracy = None
        if isinstance(self.task, Multilabel):
            total = Counts(*(x[None] for x in pairs.total(takes_part).floats()))
            micro = _scores(total, jnp.ones(1, bool), self.undefined)
            averages["micro"] = {name: x[0] for name, x in micro.items()}
        else:
            right, support = (to_float(sum_rows(x)) for x in (counts.tp, each["support"]))
            accuracy = quotient_or(right, support, self.undefined)
        shown = tuple(n if takes else None for n, takes in zip(self.names, part, strict=True))
        classes = _scores(counts, takes_part, self.undefined)
        return Report(classes, averages, accuracy, shown)
