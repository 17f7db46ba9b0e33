"""What a score means: the static objects that classification metrics take as their task."""

import abc
import dataclasses
from typing import ClassVar, final

import numpy as np

from .._metric.numbers import check_whole, plain_numbers


class AbstractTask(abc.ABC):
    """A classification task: hashable configuration, no arrays."""

    built_as: ClassVar[str] = (
        "a task: eqm.Binary(), eqm.Multiclass(num_classes) or eqm.Multilabel(num_labels)"
    )
    ignore_index: int | None

    @property
    @abc.abstractmethod
    def classes(self) -> int:
        """How many classes have counts of their own: 1 for a binary task."""

    @property
    def decisions(self) -> int:
        """How many decisions have counts of their own: one for each class, or each threshold."""
        return self.classes

    @property
    @abc.abstractmethod
    def valid(self) -> str:
        """Which rows are valid, in words."""

    def takes_part(self) -> np.ndarray:
        """The classes that averages are taken over: all but an ignored one."""
        return np.ones(self.classes, bool)


Threshold = float | tuple[float, ...]


def _check_threshold(threshold: Threshold) -> None:
    each = threshold if isinstance(threshold, tuple) else (threshold,)
    if not each or not all(0 <= x <= 1 for x in each):
        raise ValueError(
            f"threshold={threshold}: it is a probability, between 0 and 1. Logits are "
            "compared with its log-odds."
        )


def has_thresholds(task: "AbstractTask | None") -> bool:
    """Whether the thresholds of a binary task are an axis of what is read from its counts."""
    return isinstance(task, Binary) and isinstance(task.threshold, tuple)


def one_threshold(name: str, task: "AbstractTask | None") -> None:
    """Refuses the several thresholds of a binary task."""
    if has_thresholds(task):
        raise ValueError(
            f"`{name}` got {task}: it has no value for each threshold. Scores of `eqm.StatScores` "
            f"have; or give each threshold a `{name}` of its own in a `MetricDict`."
        )


def _scores(ignore_index: int | None) -> str:
    return (
        "scores without NaN, probabilities in [0, 1], weights >= 0 and finite"
        if ignore_index is None
        else f"or {ignore_index} to be ignored, scores without NaN, probabilities in [0, 1], "
        "weights >= 0 and finite"
    )


@final
@plain_numbers
@dataclasses.dataclass(frozen=True)
class Binary(AbstractTask):
    """A task of two classes, 0 and 1, of which 1 is the positive one.

    `labels` are 0 or 1 (or booleans). `logits`, `probabilities` and `predicted_labels` have the
    shape of `labels`: one score a row, that of class 1.

    **Arguments:**

    - `threshold`: a row is positive where its probability is greater, and not where it is equal
        (torcheval: there too); logits are compared with the log-odds of the threshold. Given
        several in a tuple, each has its own counts: [`eqmetrics.StatScores`][] and the scores that
        read it have values of shape `(thresholds,)`.
    - `ignore_index`: rows with this label are left out.
    """

    threshold: Threshold = 0.5
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        _check_threshold(self.threshold)

    @property
    def classes(self) -> int:
        return 1

    @property
    def decisions(self) -> int:
        return len(self.threshold) if isinstance(self.threshold, tuple) else 1

    @property
    def valid(self) -> str:
        return f"labels 0 and 1, {_scores(self.ignore_index)}"


@final
@plain_numbers
@dataclasses.dataclass(frozen=True)
class Multiclass(AbstractTask):
    """A task in which each row has one of several classes.

    `labels` are integers in `[0, num_classes)`; `logits` and `probabilities` have the classes on an
    additional last axis. The prediction is the highest score; ties go to the lower class.

    **Arguments:**

    - `num_classes`: how many classes there are.
    - `top_k`: a row is right if its label is among the `top_k` highest scores. Otherwise it counts
        as a prediction of the highest.
    - `ignore_index`: rows with this label are left out. If it is one of the classes, averages, the
        micro one too, leave out the class: predicting it is a false negative of the row's own
        class, and a false positive of none.
    """

    num_classes: int
    top_k: int = 1
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        check_whole("num_classes", self.num_classes, 1)
        check_whole("top_k", self.top_k, 1)

    @property
    def classes(self) -> int:
        return self.num_classes

    @property
    def valid(self) -> str:
        return f"labels in [0, {self.num_classes}), {_scores(self.ignore_index)}"

    def takes_part(self) -> np.ndarray:
        return np.arange(self.num_classes) != self.ignore_index


@final
@plain_numbers
@dataclasses.dataclass(frozen=True)
class Multilabel(AbstractTask):
    """A task in which each row has any number of labels, each a yes or no.

    `labels`, and `logits`, `probabilities` or `predicted_labels`, have the shape
    `(*rows, num_labels)`; `labels` are 0 or 1 (or booleans). A `mask` has the shape of the rows, or
    that of `labels` to remove single labels.

    **Arguments:**

    - `num_labels`: how many labels there are.
    - `threshold`: as for [`eqmetrics.Binary`][]; a tuple has one for each label.
    - `ignore_index`: entries of `labels` with this value are left out, one by one.
    - `top_k`: instead of a threshold, the `top_k` highest scores of a row are a yes; ties go to
        the lower label. Ignored entries aren't among them.
    """

    num_labels: int
    threshold: Threshold = 0.5
    ignore_index: int | None = None
    top_k: int | None = None

    def __post_init__(self) -> None:
        check_whole("num_labels", self.num_labels, 1)
        _check_threshold(self.threshold)
        if isinstance(self.threshold, tuple) and len(self.threshold) != self.num_labels:
            raise ValueError(
                f"threshold={self.threshold}: expected one, or one for each of the "
                f"{self.num_labels} labels. For scores at several thresholds give each a task of "
                "its own, in a `MetricDict`."
            )
        if self.top_k is not None:
            check_whole("top_k", self.top_k)
            if self.threshold != 0.5:
                raise ValueError(
                    f"threshold={self.threshold} and top_k={self.top_k}: either says which labels "
                    "are a yes. Leave out one."
                )

    @property
    def classes(self) -> int:
        return self.num_labels

    @property
    def valid(self) -> str:
        return f"labels 0 and 1, {_scores(self.ignore_index)}"
