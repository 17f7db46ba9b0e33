import abc
from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from .._custom_types import Input, Labels, Mask, Weights
from .._decisions.decision import best
from .._decisions.inputs import Inputs
from .._decisions.scores import Scores, scores_of
from .._decisions.softmax import softmax
from .._decisions.task import AbstractTask, Multiclass, Multilabel
from .._metric.metric import AbstractExact
from .._metric.numbers import check_whole
from .._metric.readout import AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import Pair, to_float


def confidences(s: Scores, per_class: bool) -> tuple[Array, Array, Array]:
    """The confidence, whether it was right, and whether it takes part: of shape (rows,
    problems)."""
    x = s.scores
    if s.labels.ndim == 2:
        return jax.nn.sigmoid(x) if s.are_logits else x, s.labels, s.taken
    p = softmax(s.given, s.taken) if s.are_logits else x
    if per_class:
        return p, *s.each()
    index, top, _ = best("logits", p)
    return top[:, None], (index == s.labels)[:, None], s.taken[:, None]


def bin_of(p: Float32[Array, "..."], bins: int) -> Array:
    """The bin of each probability. Bins include their lower edge, the last one the upper too."""
    edges = jnp.asarray(np.arange(bins + 1) / bins, jnp.float32)
    index = jnp.clip(jnp.floor(p * bins).astype(jnp.int32), 0, bins - 1)
    # Rounding of the product may have crossed an edge.
    down, up = p < edges[index], p >= edges[index + 1]
    index = index - down.astype(jnp.int32) + up.astype(jnp.int32)
    return jnp.clip(index, 0, bins - 1)


_DENSE = 2**24


class AbstractConfidenceSums(AbstractStatistic, AbstractExact):
    """The sums of weight, confidence and right rows over cells of confidence. A subclass says which
    cells in `cell_of`."""

    task: AbstractTask = eqx.field(static=True)
    per_class: bool = eqx.field(static=True)
    sums: Sums  # `cells`: of weight, confidence and right rows, of each problem

    @property
    def apart(self) -> bool:
        """Whether each label or class has its own cells."""
        return self.per_class or isinstance(self.task, Multilabel)

    def empty_sums(self, cells: int) -> Sums:
        problems = self.task.classes if self.apart else 1
        return Sums(self.task.valid, cells=(3, problems, cells))

    @staticmethod
    @abc.abstractmethod
    def cell_of(p: Float32[Array, "rows problems"], cells: int) -> Int32[Array, "rows problems"]:
        """The cell of each confidence."""

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
        s = scores_of(self.task, Inputs(labels, logits, probabilities, None, mask, weights))
        p, right, taken = confidences(s, self.per_class)
        (count, problems), cells = p.shape, self.sums.pair("cells").shape[-1]
        index = self.cell_of(p, cells)
        three = jnp.stack([jnp.ones_like(p), p, right.astype(jnp.float32)], axis=1)
        three = jnp.where(taken[:, None], three, 0)
        # If `jax.export` leaves the number of rows open, the form that holds for any.
        if not isinstance(count, int) or count * problems * cells <= _DENSE:
            inside = index[..., None] == jnp.arange(cells, dtype=jnp.int32)[None, None, :]
            each = jnp.where(inside[:, None], three[..., None], 0)
            return self.replace(sums=self.sums.add(s.batch, cells=each))
        kinds = jnp.arange(3 * problems, dtype=jnp.int32).reshape(1, 3, problems)
        flat, shape = kinds * cells + index[:, None], (count, 3 * problems)
        sums = self.sums.add_at(s.batch, "cells", flat.reshape(shape), three.reshape(shape))
        return self.replace(sums=sums)

    def exact(self) -> dict[str, Pair]:
        names, cells = ("weight", "confidence", "right"), self.sums.pair("cells")
        return {name: cells[:, i] for i, name in enumerate(names)}

    def compute(self) -> dict[str, Float32[Array, "problems cells"]]:
        """A dict of sums over the rows of each bin or cell, `weight`, `confidence` and `right`, of
        shape `(problems, bins)`."""
        return {name: to_float(x) for name, x in self.exact().items()}


@final
class CalibrationBins(AbstractConfidenceSums):
    r"""The weight of the rows whose confidence lies in each bin, their confidences and how many of
    them were right: the statistic that [`eqmetrics.CalibrationError`][] and
    [`eqmetrics.ReliabilityDiagram`][] share.

    The bins have equal width, $[k / b, (k + 1) / b)$; the last one includes 1, so that the weights
    of the bins add up to that of all rows.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][] or [`eqmetrics.Multilabel`][]: the confidence is the
        probability of 1, which is right where the label is 1. [`eqmetrics.Multiclass`][]: the
        confidence is the highest probability, which is right where the label is that class.
    - `bins`: how many bins there are.
    - `per_class`: for a multiclass task, take each class against all others instead.

    State: `6 * bins` floats, for each label or class if these have their own bins; and 2 for the
    invalid rows. Undefined when: never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        bins = eqm.CalibrationBins(eqm.Binary(), bins=2)
        sums = bins(probabilities=jnp.array([0.0, 0.5, 1.0]), labels=jnp.array([0, 0, 1]))
        assert sums["weight"].tolist() == [[1, 2]] and sums["right"].tolist() == [[0, 1]]
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    bins: int = eqx.field(static=True)
    sums: Sums

    def __init__(self, task: AbstractTask, *, bins: int = 15, per_class: bool = False):
        check_whole("bins", bins, 1)
        if per_class and not isinstance(task, Multiclass):
            raise ValueError("`per_class` is for multiclass tasks: others are so already.")
        self.task = task
        self.bins = bins
        self.per_class = per_class
        self.sums = self.empty_sums(bins)

    @staticmethod
    def cell_of(p: Float32[Array, "rows problems"], cells: int) -> Int32[Array, "rows problems"]:
        return bin_of(p, cells)
