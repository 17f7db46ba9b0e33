from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._decisions.inputs import AbstractLabelled, Inputs
from .._decisions.task import AbstractTask, Binary
from .._onepass.sums import Sums
from .._rows.pooled import check_per, Per
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._distances import eroded, squared_distances
from ._images import check_dimensions, images_of, included, mean_of_classes
from ._surface_score import Average, check_spacing, masks_of


@final
class BoundaryIoU(AbstractLabelled):
    r"""Intersection over union of the boundaries of the masks of a class. The boundary of a mask
    consists of its pixels at most `width` from a pixel outside it. The score is computed for each
    image, then averaged over the images (`per="row"`), or for the pixels of all images together
    (`per="pooled"`).

    As in the code of the paper, a pixel is in the boundary if the square of `2 * width + 1` pixels
    around it reaches outside the mask or the image. If `spacing` is given, distances are Euclidean.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `width`: in pixels, or in the unit of `spacing` if that is given; the paper uses 0.02 of the
        diagonal.
    - `spacing`: the distance between neighbours along each axis of an image.
    - `per`: `"row"` or `"pooled"`.
    - `average`: `"macro"`: the mean over the classes in an image (pooled: in any image); `None`: a
        value for each class.
    - `include`: the classes to use: `range(1, 4)` leaves out the background. All if not given.
    - `dimensions`: how many axes an image has: 3 for volumes.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats; `4 * classes + 2` pooled, or if `average` is `None`. Undefined when: no image
    has an object, true or predicted; with `per="row"`, images without an object are skipped.
    Source: Cheng, Girshick, Dollár, Berg and Kirillov, "Boundary IoU: improving object-centric
    image segmentation evaluation", 2021.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        labels = jnp.zeros((1, 6, 6), int).at[0, 1:5, 1:5].set(1)  # 12 of 16 are its boundary
        iou = eqm.segmentation.BoundaryIoU(eqm.Binary(), width=1)
        assert iou(predicted_labels=labels.at[0, 2, 2].set(0), labels=labels) < 1
        assert iou(predicted_labels=labels, labels=labels) == 1
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    width: float = eqx.field(static=True)
    spacing: tuple[float, ...] | None = eqx.field(static=True)
    per: Per = eqx.field(static=True)
    average: Average = eqx.field(static=True)
    include: tuple[int, ...] = eqx.field(static=True)
    dimensions: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        task: AbstractTask,
        *,
        width: float,
        spacing: Sequence[float] | None = None,
        per: Per = "row",
        average: Average = "macro",
        include: Sequence[int] | None = None,
        dimensions: int = 2,
        undefined: float | None = None,
    ):
        check_per(per)
        check_dimensions(dimensions)
        if average not in ("macro", None):
            raise ValueError(f"average={average!r}: expected 'macro', or None.")
        if not width > 0 or (spacing is None and width != int(width)):
            raise ValueError(
                f"width={width}: expected a whole number of pixels, of at least 1; or a distance "
                "above 0 in the unit of `spacing=(...)`, with that."
            )
        self.task = task
        self.width = width
        self.spacing = None if spacing is None else check_spacing(spacing)
        self.per = per
        self.average = average
        self.include = included(task, include)
        self.dimensions = dimensions if self.spacing is None else len(self.spacing)
        self.undefined = undefined
        shape = len(self.include) if per == "pooled" or average is None else ()
        self.sums = Sums(f"images of {task.valid}", total=shape, weight=shape)

    def _boundary(self, masks: Bool[Array, "masks ..."]) -> Bool[Array, "masks ..."]:
        if self.spacing is None:
            return masks & ~eroded(masks, int(self.width))
        pads = [(0, 0), *[(1, 1)] * (masks.ndim - 1)]
        outside = squared_distances(~jnp.pad(masks, pads), self.spacing)
        inside = tuple(slice(1, n + 1) for n in masks.shape[1:])
        # With a relative tolerance three steps of 0.1 are as far as 0.3, however squares round.
        return masks & (outside[:, *inside] <= jnp.float32(self.width**2 * (1 + 1e-5)))

    def see(self, inputs: Inputs) -> Self:
        images = images_of(self.task, inputs, self.dimensions)
        masks = masks_of(self.task, self.include, images)
        labels, predicted = (self._boundary(x) for x in masks)
        axes = tuple(range(1, labels.ndim))
        shape = images.labels.shape[0], len(self.include)
        count = lambda x: jnp.sum(x.astype(jnp.float32), axis=axes).reshape(shape)
        both, either = count(labels & predicted), count(labels | predicted)
        if self.per == "pooled":
            return self.replace(sums=self.sums.add(images.batch, total=both, weight=either))
        scores, there = mean_of_classes(both, either, either, range(shape[1]), self.average)
        return self.replace(sums=self.sums.add(images.batch, total=scores, weight=there))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        total, weight = self.sums.read("total", "weight")
        if self.per == "pooled":
            every = range(len(self.include))
            value, defined = mean_of_classes(total, weight, weight, every, self.average)
        else:
            value, defined = over(total, weight), weight != 0
        value = undefined_as(value, ~defined, self.undefined)
        if self.average is not None:
            return value
        if isinstance(self.task, Binary):
            return value[0]
        whole = jnp.full(self.task.classes, jnp.nan, jnp.float32)
        return whole.at[np.asarray(self.include)].set(value)
