"""What the readouts of detections have in common."""

from collections.abc import Sequence
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.messages import nearest
from .._metric.readout import AbstractReadout
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._boxes import Boxes
from ._detection_buffer import DetectionBuffer
from ._detections import AbstractDetections, Ranges
from ._precision import Cell
from ._similarity_buffer import SimilarityBuffer


Average = Literal["macro"] | None


def check_average(average: str | None) -> None:
    if average not in ("macro", None):
        raise ValueError(
            f"average={average!r}: expected 'macro', the mean over the classes, or None."
        )


def statistic_of(
    num_classes: int,
    boxes: Boxes | None,
    capacity: int,
    thresholds: Sequence[float],
    area_ranges: Ranges,
    max_detections: Sequence[int],
) -> AbstractDetections:
    if boxes is None:
        return SimilarityBuffer(
            num_classes,
            capacity,
            thresholds=thresholds,
            area_ranges=area_ranges,
            max_detections=max_detections,
        )
    return DetectionBuffer(
        num_classes,
        boxes,
        capacity,
        thresholds=thresholds,
        area_ranges=area_ranges,
        max_detections=max_detections,
    )


def mean_of_classes(
    each: Float32[Array, "cells classes"],
    defined: Bool[Array, "cells classes"],
    average: Average,
    undefined: float | None,
) -> Float32[Array, "..."]:
    """The mean over the cells, of one range of areas, and over the classes with an object in it."""
    each, some = jnp.mean(each, axis=0), defined[0]
    if average is None:
        return undefined_as(each, ~some, undefined)
    count = jnp.sum(some, dtype=jnp.float32)
    mean = over(jnp.sum(jnp.where(some, each, 0)), count)
    return undefined_as(mean, count == 0, undefined)


class AbstractDetectionScore(AbstractReadout):
    """A score of each class at one or all thresholds, in one range of areas."""

    statistic: AbstractDetections
    threshold: float | None = eqx.field(static=True)
    area: str | None = eqx.field(static=True)
    average: Average = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)

    def __init__(
        self,
        statistic: AbstractDetections,
        threshold: float | None,
        area: str | None,
        average: Average,
        undefined: float | None,
    ):
        check_average(average)
        names = [name for name, _, _ in statistic.ranges]
        if area is not None and area not in names:
            raise ValueError(
                f"area={area!r}: the `area_ranges` are {', '.join(names)}.{nearest(area, names)}"
            )
        known = statistic.thresholds
        if threshold is not None and not any(abs(threshold - t) < 1e-6 for t in known):
            raise ValueError(
                f"threshold={threshold}: the `thresholds` are {', '.join(map(str, known))}."
            )
        self.statistic = statistic
        self.threshold = threshold
        self.area = area
        self.average = average
        self.undefined = undefined

    def cells(self, limit: int) -> list[Cell]:
        """The cells to be read, with the detections up to a limit."""
        names, known = [name for name, _, _ in self.statistic.ranges], self.statistic.thresholds
        area = 0 if self.area is None else names.index(self.area)
        wanted = [
            i
            for i, t in enumerate(known)
            if self.threshold is None or abs(self.threshold - t) < 1e-6
        ]
        return [Cell(area, i, limit) for i in wanted]
