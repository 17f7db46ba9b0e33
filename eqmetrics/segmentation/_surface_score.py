"""The base class of surface scores: borders of the mask of each class, and counts of objects."""

import abc
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._decisions.inputs import AbstractLabelled, Inputs
from .._decisions.task import AbstractTask, Binary, Multiclass
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient
from .._rows.pooled import check_per, Per
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._distances import border, squared_distances
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
    """The masks of the labels and of the predictions, for each image and each class. Pixels that
    are left out are in no mask, like those outside the image."""
    if isinstance(task, Multiclass):
        classes = jnp.asarray(include, jnp.int32)[None, :, None]
        of = lambda x: (x[:, None, :] == classes) & images.taken[:, None, :]
    else:
        of = lambda x: jnp.swapaxes(x & images.taken, 1, 2)[:, np.asarray(include)]
    count = images.labels.shape[0] * len(include)
    shaped = lambda x: of(x).reshape(count, *images.space)
    return shaped(images.labels), shaped(images.predicted)


class Surfaces(NamedTuple):
    """For each mask, the border of its labels and of its predictions, and the squared distance of
    every pixel to each."""

    on_labels: Bool[Array, "masks pixels"]
    on_predicted: Bool[Array, "masks pixels"]
    to_labels: Float32[Array, "masks pixels"]
    to_predicted: Float32[Array, "masks pixels"]

    def over_borders(self, of: Any) -> tuple[Float32[Array, "masks"], Float32[Array, "masks"]]:
        """The sum, over the pixels of both borders, of a function of the squared distance to the
        other border, and the number of these pixels."""
        sides = ((self.on_labels, self.to_predicted), (self.on_predicted, self.to_labels))
        total = sum(jnp.sum(jnp.where(on, of(d), 0), axis=1) for on, d in sides)
        count = sum(jnp.sum(on.astype(jnp.float32), axis=1) for on, _ in sides)
        return jnp.asarray(total), jnp.asarray(count)


def _surfaces(labels: Array, predicted: Array, spacing: tuple[float, ...]) -> Surfaces:
    # Both in one call: with two calls XLA on a CPU would make a table of all pairs of lines for
    # both, and write it to memory.
    edges = border(jnp.concatenate([labels, predicted]))
    maps = (edges, squared_distances(edges, spacing))
    shape = 2, labels.shape[0], math.prod(labels.shape[1:])
    return Surfaces(*(x for both in maps for x in both.reshape(shape)))


class AbstractSurfaceScore(AbstractLabelled):
    """A score of the surfaces of each class, averaged over the classes in the labels or predictions
    and over the images; or, with `per="pooled"`, for the surfaces of all images together. A
    subclass defines the score in `of_surfaces`."""

    task: AbstractTask = eqx.field(static=True)
    spacing: tuple[float, ...] = eqx.field(static=True)
    per: Per = eqx.field(static=True)
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
        per: Per = "row",
    ):
        check_per(per)
        if average not in ("macro", None):
            raise ValueError(f"average={average!r}: expected 'macro', or None.")
        if not missed >= 0:
            raise ValueError(f"missed={missed}: expected a number of at least 0, or infinity.")
        self.task = task
        self.spacing = check_spacing(spacing)
        self.per = per
        self.average = average
        self.include = included(task, include)
        self.missed_as = missed
        self.undefined = undefined
        each = len(self.include)
        shape = each if average is None or per == "pooled" else ()
        self.sums = Sums(
            f"images of {task.valid}",
            total=shape, weight=shape, found=each, missed=each, spurious=each,
        )  # fmt: skip

    @abc.abstractmethod
    def of_surfaces(
        self, surfaces: Surfaces
    ) -> tuple[Float32[Array, "masks"], Float32[Array, "masks"]]:
        """The score of each mask, as numerator and denominator, which are summed if scores are
        pooled. `missed` replaces the score of a missed object, unless scores are pooled."""

    def see(self, inputs: Inputs) -> Self:
        images = images_of(self.task, inputs, len(self.spacing))
        labels, predicted = masks_of(self.task, self.include, images)
        shape = images.labels.shape[0], len(self.include)
        top, bottom = self.of_surfaces(_surfaces(labels, predicted, self.spacing))
        top, bottom = top.reshape(shape), bottom.reshape(shape)
        some = lambda x: jnp.any(x, axis=tuple(range(1, x.ndim))).reshape(shape)
        true, predicted = some(labels), some(predicted)
        found, missed, spurious = true & predicted, true & ~predicted, predicted & ~true
        objects = {"found": found, "missed": missed, "spurious": spurious}
        if self.per == "pooled":
            sums = self.sums.add(images.batch, total=top, weight=bottom, **objects)
            return self.replace(sums=sums)
        # Infinite scores are counted, not summed: a sum would hide how many there are.
        instead = jnp.float32(0 if self.missed_as == math.inf else self.missed_as)
        there = true | predicted
        scores = jnp.where(found, quotient(top, bottom), jnp.where(there, instead, 0))
        if self.average is not None:
            count = jnp.sum(there.astype(jnp.float32), axis=1)
            scores, there = quotient(jnp.sum(scores, axis=1), count), count > 0
        sums = self.sums.add(images.batch, total=scores, weight=there, **objects)
        return self.replace(sums=sums)

    def _of_classes(self, x: Float32[Array, "included"]) -> Float32[Array, "..."]:
        if isinstance(self.task, Binary):
            return x[0]
        whole = jnp.full(self.task.classes, jnp.nan, jnp.float32)
        return whole.at[jnp.asarray(self.include, jnp.int32)].set(x)

    def objects(self) -> dict[str, Float32[Array, "..."]]:
        """How many objects of each class were `found`, `missed` (not predicted in their image) and
        `spurious` (predicted in an image without them). All pixels of a class in an image are one
        object. If images have weights, their sum. A binary task has one class."""
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
        if self.per == "pooled" and self.average is not None:
            weight = jnp.sum((weight > 0).astype(jnp.float32))
            value = over(jnp.sum(value), weight)
        value = undefined_as(value, weight == 0, self.undefined)
        return self._of_classes(value) if self.average is None else value
