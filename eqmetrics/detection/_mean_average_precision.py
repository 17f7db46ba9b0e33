from collections.abc import Sequence
from typing import final, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.wrapped import nan_where_left_out
from ._boxes import Boxes
from ._detection_score import AbstractDetectionScore, Average, mean_of_classes, statistic_of
from ._detections import LIMITS, RANGES, Ranges, RECALLS, THRESHOLDS
from ._precision import ALL, Cell, curves


@final
class MeanAveragePrecision(AbstractDetectionScore):
    r"""The mean average precision (mAP) of detections, as COCO defines it and pycocotools computes
    it, whatever the order of the images and however they are split.

    In each image and class, detections choose in the order of their scores. Each chooses the object
    that it overlaps most among those still free, if the IoU reaches the threshold. The precision at
    a recall is the largest at that recall or above. It is averaged over the recalls 0, 0.01, ...,
    1, the thresholds, and the classes that have an object. Detections in a crowd, and unmatched
    ones outside the range of areas, are neither right nor wrong. Those in images without an object
    are wrong.

    **Arguments:**

    - `num_classes`: how many classes there are.
    - `boxes`: [`eqmetrics.detection.Boxes`][]; or `None`, if updates get the `similarity` of each
        detection to each object instead, as for [`eqmetrics.detection.SimilarityBuffer`][].
    - `capacity`: how many detections there is room for, on all devices together.
    - `thresholds`: of the IoU, in rising order; 0.5, 0.55, ..., 0.95 if not given.
    - `area_ranges`: names, and the smallest and the largest area of each; COCO's `"all"`,
        `"small"`, `"medium"` and `"large"` if not given.
    - `max_detections`: how many detections of a class in an image count: the largest number is
        used.
    - `recalls`: at how many recalls from 0 to 1 the precision is read: COCO's 101, or 11, as VOC
        did until 2009; or `"all"`, the area under the curve, as VOC does since 2010.
    - `threshold`: one of the thresholds, to read only that one: 0.5 is AP50, VOC's mAP.
    - `area`: the name of the range of areas that is read; the first if not given.
    - `average`: `"macro"`, or `None` for each class.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Equal scores are ordered by the `ids` of their images, as in pycocotools. Without `ids`, equal
    scores are counted all at once, so that the order of the images changes nothing.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.detection.DetectionBuffer`][], 20 bytes a detection, shared.
    Undefined when: no object was seen; for a class, if it has no object, and the mean leaves it
    out.
    Source: Lin et al., "Microsoft COCO: Common objects in context", 2014, and its evaluation code.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metric = eqm.detection.MeanAveragePrecision(1, eqm.detection.Boxes("xyxy"), capacity=1000)
        box, far = [10.0, 10.0, 50.0, 50.0], [80.0, 80.0, 90.0, 90.0]
        metric = metric.update(
            predicted_boxes=jnp.array([[far, box]]),
            scores=jnp.array([[0.9, 0.8]]),
            predicted_labels=jnp.array([[0, 0]]),
            boxes=jnp.array([[box]]),
            labels=jnp.array([[0]]),
        )
        assert metric.compute() == 0.5
        ```
    """

    recalls: int = eqx.field(static=True)

    def __init__(
        self,
        num_classes: int,
        boxes: Boxes | None,
        capacity: int,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        area_ranges: Ranges = RANGES,
        max_detections: Sequence[int] = LIMITS,
        recalls: int | Literal["all"] = RECALLS,
        threshold: float | None = None,
        area: str | None = None,
        average: Average = "macro",
        undefined: float | None = None,
    ):
        if recalls != "all" and not (isinstance(recalls, int) and 2 <= recalls <= RECALLS):
            raise ValueError(
                f"recalls={recalls!r}: expected a number from 2 to {RECALLS}, or 'all'."
            )
        self.recalls = ALL if recalls == "all" else recalls
        statistic = statistic_of(
            num_classes, boxes, capacity, thresholds, area_ranges, max_detections
        )
        AbstractDetectionScore.__init__(self, statistic, threshold, area, average, undefined)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None`."""
        cells = self.cells(len(self.statistic.limits) - 1)
        found = curves(self.statistic, cells, self.recalls)
        each = jnp.mean(found.precision, axis=2)
        return mean_of_classes(each, found.defined, self.average, self.undefined)

    def precision(self) -> Float32[Array, "thresholds recalls classes ranges limits"]:
        """The precision at each of 101 recalls: the array that pycocotools keeps, with NaN where it
        has -1."""
        s = self.statistic
        sizes = len(s.ranges), len(s.thresholds), len(s.limits)
        cells = [
            Cell(a, t, m) for a in range(sizes[0]) for t in range(sizes[1]) for m in range(sizes[2])
        ]
        found = curves(s, cells, RECALLS)
        each = jnp.where(found.defined[..., None], found.precision, jnp.nan)
        each = each.reshape(*sizes, s.classes, RECALLS)
        return nan_where_left_out(self, jnp.transpose(each, (1, 4, 3, 0, 2)))
