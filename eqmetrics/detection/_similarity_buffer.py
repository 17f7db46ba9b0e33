from collections.abc import Sequence
from typing import Any, final, Self

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Labels, Mask, Values
from .._metric.field import state
from .._metric.messages import describe
from .._reduction import EXACT_SUM
from .._rows.rows import flat
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
from ._matching import similar_as_given, taken_along


@final
class SimilarityBuffer(AbstractDetections):
    """An [`eqmetrics.detection.DetectionBuffer`][] of similarities that you compute: the IoU of
    masks, of rotated or 3-D boxes, the OKS of keypoints, a negative distance.

    **Arguments:**

    - `num_classes`: how many classes there are.
    - `capacity`: how many detections there is room for, on all devices together. Those beyond the
        largest of `max_detections` in their class and image need no room.
    - `thresholds`: of the similarity, in rising order: numbers of any sign.
    - `area_ranges`: names, and the smallest and the largest area of each, both included. With a
        single range no areas are needed.
    - `max_detections`: how many detections of a class in an image count.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.detection.DetectionBuffer`][]. Undefined when: there were more than
    `capacity` detections.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kept = eqm.detection.SimilarityBuffer(1, 100, area_ranges={"all": (0, 1e10)})
        scores, none = jnp.array([[0.9, 0.8]]), jnp.zeros((1, 2), int)  # two of one image
        oks = jnp.array([[[0.7], [0.6]]])
        kept = kept.update(
            similarity=oks, scores=scores, predicted_labels=none, labels=none[:, :1]
        )
        assert kept.compute().tolist() == [[1.0]]
        ```
    """

    objects: Float32[Array, "2 classes ranges"] = state(reduce=EXACT_SUM)
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="similarities without NaN, " + VALID
    )

    def __init__(
        self,
        num_classes: int,
        capacity: int,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        area_ranges: Ranges = RANGES,
        max_detections: Sequence[int] = LIMITS,
    ):
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
        similarity: Values,
        scores: Values,
        predicted_labels: Labels,
        labels: Labels,
        crowd: Mask = None,
        predicted_areas: Values | None = None,
        areas: Values | None = None,
        predicted_mask: Mask = None,
        box_mask: Mask = None,
        ids: Labels | None = None,
        mask: Mask = None,
    ) -> Self:
        """Sees whole images, padded to a common number of detections and of objects.

        **Arguments:**

        - `similarity`: of shape `(*images, detections, objects)`. For a `crowd` it is the share of
            the detection that lies in the crowd, as in COCO.
        - `scores`, `predicted_labels`, `predicted_mask`, `predicted_areas`: of shape
            `(*images, detections)`. A false `predicted_mask` is padding.
        - `labels`, `crowd`, `box_mask`, `areas`: of shape `(*images, objects)`. A false `box_mask`
            is padding.
        - `ids`: of the shape of the images, a number for each image, from 0: detections with the
            same score are ordered by it. Without `ids`, equal scores are counted all at once.
        - `mask`: of the shape of the images; a false one removes the image.
        """
        given = Given(
            scores, predicted_labels, labels, crowd, areas, predicted_mask, box_mask, ids, mask
        )
        return self._see(similarity, predicted_areas, given)

    def _see(self, similarity: Any, predicted_areas: Any, given: Given) -> Self:
        shape = (*given.scores.shape, *given.labels.shape[-1:])
        if similarity.shape != shape:
            raise TypeError(
                f"`similarity` is {describe(similarity)}, `scores` is {describe(given.scores)} and "
                f"`labels` is {describe(given.labels)}: expected a similarity of shape {shape}."
            )
        if len(self.ranges) > 1 and (given.areas is None or predicted_areas is None):
            raise TypeError(
                f"There are {len(self.ranges)} ranges of areas, and no `areas` and "
                "`predicted_areas`: pass both, or build the metric with "
                "`area_ranges={'all': (0, 1e10)}`."
            )
        check_like(given.scores, "scores", predicted_areas=predicted_areas)
        taken = self.take(given)
        found, objects = taken.found, taken.objects
        value = taken_along(flat(similarity, shape[-2:]).astype(jnp.float32), taken.order)
        both = found.real[:, :, None] & objects.real[:, None]
        both &= found.label[:, :, None] == objects.label[:, None]
        bad = both & jnp.isnan(value)
        value = jnp.where(both & ~bad, value, 0)
        bad = jnp.any(bad, axis=(1, 2))
        if given.areas is not None:
            area, bad_areas = as_areas(given.areas, objects.real)
            objects, bad = objects._replace(area=area), bad | bad_areas
        if predicted_areas is not None:
            ordered = taken_along(flat(predicted_areas, shape[-2:-1]), taken.order)
            area, bad_areas = as_areas(ordered, found.real)
            found, bad = found._replace(area=area), bad | bad_areas
        return self.plus(
            taken._replace(batch=taken.batch.without(bad), found=found, objects=objects),
            similar_as_given(value, self.thresholds),
        )
