"""Scores of the surfaces of objects: the border pixels of the mask of a class in an image."""

import abc
import math
from collections.abc import Sequence
from typing import Any, final, Literal, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._decisions.inputs import AbstractLabelled, Inputs
from .._decisions.task import AbstractTask, Binary, Multiclass
from .._onepass.sums import Sums
from .._rows.quotient import over, ratio
from .._rows.rows import undefined_as
from ._distances import border, root_of_quantile, squared_distances
from ._images import Images, images_of, included


Average = Literal["macro"] | None


def check_spacing(spacing: Sequence[float]) -> tuple[float, ...]:
    each = tuple(float(s) for s in spacing)
    if not each or not all(0 < s < math.inf for s in each):
        raise ValueError(
            f"spacing={spacing}: expected the distance between neighbours along each axis of an "
            "image, as (1.0, 1.0), or (3.0, 0.7, 0.7) for volumes."
        )
    return each


def masks_of(
    task: AbstractTask, include: tuple[int, ...], images: Images
) -> tuple[Bool[Array, "masks ..."], Bool[Array, "masks ..."]]:
    """The masks of the labels and of the predictions, image by image and in it class by class.
    What is left out is in no mask, as what is outside of the image."""
    if isinstance(task, Multiclass):
        classes = jnp.asarray(include, jnp.int32)[None, :, None]
        of = lambda x: (x[:, None, :] == classes) & images.taken[:, None, :]
    else:
        of = lambda x: jnp.swapaxes(x & images.taken, 1, 2)[:, np.asarray(include)]
    count = images.labels.shape[0] * len(include)
    shaped = lambda x: of(x).reshape(count, *images.space)
    return shaped(images.labels), shaped(images.predicted)


class Surfaces(NamedTuple):
    """Of each mask the border of its labels and of its predictions, and the squared distance of
    every pixel to them."""

    on_labels: Bool[Array, "masks pixels"]
    on_predicted: Bool[Array, "masks pixels"]
    to_labels: Float32[Array, "masks pixels"]
    to_predicted: Float32[Array, "masks pixels"]

    def mean(self, of: Any) -> Float32[Array, "masks"]:
        """The mean over the pixels of both borders of a function of their squared distance to
        the other."""
        sides = ((self.on_labels, self.to_predicted), (self.on_predicted, self.to_labels))
        total = sum(jnp.sum(jnp.where(on, of(d), 0), axis=1) for on, d in sides)
        count = sum(jnp.sum(on.astype(jnp.float32), axis=1) for on, _ in sides)
        return ratio(jnp.asarray(total), jnp.asarray(count))


def _surfaces(labels: Array, predicted: Array, spacing: tuple[float, ...]) -> Surfaces:
    edges = border(labels), border(predicted)
    maps = (*edges, *(squared_distances(edge, spacing) for edge in edges))
    size = math.prod(labels.shape[1:])
    return Surfaces(*(x.reshape(labels.shape[0], size) for x in maps))


