"""Dice and intersection over union: of each image, or of all pixels together."""

import abc
from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._decisions.average import AverageKind, check_average
from .._decisions.inputs import AbstractLabelled, Inputs
from .._decisions.stat_scores import StatScores
from .._decisions.task import AbstractTask, Binary
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import Sums
from .._rows.pooled import check_per, Per
from .._rows.quotient import over
from .._rows.row_mean import check_empty, Empty
from .._rows.rows import undefined_as
from ._images import check_dimensions, counts_of, images_of, included, mean_of_classes


def _dice(both: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
    return 2 * both, predicted + support


def _iou(both: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
    return both, predicted + support - both


@final
class ImageOverlaps(AbstractStatistic, AbstractLabelled):
    """Sums over the images of their Dice and IoU: the statistic of `Dice` and `MeanIoU`."""

    task: AbstractTask = eqx.field(static=True)
    include: tuple[int, ...] = eqx.field(static=True)
    average: AverageKind = eqx.field(static=True)
    dimensions: int = eqx.field(static=True)
    empty_as: Empty = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        task: AbstractTask,
        include: tuple[int, ...],
        average: AverageKind,
        dimensions: int,
        empty: Empty,
    ):
        self.task = task
        self.include = include
        self.average = average
        self.dimensions = dimensions
        self.empty_as = empty
        shape = task.classes if average is None else ()
        self.sums = Sums(f"images of {task.valid}", dice=shape, iou=shape, weight=shape)

    def see(self, inputs: Inputs) -> Self:
        images = images_of(self.task, inputs, self.dimensions)
        support, predicted, both = counts_of(self.task, images)
        empty = None
        if self.empty_as != "skip":  # an image without pixels still has no score
            some = jnp.any(images.taken.reshape(support.shape[0], -1), axis=1)
            empty = jnp.where(some, 1.0 if self.empty_as == "one" else 0.0, jnp.nan)
        scores = []
        for top, bottom in (_dice(both, predicted, support), _iou(both, predicted, support)):
            t, b, n = (x.astype(jnp.float32) for x in (top, bottom, support))
            scores.append(mean_of_classes(t, b, n, self.include, self.average, empty))
        (dice, defined), (iou, _) = scores
        weigh = lambda x: jnp.where(defined, x, 0)
        sums = self.sums.add(images.batch, dice=weigh(dice), iou=weigh(iou), weight=defined)
        return self.replace(sums=sums)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        return self.sums.compute()


class AbstractOverlap(AbstractReadout):
    """A score of the counts of each class. A subclass defines the score in `ratio`, and says in
    `of_images` which sum of [`ImageOverlaps`] it reads."""

    task: AbstractTask = eqx.field(static=True)
    per: Per = eqx.field(static=True)
    average: AverageKind = eqx.field(static=True)
    include: tuple[int, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: StatScores | ImageOverlaps

    def __init__(
        self,
        task: AbstractTask,
        *,
        per: Per = "row",
        average: AverageKind = "macro",
        include: Sequence[int] | None = None,
        dimensions: int = 2,
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        check_per(per)
        check_average(average)
        check_dimensions(dimensions)
        check_empty(empty)
        if per == "pooled" and empty != "skip":
            raise ValueError(
                f"empty={empty!r}: it says what a class that an image lacks counts as, and with "
                "per='pooled' no image has a score. `undefined=` replaces the value of a class "
                "that all images lack."
            )
        self.task = task
        self.per = per
        self.average = "micro" if isinstance(task, Binary) else average
        self.include = included(task, include)
        self.undefined = undefined
        if per == "pooled":
            self.statistic = StatScores(task)
        else:
            own = self.include, self.average, dimensions, empty
            self.statistic = ImageOverlaps(task, *own)

    @staticmethod
    @abc.abstractmethod
    def ratio(both: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
        """Numerator and denominator, linear in the counts; 0/0 is undefined."""

    @staticmethod
    @abc.abstractmethod
    def of_images(sums: Sums) -> Float32[Array, "..."]:
        """The sum over the images."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        if isinstance(self.statistic, ImageOverlaps):
            total, weight = self.of_images(self.statistic.sums), self.statistic.sums.read("weight")
            value, defined = over(total, weight), weight != 0
        else:
            counts, part = self.statistic.counts(), self.include
            if self.average == "micro":  # totals as pairs, without the rounding of a sum of floats
                own = jnp.isin(jnp.arange(self.task.classes), jnp.asarray(part))
                counts, part = counts.total(own), (0,)
            each = [x.reshape(-1) for x in counts.floats()]
            both, predicted, support = each[0], each[0] + each[1], each[0] + each[2]
            top, bottom = self.ratio(both, predicted, support)
            value, defined = mean_of_classes(top, bottom, support, part, self.average)
        value = undefined_as(value, ~defined, self.undefined)
        if self.average is None:  # classes that aren't included stay NaN, whatever `undefined` is
            own = jnp.isin(jnp.arange(self.task.classes), jnp.asarray(self.include))
            value = jnp.where(own, value, jnp.nan)
        return value


@final
class Dice(AbstractOverlap, init=False):
    r"""The Dice score, computed for each image, then averaged over the images (`per="row"`), or for
    all pixels together (`per="pooled"`, which is [`eqmetrics.F1`][] of the pixels). For each class
    it is twice the number of pixels in both masks, divided by the sum of the sizes of the masks:
    $2\,\mathrm{tp} / (2\,\mathrm{tp} + \mathrm{fp} + \mathrm{fn})$.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `per`: `"row"` or `"pooled"`.
    - `average`: `"macro"`: the mean over the classes where it is defined; `"weighted"`: that mean,
        weighted by the pixels of the classes; `"micro"`: from all counts together; `None`: a value
        for each class. With `per="row"` the average is taken for each image first. For nnU-Net's
        mean, over images and then over classes, take `jnp.nanmean` of the value of `average=None`.
    - `include`: the classes to average: `range(1, 4)` leaves out the background. All if not given.
    - `dimensions`: how many axes an image has: 3 for volumes.
    - `empty`: with `per="row"`, the value of a class in an image where it is neither true nor
        predicted: `"skip"` leaves it out, `"zero"` and `"one"` count it as 0 or 1 (`"one"` is
        MONAI's `ignore_empty=False`).
    - `undefined`: what replaces an undefined value; NaN if not given.

    An image with an invalid pixel is an invalid row; if pooled, only the pixel is invalid.
    The gradient is 0: the value is piecewise constant.
    State: 8 floats (`6 * classes + 2` if `average` is `None`), which
    [`eqmetrics.segmentation.MeanIoU`][] shares; pooled, that of [`eqmetrics.StatScores`][], shared.
    Undefined when: no class is in any image, true or predicted.
    Source: Dice, "Measures of the amount of ecologic association between species", 1945.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        predicted = jnp.array([[[1, 1], [0, 0]], [[0, 0], [0, 1]]])
        labels = jnp.array([[[1, 0], [1, 0]], [[0, 0], [0, 1]]])
        dice = eqm.segmentation.Dice(eqm.Binary())
        assert dice(predicted_labels=predicted, labels=labels) == 0.75  # of 1/2 and 1
        ```
    """

    @staticmethod
    def ratio(both: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
        return _dice(both, predicted, support)

    @staticmethod
    def of_images(sums: Sums) -> Float32[Array, "..."]:
        return sums.read("dice")


@final
class MeanIoU(AbstractOverlap, init=False):
    r"""Intersection over union, computed for each image, then averaged over the images
    (`per="row"`), or for all pixels together (`per="pooled"`: the mIoU of VOC and Cityscapes, which
    is [`eqmetrics.Jaccard`][] of the pixels). For each class it is
    $\mathrm{tp} / (\mathrm{tp} + \mathrm{fp} + \mathrm{fn})$.

    torchmetrics averages over the images, and keras takes all pixels together. metrax averages over
    batches, so its value depends on the batch size.

    **Arguments:**

    - `task`, `per`, `average`, `include`, `dimensions`, `empty`, `undefined`: as in
        [`eqmetrics.segmentation.Dice`][].

    The gradient is 0: the value is piecewise constant.
    State: 8 floats (`6 * classes + 2` if `average` is `None`), which
    [`eqmetrics.segmentation.Dice`][] shares; pooled, that of [`eqmetrics.StatScores`][], shared.
    Undefined when: no class is in any image, nor predicted.
    Source: Everingham et al., "The Pascal visual object classes challenge", 2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        predicted = jnp.array([[[1, 1], [0, 0]], [[0, 0], [0, 1]]])
        labels = jnp.array([[[1, 0], [1, 0]], [[0, 0], [0, 1]]])
        iou = lambda per: eqm.segmentation.MeanIoU(eqm.Binary(), per=per)
        by_image = iou("row")(predicted_labels=predicted, labels=labels)
        assert by_image == jnp.float32(2 / 3)  # of 1/3 and 1
        assert iou("pooled")(predicted_labels=predicted, labels=labels) == 0.5
        ```
    """

    @staticmethod
    def ratio(both: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
        return _iou(both, predicted, support)

    @staticmethod
    def of_images(sums: Sums) -> Float32[Array, "..."]:
        return sums.read("iou")
