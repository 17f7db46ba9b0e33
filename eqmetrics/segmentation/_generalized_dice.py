from collections.abc import Sequence
from typing import final, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._decisions.inputs import AbstractLabelled, Inputs
from .._decisions.stat_scores import StatScores
from .._decisions.task import AbstractTask
from .._metric.readout import AbstractReadout
from .._rows.nearest_quotient import quotient
from .._rows.pooled import check_per, Per
from .._rows.row_mean import AbstractRowMean
from .._rows.rows import undefined_as
from ._images import check_dimensions, counts_of, images_of, included


ClassWeight = Literal["square", "simple", "uniform"]


def _generalized(
    both: Array, predicted: Array, support: Array, part: Sequence[int], weight: ClassWeight
) -> tuple[Float32[Array, "..."], Bool[Array, "..."]]:
    """The score of counts of shape `(..., classes)`, and whether it is defined."""
    own = np.isin(np.arange(support.shape[-1]), part).reshape((1,) * (support.ndim - 1) + (-1,))
    if weight == "uniform":
        weights = jnp.where(own, jnp.ones_like(support), 0)
    else:
        there = own & (support > 0)
        # Weights are relative to the smallest class, whose weight is 1: reciprocals of large
        # squares underflow.
        least = jnp.min(jnp.where(there, support, jnp.inf), axis=-1, keepdims=True)
        share = jnp.where(there, least, 0) / jnp.where(there, support, 1)
        weights = share * share if weight == "square" else share
    top, bottom = (jnp.sum(weights * x, axis=-1) for x in (2 * both, predicted + support))
    return quotient(top, bottom), bottom > 0


@final
class _ImageScores(AbstractRowMean, AbstractLabelled):
    task: AbstractTask = eqx.field(static=True)
    include: tuple[int, ...] = eqx.field(static=True)
    weight: ClassWeight = eqx.field(static=True)
    dimensions: int = eqx.field(static=True)

    def __init__(
        self, task: AbstractTask, include: tuple[int, ...], weight: ClassWeight, dimensions: int
    ):
        self.task = task
        self.include = include
        self.weight = weight
        self.dimensions = dimensions
        AbstractRowMean.__init__(self, f"images of {task.valid}")

    def see(self, inputs: Inputs) -> Self:
        images = images_of(self.task, inputs, self.dimensions)
        support, predicted, both = (
            x.astype(jnp.float32) for x in counts_of(self.task, images)
        )
        scores = _generalized(both, predicted, support, self.include, self.weight)
        return self.plus(images.batch, *scores)


@final
class GeneralizedDice(AbstractReadout):
    r"""The Dice score with classes weighted by their size, computed for each image, then averaged
    over the images (`per="row"`), or for all pixels together (`per="pooled"`):
    $2 \sum_c w_c\,\mathrm{tp}_c / \sum_c w_c (p_c + n_c)$. Here $n_c$ is the number of pixels of a
    class, $p_c$ the number of pixels predicted to have it, and $w_c = 1/n_c^2$.

    A class without pixels has the weight 0, unless `weight="uniform"`: if it is predicted, only the
    other classes lose pixels. MONAI gives it the largest weight of the others.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `per`: `"row"` or `"pooled"`.
    - `weight`: `"square"`: $1/n_c^2$; `"simple"`: $1/n_c$; `"uniform"`: 1 for every class.
    - `include`: the classes to sum: `range(1, 4)` leaves out the background. All if not given.
    - `dimensions`: how many axes an image has: 3 for volumes.
    - `undefined`: what replaces an undefined value; NaN if not given.

    An image with an invalid pixel is an invalid row; if pooled, only the pixel is invalid.
    The gradient is 0: the value is piecewise constant.
    State: 6 floats; pooled, that of [`eqmetrics.StatScores`][], shared. Undefined when: no image
    has a pixel of the classes; images without one are skipped.
    Source: Sudre et al., "Generalised Dice overlap as a deep learning loss function for highly
    unbalanced segmentations", 2017.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        labels, predicted = jnp.array([[[0, 0, 0, 1]]]), jnp.array([[[0, 0, 1, 1]]])
        dice = eqm.segmentation.GeneralizedDice(eqm.Multiclass(2))
        value = dice(predicted_labels=predicted, labels=labels)  # weights of 1/9 and 1
        assert abs(value - 2 * (2 / 9 + 1) / (5 / 9 + 3)) < 1e-6
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    per: Per = eqx.field(static=True)
    weight: ClassWeight = eqx.field(static=True)
    include: tuple[int, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: StatScores | _ImageScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        per: Per = "row",
        weight: ClassWeight = "square",
        include: Sequence[int] | None = None,
        dimensions: int = 2,
        undefined: float | None = None,
    ):
        check_per(per)
        check_dimensions(dimensions)
        if weight not in get_args(ClassWeight):
            raise ValueError(f"weight={weight!r}: expected one of {get_args(ClassWeight)}.")
        self.task = task
        self.per = per
        self.weight = weight
        self.include = included(task, include)
        self.undefined = undefined
        if per == "pooled":
            self.statistic = StatScores(task)
        else:
            self.statistic = _ImageScores(task, self.include, weight, dimensions)

    def compute(self) -> Float32[Array, ""]:
        if isinstance(self.statistic, _ImageScores):
            value = self.statistic.compute()
            defined = self.statistic.sums.read("weight") != 0
        else:
            c = self.statistic.counts().floats()
            counts = c.tp, c.tp + c.fp, c.tp + c.fn
            value, defined = _generalized(*counts, self.include, self.weight)
        return undefined_as(value, ~defined, self.undefined)