class AbstractSurfaceScore(AbstractLabelled):
    """The mean over the images of a score of the surfaces of each class, averaged over the classes
    that are there: in the labels, or predicted. A subclass writes `of_surfaces`."""

    task: AbstractTask = eqx.field(static=True)
    spacing: tuple[float, ...] = eqx.field(static=True)
    average: Average = eqx.field(static=True)
    include: tuple[int, ...] = eqx.field(static=True)
    missed_as: float = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        task: AbstractTask,
        spacing: Sequence[float],
        average: Average,
        include: Sequence[int] | None,
        missed: float,
        undefined: float | None,
    ):
        if average not in ("macro", None):
            raise ValueError(f"average={average!r}: expected 'macro', or None.")
        if not missed >= 0:
            raise ValueError(f"missed={missed}: expected a number of at least 0, or infinity.")
        self.task = task
        self.spacing = check_spacing(spacing)
        self.average = average
        self.include = included(task, include)
        self.missed_as = missed
        self.undefined = undefined
        each = len(self.include)
        shape = each if average is None else ()
        self.sums = Sums(
            f"images of {task.valid}",
            total=shape, weight=shape, found=each, missed=each, spurious=each,
        )  # fmt: skip

    @abc.abstractmethod
    def of_surfaces(self, surfaces: Surfaces) -> Float32[Array, "masks"]:
        """The score of each mask that is in the labels and in the predictions."""

    def see(self, inputs: Inputs) -> Self:
        images = images_of(self.task, inputs, len(self.spacing))
        labels, predicted = masks_of(self.task, self.include, images)
        scores = self.of_surfaces(_surfaces(labels, predicted, self.spacing))
        shape = images.labels.shape[0], len(self.include)
        some = lambda x: jnp.any(x, axis=tuple(range(1, x.ndim))).reshape(shape)
        true, said = some(labels), some(predicted)
        found, missed, spurious = true & said, true & ~said, said & ~true
        # What is infinite is counted, and not summed: a sum would hide how often.
        instead = jnp.float32(0 if self.missed_as == math.inf else self.missed_as)
        there = true | said
        scores = jnp.where(found, scores.reshape(shape), jnp.where(there, instead, 0))
        if self.average is not None:
            count = jnp.sum(there.astype(jnp.float32), axis=1)
            scores, there = ratio(jnp.sum(scores, axis=1), count), count > 0
        sums = self.sums.add(
            images.batch,
            total=scores, weight=there, found=found, missed=missed, spurious=spurious,
        )  # fmt: skip
        return self.replace(sums=sums)

    def _of_classes(self, x: Float32[Array, "included"]) -> Float32[Array, "..."]:
        if isinstance(self.task, Binary):
            return x[0]
        whole = jnp.full(self.task.classes, jnp.nan, jnp.float32)
        return whole.at[jnp.asarray(self.include, jnp.int32)].set(x)

    def objects(self) -> dict[str, Float32[Array, "..."]]:
        """How many objects (a class in an image) were `found`, `missed` (predicted nowhere), and
        `spurious` (predicted where there are none), of each class; of weighted images their
        weights. A binary task has one class."""
        names = "found", "missed", "spurious"
        return {name: self._of_classes(self.sums.read(name)) for name in names}

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        total, weight, missed, spurious = self.sums.read("total", "weight", "missed", "spurious")
        value = over(total, weight)
        if self.missed_as == math.inf:
            lost = missed + spurious
            lost = lost if self.average is None else jnp.sum(lost)
            value = jnp.where(lost > 0, jnp.inf, value)
        value = undefined_as(value, weight == 0, self.undefined)
        return self._of_classes(value) if self.average is None else value


@final
class HausdorffDistance(AbstractSurfaceScore):
    r"""The largest distance from the border of a prediction to that of the labels, or from that of
    the labels to the prediction's; of each image, then the mean over the images. With a
    `percentile`, 95 for HD95, that of the distances of either direction, and the larger.

    A border are the pixels of a mask with a neighbour along an axis that isn't in it, as in MONAI
    and medpy; DeepMind's `surface-distance` has elements between pixels, and other values. medpy
    takes the percentile of both directions together.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `percentile`: between 0 and 100; the largest distance if not given.
    - `spacing`: the distance between neighbours along each axis of an image: three for volumes.
    - `average`: `"macro"`, the mean over the classes that are in an image; `None`, of each class.
    - `include`: the classes: `range(1, 4)` leaves out the background. All if not given.
    - `missed`: the distance of an object that was missed, or is predicted where there is none:
        infinite, unless it is given (BraTS: the diagonal, 373.13).
    - `undefined`: what replaces an undefined value; NaN if not given.

    A missed object is never left out, or the distance would shrink as a model finds less.
    `objects()` says how many there were.
    The gradient is 0: the value is constant but for jumps.
    State: `6 * classes + 6` floats (`10 * classes + 2` if `average` is `None`); an update needs
    room for four floats a pixel and class. Undefined when: no image has an object, true or
    predicted; images that have none are skipped.
    Source: Huttenlocher, Klanderman and Rucklidge, "Comparing images using the Hausdorff distance",
    1993.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        labels = jnp.zeros((1, 8, 8), int).at[0, 0, 0].set(1)
        predicted = jnp.zeros((1, 8, 8), int).at[0, 3, 4].set(1)
        distance = eqm.segmentation.HausdorffDistance(eqm.Binary())
        assert distance(predicted_labels=predicted, labels=labels) == 5
        missed = distance.update(predicted_labels=labels * 0, labels=labels)
        assert missed.compute() == jnp.inf and missed.objects()["missed"] == 1
        ```
    """

    percentile: float | None = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        percentile: float | None = None,
        spacing: Sequence[float] = (1.0, 1.0),
        average: Average = "macro",
        include: Sequence[int] | None = None,
        missed: float = math.inf,
        undefined: float | None = None,
    ):
        if percentile is not None and not 0 <= percentile <= 100:
            raise ValueError(f"percentile={percentile}: expected a number between 0 and 100.")
        self.percentile = percentile
        AbstractSurfaceScore.__init__(self, task, spacing, average, include, missed, undefined)

    def of_surfaces(self, surfaces: Surfaces) -> Float32[Array, "masks"]:
        x = surfaces
        sides = ((x.to_labels, x.on_predicted), (x.to_predicted, x.on_labels))
        if self.percentile is None:
            # No NaN is there for XLA's maximum to drop.
            each = [
                jnp.sqrt(jnp.max(jnp.where(on, d, 0), axis=1, initial=0)) for d, on in sides
            ]
        else:
            each = [root_of_quantile(d, on, self.percentile / 100) for d, on in sides]
        return jnp.maximum(*each)


