from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Labels, Mask, Values
from .._metric.field import state
from .._reduction import EXACT_SUM
from .._rows.rows import flat
from ._boxes import Boxes, check_boxes, check_four
from ._detections import (
    AbstractDetections,
    as_areas,
    check_like,
    Given,
    LIMITS,
    RANGES,
    Ranges,
    THRESHOLDS,
    VALID,
)
from ._matching import similar_boxes, taken_along


@final
class DetectionBuffer(AbstractDetections):
    """The outcomes of up to `capacity` detections: the statistic that
    [`eqmetrics.detection.MeanAveragePrecision`][] and the other scores of detections read, and
    share in a `MetricDict`.

    Each update matches boxes with the objects of their own image, so that no box is kept. The state
    has only the score, class, rank and image of each detection, and for each threshold and range of
    areas whether it found an object.

    **Arguments:**

    - `num_classes`: how many classes there are.
    - `boxes`: [`eqmetrics.detection.Boxes`][].
    - `capacity`: how many detections there is room for, on all devices together. Those beyond the
        largest of `max_detections` in their class and image need no room.
    - `thresholds`: of the IoU, in rising order.
    - `area_ranges`: names, and the smallest and the largest area of each, both included.
    - `max_detections`: how many detections of a class in an image count.

    The gradient is 0: the value is piecewise constant.
    State: 12 bytes a detection, and 4 for every 20 combinations of a threshold and a range, so 20
    bytes with COCO's; two floats for each class and range, and 7 numbers. A reduction over devices
    sends all of it. Undefined when: there were more than `capacity` detections.
    Source: Lin et al., "Microsoft COCO: Common objects in context", 2014, and its evaluation code.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kept = eqm.detection.DetectionBuffer(2, eqm.detection.Boxes("xyxy"), 100)
        box = jnp.array([[[0.0, 0.0, 9.0, 9.0]]])  # one of one image
        one = jnp.array([[1]])
        kept = kept.update(
            predicted_boxes=box, scores=one, predicted_labels=one, boxes=box, labels=one
        )
        assert kept.compute().tolist() == [[0, 0, 0, 0], [1, 1, 0, 0]]  # objects by class and size
        ```
    """

    boxes: Boxes = eqx.field(static=True)
    objects: Float32[Array, "2 classes ranges"] = state(reduce=EXACT_SUM)
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="finite boxes of sizes >= 0, " + VALID
    )

    def __init__(
        self,
        num_classes: int,
        boxes: Boxes,
        capacity: int,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        area_ranges: Ranges = RANGES,
        max_detections: Sequence[int] = LIMITS,
    ):
        check_boxes(boxes)
        if thresholds and not (0 < thresholds[0] and thresholds[-1] <= 1):
            raise ValueError(f"thresholds={thresholds}: expected numbers above 0, of at most 1.")
        self.boxes = boxes
        AbstractDetections.__init__(
            self,
            num_classes,
            capacity,
            thresholds=thresholds,
            area_ranges=area_ranges,
            max_detections=max_detections,
        )

    def update(
        self,
        *,
        predicted_boxes: Values,
        scores: Values,
        predicted_labels: Labels,
        boxes: Values,
        labels: Labels,
        crowd: Mask = None,
        areas: Values | None = None,
        predicted_mask: Mask = None,
        box_mask: Mask = None,
        ids: Labels | None = None,
        mask: Mask = None,
    ) -> Self:
        """Sees whole images, padded to a common number of detections and of objects.

        **Arguments:**

        - `predicted_boxes`: of shape `(*images, detections, 4)`.
        - `scores`, `predicted_labels`, `predicted_mask`: of shape `(*images, detections)`. A false
            `predicted_mask` is padding.
        - `boxes`: of shape `(*images, objects, 4)`.
        - `labels`, `box_mask`: of shape `(*images, objects)`. A false `box_mask` is padding.
        - `crowd`: of shape `(*images, objects)`, which boxes stand for many objects: detections in
            them are neither right nor wrong.
        - `areas`: of shape `(*images, objects)`, the areas of the objects, if not those of their
            boxes: COCO takes the areas of the outlines.
        - `ids`: of the shape of the images, a number for each image, from 0: detections with the
            same score are ordered by it. Without `ids`, equal scores are counted all at once.
        - `mask`: of the shape of the images; a false one removes the image.
        """
        given = Given(
            scores, predicted_labels, labels, crowd, areas, predicted_mask, box_mask, ids, mask
        )
        return self._see(predicted_boxes, boxes, given)

    def _see(self, predicted_boxes: Any, boxes: Any, given: Given) -> Self:
        check_four(predicted_boxes=predicted_boxes, boxes=boxes)
        check_like(predicted_boxes[..., 0], "predicted_boxes[..., 0]", scores=given.scores)
        check_like(boxes[..., 0], "boxes[..., 0]", labels=given.labels)
        taken = self.take(given)
        found, objects = taken.found, taken.objects
        predicted, true = taken_along(_four(predicted_boxes), taken.order), _four(boxes)
        bad_found = found.real & self.boxes.bad(predicted)
        bad_objects = objects.real & self.boxes.bad(true)
        predicted = jnp.where((found.real & ~bad_found)[..., None], predicted, 0)
        true = jnp.where((objects.real & ~bad_objects)[..., None], true, 0)
        similar, area, own = similar_boxes(
            self.boxes, predicted, true, objects.crowd, self.thresholds
        )
        bad = jnp.any(bad_found, axis=1) | jnp.any(bad_objects, axis=1)
        if given.areas is not None:
            own, bad_areas = as_areas(given.areas, objects.real)
            bad |= bad_areas
        return self.plus(
            taken._replace(
                batch=taken.batch.without(bad),
                found=found._replace(area=area),
                objects=objects._replace(area=own),
            ),
            similar,
        )


def _four(x: Array) -> Float32[Array, "images entries 4"]:
    return flat(x, x.shape[-2:]).astype(jnp.float32)
