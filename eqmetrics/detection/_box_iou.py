from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._rows.row_mean import AbstractRowMean
from .._rows.rows import flat, rows
from ._boxes import Boxes, check_boxes, check_four, check_kind, Kind, overlap


@final
class BoxIoU(AbstractRowMean):
    """The mean overlap of each predicted box with its own target box, as in a loss.
    [`eqmetrics.detection.box_iou`][] computes that of each box with each.

    **Arguments:**

    - `boxes`: [`eqmetrics.detection.Boxes`][].
    - `kind`: `"iou"`, `"giou"`, `"diou"` or `"ciou"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    A row is invalid if a number of its boxes isn't finite or a size is below 0.
    The gradient is that of the value.
    State: 6 floats. Undefined when: there is no row.
    Source: as [`eqmetrics.detection.box_iou`][].

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        iou = eqm.detection.BoxIoU(eqm.detection.Boxes("xyxy"))
        x, y = jnp.array([[0.0, 0.0, 2.0, 2.0]]), jnp.array([[1.0, 1.0, 3.0, 3.0]])
        assert abs(iou(predicted_boxes=x, boxes=y) - 1 / 7) < 1e-6
        ```
    """

    boxes: Boxes = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, boxes: Boxes, *, kind: Kind = "iou", undefined: float | None = None):
        check_boxes(boxes)
        check_kind(kind)
        self.boxes = boxes
        self.kind = kind
        valid = "finite boxes of sizes >= 0, weights >= 0 and finite"
        AbstractRowMean.__init__(self, valid, undefined=undefined)

    def update(
        self,
        *,
        predicted_boxes: Values,
        boxes: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Both are of shape `(*rows, 4)`: the first box with the first, and so on."""
        return self._see(predicted_boxes, boxes, mask, weights)

    def _see(self, predicted_boxes: Any, boxes: Any, mask: Any, weights: Any) -> Self:
        check_four(predicted_boxes=predicted_boxes, boxes=boxes)
        if predicted_boxes.shape != boxes.shape:
            raise TypeError(
                f"`predicted_boxes` is {describe(predicted_boxes)} and `boxes` is "
                f"{describe(boxes)}: they must have the same shape, one box for each. For each "
                "with each, `eqm.detection.box_iou`."
            )
        batch = rows(predicted_boxes, mask, weights, (4,), "predicted_boxes")
        rows(boxes, None, None, (4,), "boxes")  # real numbers
        both = [flat(x, (4,)).astype(jnp.float32) for x in (predicted_boxes, boxes)]
        bad = self.boxes.bad(both[0]) | self.boxes.bad(both[1])
        batch = batch.without(bad)
        left_out = bad if batch.mask is None else ~batch.mask
        # Invalid boxes become zeros first: a NaN that is dropped only at the end makes the gradient
        # NaN.
        both = [self.boxes.corners(jnp.where(left_out[:, None], 0, x)) for x in both]
        return self.plus(batch, overlap(self.kind, both[0], both[1]))