@final
class SurfaceDistance(AbstractSurfaceScore):
    r"""The average symmetric surface distance, of each image, then the mean over the images: the
    mean over the border pixels of labels and prediction, together, of the distance to the border
    of the other.

    As MONAI's with `symmetric=True`; medpy's `assd` is the mean of the means of both directions.

    **Arguments:**

    - `task`, `spacing`, `average`, `include`, `missed`, `undefined`: as of
        [`eqmetrics.segmentation.HausdorffDistance`][].

    A missed object is never left out: the value is infinite, or `missed` its distance, and
    `objects()` says how many there were.
    The gradient is 0: the value is constant but for jumps.
    State: `6 * classes + 6` floats (`10 * classes + 2` if `average` is `None`). Undefined when: no
    image has an object, true or predicted; images that have none are skipped.
    Source: Heimann et al., "Comparison and evaluation of methods for liver segmentation from CT
    datasets", 2009.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        labels = jnp.zeros((1, 8, 8), int).at[0, 1, 1].set(1)
        predicted = jnp.zeros((1, 8, 8), int).at[0, 1, 1:4].set(1)
        distance = eqm.segmentation.SurfaceDistance(eqm.Binary(), spacing=(1.0, 0.5))
        value = distance(predicted_labels=predicted, labels=labels)
        assert value == (0 + 0 + 0.5 + 1) / 4
        ```
    """

    def __init__(
        self,
        task: AbstractTask,
        *,
        spacing: Sequence[float] = (1.0, 1.0),
        average: Average = "macro",
        include: Sequence[int] | None = None,
        missed: float = math.inf,
        undefined: float | None = None,
    ):
        AbstractSurfaceScore.__init__(self, task, spacing, average, include, missed, undefined)

    def of_surfaces(self, surfaces: Surfaces) -> Float32[Array, "masks"]:
        return surfaces.mean(jnp.sqrt)


@final
class SurfaceDice(AbstractSurfaceScore):
    r"""The normalised surface Dice, of each image, then the mean over the images: the share of the
    border pixels of labels and prediction, together, that are at most `tolerance` away from the
    border of the other.

    As MONAI's, which counts pixels; DeepMind's `surface-distance` weighs the elements of a surface
    between them.

    **Arguments:**

    - `task`, `spacing`, `average`, `include`, `undefined`: as of
        [`eqmetrics.segmentation.HausdorffDistance`][].
    - `tolerance`: in the unit of `spacing`.

    A missed object, and one that is predicted where there is none, have a surface Dice of 0;
    `objects()` says how many there were.
    The gradient is 0: the value is constant but for jumps.
    State: `6 * classes + 6` floats (`10 * classes + 2` if `average` is `None`). Undefined when: no
    image has an object, true or predicted; images that have none are skipped.
    Source: Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and
    neck anatomy for radiotherapy", 2018.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        labels = jnp.zeros((1, 8, 8), int).at[0, 1, 1].set(1)
        predicted = jnp.zeros((1, 8, 8), int).at[0, 1, 1:4].set(1)
        dice = eqm.segmentation.SurfaceDice(eqm.Binary(), tolerance=1.0)
        assert dice(predicted_labels=predicted, labels=labels) == 3 / 4
        ```
    """

    tolerance: float = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        tolerance: float,
        spacing: Sequence[float] = (1.0, 1.0),
        average: Average = "macro",
        include: Sequence[int] | None = None,
        undefined: float | None = None,
    ):
        if not tolerance >= 0:
            raise ValueError(f"tolerance={tolerance}: expected a distance of at least 0.")
        self.tolerance = tolerance
        AbstractSurfaceScore.__init__(self, task, spacing, average, include, 0.0, undefined)

    def of_surfaces(self, surfaces: Surfaces) -> Float32[Array, "masks"]:
        # Three steps of 0.1 are as far as 0.3, whatever their squares are rounded to.
        most = jnp.float32(self.tolerance**2 * (1 + 1e-5))
        return surfaces.mean(lambda d: (d <= most).astype(jnp.float32))
