"""What the four numbers of a box mean, and how much boxes overlap."""

import dataclasses
from typing import Any, ClassVar, final, get_args, Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Values
from .._metric.checks import to_array
from .._metric.messages import describe
from .._reduction.pair import add, inlined, lift, Pair
from .._rows.quotient import over


Format = Literal["xyxy", "xywh", "cxcywh"]
Kind = Literal["iou", "giou", "diou", "ciou"]


@final
@dataclasses.dataclass(frozen=True)
class Boxes:
    """What the four numbers of a box are: static, and never guessed from the data.

    **Arguments:**

    - `format`: `"xyxy"`, two opposite corners, the smaller numbers first; `"xywh"`, the corner with
        the smaller numbers, width and height (COCO's files); `"cxcywh"`, the centre, width and
        height (DETR, YOLO).

    The size of a box is the distance of its corners. VOC's own code adds a pixel, which isn't done
    here.

    !!! example

        ```python
        import eqmetrics as eqm
        assert eqm.detection.Boxes("xywh").format == "xywh"
        ```
    """

    built_as: ClassVar[str] = "what the four numbers are, as `eqm.detection.Boxes('xyxy')`"
    format: Format

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise ValueError(
                f"Boxes({self.format!r}): expected 'xyxy' (two corners), 'xywh' (corner, width and "
                "height) or 'cxcywh' (centre, width and height)."
            )

    def edges(self, boxes: Float32[Array, "... 4"]) -> tuple[Pair, Pair]:
        """The smaller and the larger corner, exactly: pairs of shape `(2, ..., 2)`."""
        first, second = lift(boxes[..., :2]), lift(boxes[..., 2:])
        if self.format == "xyxy":
            return first, second
        if self.format == "xywh":
            return first, add(first, second)
        return add(first, -0.5 * second), add(first, 0.5 * second)

    def corners(
        self, boxes: Float32[Array, "... 4"]
    ) -> tuple[Float32[Array, "... 2"], Float32[Array, "... 2"]]:
        """The smaller and the larger corner in floats, of shape `(..., 2)`."""
        first, second = boxes[..., :2], boxes[..., 2:]
        if self.format == "xyxy":
            return first, second
        if self.format == "xywh":
            return first, first + second
        return first - 0.5 * second, first + 0.5 * second

    def bad(self, boxes: Float32[Array, "... 4"]) -> Bool[Array, "..."]:
        """Which boxes are invalid: with a number that isn't finite, or a size below 0."""
        low, high = self.corners(boxes)
        size = high - low if self.format == "xyxy" else boxes[..., 2:]
        finite = jnp.isfinite(low) & jnp.isfinite(high) & jnp.isfinite(size)
        finite &= jnp.isfinite(size[..., :1] * size[..., 1:])
        return jnp.any(~finite | (size < 0), axis=-1)


def check_boxes(boxes: Any) -> None:
    if not isinstance(boxes, Boxes):
        raise TypeError(
            f"`boxes` is {boxes!r}, expected what the four numbers of a box mean, as in "
            "`eqm.detection.Boxes('xyxy')`."
        )


def check_four(**arrays: Array) -> None:
    for name, x in arrays.items():
        if x.ndim < 1 or x.shape[-1] != 4:
            raise TypeError(
                f"`{name}` is {describe(x)}, expected boxes of four numbers on the last axis."
            )


def _extents(low: Array, high: Array) -> tuple[Array, Array]:
    """Width and height, not below 0."""
    size = jnp.maximum(high - low, 0)
    return size[..., 0], size[..., 1]


def _squares(x: Array) -> Array:
    return jnp.sum(x * x, axis=-1)


@inlined
def _angle(wh: tuple[Array, Array]) -> Array:
    """The angle of the diagonal; 0 for a box that is a point."""
    none = (wh[0] == 0) & (wh[1] == 0)
    return jnp.where(none, 0, jnp.arctan2(wh[0], jnp.where(none, 1, wh[1])))


