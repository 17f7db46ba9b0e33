from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from ._boxes import Boxes
from ._detection_score import Average, check_average, mean_of_classes, statistic_of
from ._detections import AbstractDetections, LIMITS, RANGES, Ranges, RECALLS, THRESHOLDS
from ._precision import Cell, curves


@final
class DetectionReport(AbstractReadout):
    """The numbers that COCO's `summarize` prints, by name.

    `ap`, `ap_50`, `ap_75`, and `ap_small` and so on for each range of areas but the first, are
    those of [`eqmetrics.detection.MeanAveragePrecision`][]; `ar_1`, `ar_10`, `ar_100`, and
    `ar_small` and so on, those of [`eqmetrics.detection.MeanAverageRecall`][].

    **Arguments:**

    - `num_classes`: how many classes there are.
    - `boxes`: [`eqmetrics.detection.Boxes`][]; or `None`, if updates get the `similarity` of each
        detection to each object instead, as for [`eqmetrics.detection.SimilarityBuffer`][].
    - `capacity`: how many detections there is room for, on all devices together.
    - `thresholds`: of the IoU, in rising order; 0.5, 0.55, ..., 0.95 if not given. There is no
        `ap_75` without 0.75.
    - `area_ranges`: names, and the smallest and the largest area of each; COCO's if not given.
    - `max_detections`: how many detections of a class in an image count: several numbers, and a
        recall for each.
    - `average`: `"macro"`, or `None` for each class.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.detection.DetectionBuffer`][], shared. Undefined when: no object was
    seen, for a range of areas in that range.
    Source: Lin et al., "Microsoft COCO: Common objects in context", 2014, and its evaluation code.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        xyxy = eqm.detection.Boxes("xyxy")
        box, one = jnp.array([[[10.0, 10.0, 50.0, 50.0]]]), jnp.array([[0]])
        report = eqm.detection.DetectionReport(1, xyxy, capacity=1000)(
            predicted_boxes=box, scores=one, predicted_labels=one, boxes=box, labels=one
        )
        assert report["ap"] == 1 and report["ar_medium"] == 1 and jnp.isnan(report["ap_small"])
        ```
    """

    statistic: AbstractDetections
    average: Average = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)

    def __init__(
        self,
        num_classes: int,
        boxes: Boxes | None,
        capacity: int,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        area_ranges: Ranges = RANGES,
        max_detections: Sequence[int] = LIMITS,
        average: Average = "macro",
        undefined: float | None = None,
    ):
        check_average(average)
        self.statistic = statistic_of(
            num_classes, boxes, capacity, thresholds, area_ranges, max_detections
        )
        self.average = average
        self.undefined = undefined

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of scalars; of arrays of shape `(classes,)` if `average` is `None`."""
        s = self.statistic
        steps, most = len(s.thresholds), len(s.limits) - 1
        every = [Cell(a, t, most) for a in range(len(s.ranges)) for t in range(steps)]
        less = [Cell(0, t, m) for m in range(most) for t in range(steps)]
        found = curves(s, [*every, *less], RECALLS)
        precision = jnp.mean(found.precision, axis=2)
        areas = {name: slice(a * steps, (a + 1) * steps) for a, (name, _, _) in enumerate(s.ranges)}
        first, *others = areas
        wanted = {"ap": (precision, areas[first])}
        for i, t in enumerate(s.thresholds):
            if min(abs(t - 0.5), abs(t - 0.75)) < 1e-6:
                wanted[f"ap_{round(100 * t)}"] = precision, slice(i, i + 1)
        wanted |= {f"ap_{name}": (precision, areas[name]) for name in others}
        for m, limit in enumerate(s.limits):
            start = 0 if m == most else len(every) + m * steps
            wanted[f"ar_{limit}"] = found.recall, slice(start, start + steps)
        wanted |= {f"ar_{name}": (found.recall, areas[name]) for name in others}
        return {
            name: mean_of_classes(x[at], found.defined[at], self.average, self.undefined)
            for name, (x, at) in wanted.items()
        }
