"""The state of detection metrics: a row for each detection, and counts of objects."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._metric.messages import describe
from .._metric.readout import AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction.pair import add, from_integer, lift, Pair
from .._rows.rows import flat, narrow, Rows, rows
from .._wrap.buffer import Buffer
from ._matching import by_score, Detections, DIGITS, match, Matched, Objects, Similar, taken_along


# COCO's: IoU from 0.5 to 0.95, areas in pixels, and 1, 10 and 100 detections of a class in an
# image.
THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
RANGES = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
LIMITS = 1, 10, 100
RECALLS = 101

Ranges = Mapping[str, tuple[float, float]]
VALID = "labels in [0, {self.classes}), scores without NaN, areas >= 0, ids >= 0"


class Given(NamedTuple):
    """The arguments of an update, as they were given."""

    scores: Any
    predicted_labels: Any
    labels: Any
    crowd: Any
    areas: Any
    predicted_mask: Any
    box_mask: Any
    ids: Any
    mask: Any


class Taken(NamedTuple):
    """The arguments of an update, flattened; what doesn't take part is 0."""

    batch: Rows
    order: Int32[Array, "images detections"]
    found: Detections  # in the order of their scores; without an area
    objects: Objects  # without an area
    image: Int32[Array, "images"]  # its number; -1 if it has none


def flat_mask(mask: Any, like: Any, name: str, what: str) -> Bool[Array, "images entries"]:
    if mask is None:
        return jnp.ones(flat(like, like.shape[-1:]).shape, bool)
    if mask.shape != like.shape:
        raise TypeError(
            f"`{name}` is {describe(mask)} and `{what}` is {describe(like)}: they must have the "
            "same shape."
        )
    return flat(mask, like.shape[-1:])


def check_like(like: Any, what: str, **arrays: Any) -> None:
    for name, x in arrays.items():
        if x is not None and x.shape != like.shape:
            raise TypeError(
                f"`{name}` is {describe(x)} and `{what}` is {describe(like)}: they must have the "
                "same shape."
            )


def as_areas(x: Any, real: Array) -> tuple[Pair, Array]:
    """The areas as pairs, and which images have an invalid area."""
    area = flat(x, x.shape[-1:]).astype(jnp.float32)
    bad = real & ~(area >= 0)
    return lift(jnp.where(real & ~bad, area, 0)), jnp.any(bad, axis=1)


