from collections.abc import Sequence
from typing import final

import equinox as eqx
from jaxtyping import Array, Float32

from ._boxes import Boxes
from ._detection_score import AbstractDetectionScore, Average, mean_of_classes, statistic_of
from ._detections import LIMITS, RANGES, Ranges, THRESHOLDS
from ._precision import curves


@final
class MeanAverageRecall(AbstractDetectionScore):
    """The mean average recall (mAR) of detections, as COCO defines it: the share of the objects
    that were found, averaged over the thresholds and the classes that have an object.

    **Arguments:**

    - `num_classes`: how many classes there are.
    - `boxes`: [`eqmetrics.detection.Boxes`][]; or `None`, if updates get the `similarity` of each
        detection to each object instead, as for [`eqmetrics.detection.SimilarityBuffer`][].
    - `capacity`: how many detections there is room for, on all devices together.
    - `thresholds`: of the IoU, in rising order; 0.5, 0.55, ..., 0.95 if not given.
    - `area_ranges`: names, and the smallest and the largest area of each; COCO's `"all"`,
        `"small"`, `"medium"` and `"large"` if not given.
    - `max_detections`: numbers of detections of a class in an image.
    - `limit`: which of these numbers counts; the largest if not given. COCO's are AR1, AR10, AR100.
    - `threshold`: one of the thresholds, to read only that one.
    - `area`: the name of the range of areas that is read; the first if not given.
    - `average`: `"macro"`, or `None` for each class.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.detection.DetectionBuffer`][], shared. Undefined when: no object was
    seen; for a class, if it has no object, and the mean leaves it out.
    Source: Lin et al., "Microsoft COCO: Common objects in context", 2014, and its evaluation code.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        xyxy = eqm.detection.Boxes("xyxy")
        metric = eqm.detection.MeanAverageRecall(1, xyxy, capacity=1000, limit=1)
        box, far = [10.0, 10.0, 50.0, 50.0], [80.0, 80.0, 90.0, 90.0]
        metric = metric.update(
            predicted_boxes=jnp.array([[box]]),
            scores=jnp.array([[0.8]]),
            predicted_labels=jnp.array([[0]]),
            boxes=jnp.array([[box, far]]),
            labels=jnp.array([[0, 0]]),
        )
        assert metric.compute() == 0.5
        ```
    """

    limit: int = eqx.field(static=True)

    def __init__(
        self,
        num_classes: int,
        boxes: Boxes | None,
        capacity: int,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        area_ranges: Ranges = RANGES,
        max_detections: Sequence[int] = LIMITS,
        limit: int | None = None,
        threshold: float | None = None,
        area: str | None = None,
        average: Average = "macro",
        undefined: float | None = None,
    ):
        statistic = statistic_of(
            num_classes, boxes, capacity, thresholds, area_ranges, max_detections
        )
        self.limit = statistic.limits[-1] if limit is None else limit
        if self.limit not in statistic.limits:
            raise ValueError(
                f"limit={limit}: the `max_detections` are {', '.join(map(str, statistic.limits))}."
            )
        AbstractDetectionScore.__init__(self, statistic, threshold, area, average, undefined)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None`."""
        cells = self.cells(self.statistic.limits.index(self.limit))
        found = curves(self.statistic, cells, 2)
        return mean_of_classes(found.recall, found.defined, self.average, self.undefined)