def overlap(kind: Kind, x: tuple[Array, Array], y: tuple[Array, Array]) -> Array:
    """The overlap of boxes given by their corners, of shapes that broadcast."""
    (low_x, high_x), (low_y, high_y) = x, y
    size_x, size_y = _extents(low_x, high_x), _extents(low_y, high_y)
    width, height = _extents(jnp.maximum(low_x, low_y), jnp.minimum(high_x, high_y))
    inside = width * height
    union = size_x[0] * size_x[1] + size_y[0] * size_y[1] - inside
    iou = over(inside, union)
    if kind == "iou":
        return iou
    low, high = jnp.minimum(low_x, low_y), jnp.maximum(high_x, high_y)
    if kind == "giou":
        width, height = _extents(low, high)
        hull = width * height
        return iou - over(hull - union, hull)
    apart = 0.25 * _squares(low_x + high_x - low_y - high_y)
    diou = iou - over(apart, _squares(high - low))
    if kind == "diou":
        return diou
    shape = (2 / jnp.pi * (_angle(size_x) - _angle(size_y))) ** 2
    return diou - over(shape * shape, 1 - iou + shape)


def check_kind(kind: str) -> None:
    if kind not in get_args(Kind):
        raise ValueError(f"kind={kind!r}: expected 'iou', 'giou', 'diou' or 'ciou'.")


def box_iou(
    predicted_boxes: Values, boxes: Values, *, format: Format, kind: Kind = "iou"
) -> Float32[Array, "... detections objects"]:
    r"""The overlap of each predicted box with each target box.

    With the intersection $I$, the union $U$ and the smallest box $H$ around both: IoU is $I/U$,
    from 0 to 1; GIoU is IoU minus $(H - U)/H$, above -1; DIoU is IoU minus the squared distance of
    the centres divided by the squared diagonal of $H$; CIoU is DIoU minus
    $v^2/(1 - \mathrm{IoU} + v)$, where $v$ is the square of $2/\pi$ times the difference of
    $\arctan(w/h)$.

    **Arguments:**

    - `predicted_boxes`: of shape `(..., detections, 4)`.
    - `boxes`: of shape `(..., objects, 4)`, with the same leading axes.
    - `format`: that of [`eqmetrics.detection.Boxes`][].
    - `kind`: `"iou"`, `"giou"`, `"diou"` or `"ciou"`.

    **Returns:** an array of shape `(..., detections, objects)`; NaN for an invalid box, with a
    number that isn't finite or a size below 0. Two boxes without area have an IoU of 0.

    The gradient is that of the value: with `"giou"` also where boxes don't overlap. Source:
    Rezatofighi et al., "Generalized intersection over union", 2019; Zheng et al., "Distance-IoU
    loss", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, y = jnp.array([[0.0, 0.0, 2.0, 2.0]]), jnp.array([[1.0, 1.0, 3.0, 3.0]])
        assert abs(eqm.detection.box_iou(x, y, format="xyxy")[0, 0] - 1 / 7) < 1e-6
        ```
    """
    given = Boxes(format)
    check_kind(kind)
    x, y = to_array("predicted_boxes", predicted_boxes), to_array("boxes", boxes)
    check_four(predicted_boxes=x, boxes=y)
    if x.ndim < 2 or y.ndim < 2 or x.shape[:-2] != y.shape[:-2]:
        raise TypeError(
            f"`predicted_boxes` is {describe(x)} and `boxes` is {describe(y)}: expected (..., "
            "detections, 4) and (..., objects, 4) with the same leading axes."
        )
    x, y = x[..., :, None, :].astype(jnp.float32), y[..., None, :, :].astype(jnp.float32)
    bad = given.bad(x) | given.bad(y)
    # Invalid boxes become zeros first: a NaN that is dropped only at the end makes the gradient
    # NaN.
    safe = [jnp.where(given.bad(b)[..., None], 0, b) for b in (x, y)]
    value = overlap(kind, given.corners(safe[0]), given.corners(safe[1]))
    return jnp.where(bad, jnp.nan, value)