class AbstractDetections(AbstractStatistic):
    """The state that [`eqmetrics.detection.MeanAveragePrecision`][] and other readouts share."""

    classes: int = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    thresholds: tuple[float, ...] = eqx.field(static=True)
    ranges: tuple[tuple[str, float, float], ...] = eqx.field(static=True)
    limits: tuple[int, ...] = eqx.field(static=True)
    objects: eqx.AbstractVar[Float32[Array, "2 classes ranges"]]
    invalid: eqx.AbstractVar[Float32[Array, "2"]]
    kept: Buffer

    def __init__(
        self,
        num_classes: int,
        capacity: int,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        area_ranges: Ranges = RANGES,
        max_detections: Sequence[int] = LIMITS,
    ):
        if num_classes < 1:
            raise ValueError(f"num_classes={num_classes}: expected a number of at least 1.")
        steps = itertools.pairwise(thresholds)
        if not thresholds or not all(x + 1e-5 <= y for x, y in steps):
            raise ValueError(f"thresholds={thresholds}: expected numbers in rising order.")
        self.limits = tuple(sorted(max_detections))
        if not self.limits or self.limits[0] < 1 or num_classes * self.limits[-1] >= 2**31:
            raise ValueError(f"max_detections={max_detections}: expected numbers of at least 1.")
        ranges = tuple((name, float(x), float(y)) for name, (x, y) in area_ranges.items())
        if not ranges or not all(0 <= x <= y for _, x, y in ranges):
            raise ValueError(
                f"area_ranges={dict(area_ranges)}: expected names with the smallest and the "
                "largest area of each, as in {'all': (0, 1e10)}."
            )
        if capacity * RECALLS >= 2**31:
            raise ValueError(f"capacity={capacity}: expected a number below 2^31 / {RECALLS}.")
        self.classes = num_classes
        self.capacity = capacity
        self.thresholds = tuple(thresholds)
        self.ranges = ranges
        words = math.ceil(len(ranges) * len(thresholds) / DIGITS)
        self.kept = Buffer(
            capacity,
            key=jnp.int32,
            place=jnp.int32,  # the class, and the rank in the class and image
            image=jnp.int32,  # its id; -1 if there is none
            outcomes=jax.ShapeDtypeStruct((words,), jnp.uint32),
        )
        self.objects = jnp.zeros((2, num_classes, len(ranges)), jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def take(self, given: Given) -> Taken:
        """Checks shapes, flattens, and finds the invalid images and the order of the detections."""
        scores, labels, ids = given.scores, given.labels, given.ids
        for name, x in (("scores", scores), ("labels", labels)):
            if x.ndim < 1:
                raise TypeError(f"`{name}` is {describe(x)}, expected one for each of an image.")
        check_like(scores, "scores", predicted_labels=given.predicted_labels)
        check_like(labels, "labels", crowd=given.crowd, areas=given.areas)
        for name, x in (("predicted_labels", given.predicted_labels), ("labels", labels)):
            if x.dtype == jnp.bool_:
                raise TypeError(f"`{name}` is {describe(x)}, expected integers.")
        if scores.shape[:-1] != labels.shape[:-1]:
            raise TypeError(
                f"`scores` is {describe(scores)} and `labels` is {describe(labels)}: expected "
                "(*images, detections) and (*images, objects) with the same axes of images."
            )
        batch = rows(scores, given.mask, None, scores.shape[-1:], "scores")
        real = flat_mask(given.predicted_mask, scores, "predicted_mask", "scores")
        real_objects = flat_mask(given.box_mask, labels, "box_mask", "labels")
        if batch.mask is not None:
            real, real_objects = (x & batch.mask[:, None] for x in (real, real_objects))
        score = batch.values.astype(jnp.float32)
        label, own = (narrow(flat(x, x.shape[-1:])) for x in (given.predicted_labels, labels))
        outside = lambda x: (x < 0) | (x >= self.classes)
        bad = jnp.any(real & (outside(label) | jnp.isnan(score)), axis=1)
        batch = batch.without(bad | jnp.any(real_objects & outside(own), axis=1))
        key, order = by_score(jnp.where(jnp.isnan(score), 0, score), real)
        key, label, real = (taken_along(x, order) for x in (key, label, real))
        image = jnp.full(len(score), -1, jnp.int32)
        if ids is not None:
            if ids.shape != scores.shape[:-1]:
                raise TypeError(
                    f"`ids` is {describe(ids)} and `scores` is {describe(scores)}: expected one "
                    "number for each image."
                )
            image = flat(ids)
            batch = batch.without(image < 0)
        is_crowd = flat_mask(given.crowd, labels, "crowd", "labels")
        is_crowd &= real_objects & (given.crowd is not None)
        nothing = lambda x: jnp.zeros((2, *x.shape), jnp.float32)
        return Taken(
            batch,
            order,
            Detections(label, key, real, nothing(label)),
            Objects(own, real_objects, is_crowd, nothing(own)),
            image,
        )

    def plus(self, taken: Taken, similar: Similar) -> Self:
        """The state with the detections of the valid images added."""
        batch, found, objects = taken.batch, taken.found, taken.objects
        if batch.mask is not None:
            found = found._replace(real=found.real & batch.mask[:, None])
            objects = objects._replace(real=objects.real & batch.mask[:, None])
        most = self.limits[-1]
        matched: Matched = match(
            found,
            objects,
            similar,
            self.classes,
            len(self.thresholds),
            [(least, most) for _, least, most in self.ranges],
            most,
        )
        kept = self.kept.update(
            key=found.key,
            place=found.label * most + matched.rank,
            image=jnp.broadcast_to(taken.image[:, None], found.key.shape),
            outcomes=matched.outcomes,
            mask=found.real & (matched.rank < most),
        )
        return self.replace(
            kept=kept,
            objects=add(self.objects, from_integer(matched.counts)),
            invalid=plus_invalid(self.invalid, batch),
        )

    def compute(self) -> Float32[Array, "classes ranges"]:
        """How many objects of each class and range of areas were seen, of that shape."""
        return self.objects[0] + self.objects[1]
