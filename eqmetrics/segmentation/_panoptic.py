"""Panoptic quality: scores of matched segments."""

import math
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._custom_types import Labels, Mask, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._onepass.sums import Sums
from .._rows.inner import split_mask
from .._rows.nearest_quotient import quotient
from .._rows.rows import flat, narrow, Rows, rows, undefined_as
from ._images import check_dimensions
from ._surface_score import Average


def _check(name: str, x: Any, shape: tuple[int, ...], why: str) -> None:
    if x.shape != shape:
        raise TypeError(f"`{name}` is {describe(x)}, expected the shape {shape}: {why}.")


@final
class PanopticQuality(Metric):
    r"""The panoptic quality of the segments of all images together: for each class the sum of the
    IoU of its matched segments, divided by $\mathrm{tp} + \mathrm{fp}/2 + \mathrm{fn}/2$. A
    predicted and a true segment of the same class match if their intersection over union (IoU) is
    more than 1/2.

    Special cases are treated as in panopticapi. Pixels of a predicted segment that are void in the
    labels don't count in a union. A predicted segment without a match isn't a false positive if
    more than half of it is void or in crowds of its class. A crowd is neither matched nor missed.

    **Arguments:**

    - `num_classes`: how many classes there are.
    - `max_segments`: all numbers of segments are below it; number 0 is void.
    - `average`: `"macro"`: the mean over the classes with a segment; `None`: a value for each
        class.
    - `dimensions`: how many axes an image has: 3 for volumes.
    - `undefined`: what replaces an undefined value; NaN if not given.

    An image with a segment or a class out of range is an invalid row. `parts()` returns the two
    factors: segmentation quality, the mean IoU of the matches, and recognition quality, an F1.
    The gradient is 0: the value is piecewise constant.
    State: `8 * num_classes + 2` floats; an update needs memory for `max_segments**2` integers for
    each image. Undefined when: no class has a segment, true or falsely predicted.
    Source: Kirillov, He, Girshick, Rother and Dollár, "Panoptic segmentation", 2019.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        quality = eqm.segmentation.PanopticQuality(num_classes=2, max_segments=3)
        value = quality(
            segments=jnp.array([[[1, 1, 1, 1, 1, 2]]]),
            segment_labels=jnp.array([[0, 1, 0]]),  # of the segments 0 (void), 1 and 2
            predicted_segments=jnp.array([[[1, 1, 1, 1, 2, 2]]]),
            predicted_segment_labels=jnp.array([[0, 1, 1]]),
        )
        assert value == jnp.float32(((0.8 / (1 + 0.5)) + 0) / 2)  # of class 1, and of class 0
        ```
    """

    num_classes: int = eqx.field(static=True)
    max_segments: int = eqx.field(static=True)
    average: Average = eqx.field(static=True)
    dimensions: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        num_classes: int,
        max_segments: int,
        *,
        average: Average = "macro",
        dimensions: int = 2,
        undefined: float | None = None,
    ):
        check_whole("num_classes", num_classes)
        check_whole("max_segments", max_segments, 2)
        if average not in ("macro", None):
            raise ValueError(f"average={average!r}: expected 'macro', or None.")
        check_dimensions(dimensions)
        self.num_classes = int(num_classes)
        self.max_segments = int(max_segments)
        self.average = average
        self.dimensions = dimensions
        self.undefined = undefined
        self.sums = Sums(
            f"segments in [0, {max_segments}), and classes of them in [0, {num_classes}), "
            "weights >= 0 and finite",
            iou=self.num_classes, tp=self.num_classes, fp=self.num_classes, fn=self.num_classes,
        )  # fmt: skip

    def update(
        self,
        *,
        predicted_segments: Labels,
        predicted_segment_labels: Labels,
        segments: Labels,
        segment_labels: Labels,
        crowd: Bool[Array, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`segments` and `predicted_segments` are the numbers of segments, of shape `(*rows,
        height, width)`. `segment_labels` and `predicted_segment_labels` are the class of each
        segment, of shape `(*rows, max_segments)`; number 0, and numbers that don't occur, may have
        any class. `crowd`, of the same shape, says which segments are crowds. A `mask` with the
        shape of the rows removes rows; one with the shape of `segments` removes pixels. `weights`
        has the shape of the rows."""
        numbered: Any = (segments, predicted_segments)
        classed: Any = (segment_labels, predicted_segment_labels)
        true, predicted = numbered
        leading = true.ndim - self.dimensions
        if leading < 0:
            raise TypeError(
                f"`segments` is {describe(true)}, expected images of {self.dimensions} "
                f"dimensions: `dimensions={max(true.ndim, 1)}` says that they have others."
            )
        axes, space = true.shape[:leading], true.shape[leading:]
        _check("predicted_segments", predicted, true.shape, "that of `segments`")
        names = "segment_labels", "predicted_segment_labels", "crowd"
        for name, x in zip(names, (*classed, crowd), strict=True):
            if x is not None:
                why = "a number for each of `max_segments`, in each row"
                _check(name, x, (*axes, self.max_segments), why)
        of_rows, keep = split_mask(mask, true, self.dimensions, "segments")
        batch = rows(true, of_rows, weights, space, "segments")
        count, pixels = batch.values.shape[0], math.prod(space)
        keep = keep.reshape(count, pixels)
        numbers = [narrow(x).reshape(count, pixels) for x in numbered]
        classes = [flat(narrow(x), (self.max_segments,)) for x in classed]
        size = self.max_segments
        bad = jnp.zeros(count, bool)
        for x in numbers:
            bad |= jnp.any(keep & ((x < 0) | (x >= size)), axis=1)
        # Pixels that are out of range or masked count in no cell.
        known = keep & ~bad[:, None]
        image = jnp.arange(count, dtype=jnp.int32)[:, None] * (size * size)
        index = jnp.where(known, image + numbers[0] * size + numbers[1], count * size * size)
        shared = jnp.zeros(count * size * size + 1, jnp.int32)
        shared = shared.at[index.reshape(-1)].add(1, mode="promise_in_bounds")[:-1]
        shared = shared.reshape(count, size, size)
        for x, axis in zip(classes, (2, 1), strict=True):
            there = jnp.any(shared > 0, axis=axis) & (jnp.arange(size) > 0)[None]
            bad |= jnp.any(there & ((x < 0) | (x >= self.num_classes)), axis=1)
        crowds = jnp.zeros((count, size), bool) if crowd is None else flat(crowd, (size,))
        found = self._count(shared, classes[0], classes[1], crowds)
        return self._plus(batch.without(bad), classes[0], classes[1], *found)

    @staticmethod
    def _count(
        shared: Int32[Array, "images segments segments"],
        classes: Int32[Array, "images segments"],
        predicted_classes: Int32[Array, "images segments"],
        crowd: Bool[Array, "images segments"],
    ) -> tuple[Array, Array, Array, Array]:
        """From the pixels that true and predicted segments share. For each true segment: the IoU of
        its match, whether it has a match, and whether it is missed. For each predicted segment:
        whether it is a false positive."""
        add = lambda x, axis: jnp.sum(x, axis=axis, dtype=jnp.int32)
        area, predicted_area, void = add(shared, 2), add(shared, 1), shared[:, 0]
        some = (jnp.arange(shared.shape[1]) > 0)[None]
        real = some & (area > 0) & ~crowd
        predicted = some & (predicted_area > 0)
        union = area[:, :, None] + predicted_area[:, None] - shared - void[:, None]
        alike = classes[:, :, None] == predicted_classes[:, None]
        # In integers: no rounding decides whether an IoU is above 1/2.
        match = alike & real[:, :, None] & predicted[:, None] & (2 * shared > union)
        part = shared.astype(jnp.float32) / jnp.maximum(union, 1).astype(jnp.float32)
        iou = jnp.sum(jnp.where(match, part, 0), axis=2)  # at most one match: one IoU above 1/2
        hit = jnp.any(match, axis=2)
        crowded = alike & (crowd & some)[:, :, None]
        excused = void + add(jnp.where(crowded, shared, 0), 1)
        wrong = predicted & ~jnp.any(match, axis=1) & ~(2 * excused > predicted_area)
        return iou, hit, real & ~hit, wrong

    def _plus(
        self,
        batch: Rows,
        classes: Array,
        predicted_classes: Array,
        iou: Array,
        hit: Array,
        lost: Array,
        wrong: Array,
    ) -> Self:
        every = jnp.arange(self.num_classes, dtype=jnp.int32)[None, None]
        true, predicted = classes[:, :, None] == every, predicted_classes[:, :, None] == every
        of = lambda which, x: jnp.sum(jnp.where(which, x[:, :, None], 0), axis=1)
        count = lambda which, x: of(which, x.astype(jnp.float32))
        sums = self.sums.add(
            batch,
            iou=of(true, iou),
            tp=count(true, hit),
            fn=count(true, lost),
            fp=count(predicted, wrong),
        )
        return self.replace(sums=sums)

    def _average(self, scores: Array, defined: Array) -> Float32[Array, "..."]:
        if self.average is None:
            return undefined_as(scores, ~defined, self.undefined)
        count = jnp.sum(defined.astype(jnp.float32))
        mean = quotient(jnp.sum(jnp.where(defined, scores, 0)), count)
        return undefined_as(mean, count == 0, self.undefined)

    def parts(self) -> dict[str, Float32[Array, "..."]]:
        """The factors of the quality of each class, averaged as the value is: `segmentation`, the
        mean IoU of the matches (0 without a match), and `recognition`,
        $\\mathrm{tp} / (\\mathrm{tp} + \\mathrm{fp}/2 + \\mathrm{fn}/2)$."""
        iou, tp, fp, fn = self.sums.read("iou", "tp", "fp", "fn")
        every = tp + fp / 2 + fn / 2
        return {
            "segmentation": self._average(quotient(iou, tp), every > 0),
            "recognition": self._average(quotient(tp, every), every > 0),
        }

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(num_classes,)` if `average` is `None`."""
        iou, tp, fp, fn = self.sums.read("iou", "tp", "fp", "fn")
        every = tp + fp / 2 + fn / 2
        return self._average(quotient(iou, every), every > 0)
