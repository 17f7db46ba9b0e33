"""Scores of the surfaces of objects: the border pixels of the mask of a class in an image."""

import math
from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._decisions.task import AbstractTask
from .._rows.pooled import Per
from ._distances import root_of_quantile
from ._surface_score import AbstractSurfaceScore, Average, Surfaces


Quotient = tuple[Float32[Array, "masks"], Float32[Array, "masks"]]


@final
class HausdorffDistance(AbstractSurfaceScore):
    r"""The Hausdorff distance, averaged over the images: the largest distance from the border of a
    prediction to that of the labels, or from the border of the labels to that of the prediction.
    With a `percentile` (95 for HD95) it is the larger of the percentiles of the two directions.

    The border of a mask consists of its pixels with a neighbour, along an axis, that isn't in the
    mask, as in MONAI and medpy. DeepMind's `surface-distance` takes surface elements between
    pixels, and gives other values. medpy takes the percentile of both directions together.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `percentile`: between 0 and 100; the largest distance if not given.
    - `spacing`: the distance between neighbours along each axis of an image: three numbers for
        volumes.
    - `average`: `"macro"`: the mean over the classes in an image; `None`: a value for each class.
    - `include`: the classes to use: `range(1, 4)` leaves out the background. All if not given.
    - `missed`: the distance of an object that is missed, or predicted in an image without it;
        infinite if not given (BraTS: the diagonal, 373.13).
    - `undefined`: what replaces an undefined value; NaN if not given.

    A missed object is never left out: otherwise a model that finds less would have a smaller
    distance. `objects()` says how many were missed. There is no `per="pooled"`: the largest
    distance of all is that of one image, and a percentile would need every distance.
    The gradient is 0: the value is piecewise constant.
    State: `6 * classes + 6` floats (`10 * classes + 2` if `average` is `None`); an update needs
    memory for four floats for each pixel and class. Undefined when: no image has an object, true or
    predicted; images without one are skipped.
    Source: Huttenlocher, Klanderman and Rucklidge, "Comparing images using the Hausdorff distance",
    1993.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        labels = jnp.zeros((1, 8, 8), int).at[0, 0, 0].set(1)
        predicted = jnp.zeros((1, 8, 8), int).at[0, 3, 4].set(1)
        distance = eqm.segmentation.HausdorffDistance(eqm.Binary())
        assert distance(predicted_labels=predicted, labels=labels) == 5
        missed = distance.update(predicted_labels=labels * 0, labels=labels)
        assert missed.compute() == jnp.inf and missed.objects()["missed"] == 1
        ```
    """

    percentile: float | None = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        percentile: float | None = None,
        spacing: Sequence[float] = (1.0, 1.0),
        average: Average = "macro",
        include: Sequence[int] | None = None,
        missed: float = math.inf,
        undefined: float | None = None,
    ):
        if percentile is not None and not 0 <= percentile <= 100:
            raise ValueError(f"percentile={percentile}: expected a number between 0 and 100.")
        self.percentile = percentile
        AbstractSurfaceScore.__init__(self, task, spacing, average, include, missed, undefined)

    def of_surfaces(self, surfaces: Surfaces) -> Quotient:
        x = surfaces
        d = jnp.concatenate([x.to_labels, x.to_predicted])
        on = jnp.concatenate([x.on_predicted, x.on_labels])
        if self.percentile is None:
            # There is no NaN that XLA's maximum could drop.
            each = jnp.sqrt(jnp.max(jnp.where(on, d, 0), axis=1, initial=0))
        else:
            each = root_of_quantile(d, on, self.percentile / 100)
        largest = jnp.maximum(*jnp.split(each, 2))
        return largest, jnp.ones_like(largest)


@final
class SurfaceDistance(AbstractSurfaceScore):
    r"""The average symmetric surface distance, averaged over the images: the mean distance of a
    border pixel of the labels to the border of the prediction, and of a border pixel of the
    prediction to the border of the labels. The mean is over all these pixels together.

    It equals MONAI's with `symmetric=True`; medpy's `assd` is the mean of the means of both
    directions.

    **Arguments:**

    - `task`, `spacing`, `average`, `include`, `missed`, `undefined`: as in
        [`eqmetrics.segmentation.HausdorffDistance`][].

    A missed object is never left out: the value is infinite, or the object has the distance
    `missed`. `objects()` says how many were missed. There is no `per="pooled"`: a missed object has
    a distance, but no number of pixels at that distance.
    The gradient is 0: the value is piecewise constant.
    State: `6 * classes + 6` floats (`10 * classes + 2` if `average` is `None`). Undefined when: no
    image has an object, true or predicted; images without one are skipped.
    Source: Heimann et al., "Comparison and evaluation of methods for liver segmentation from CT
    datasets", 2009.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        labels = jnp.zeros((1, 8, 8), int).at[0, 1, 1].set(1)
        predicted = jnp.zeros((1, 8, 8), int).at[0, 1, 1:4].set(1)
        distance = eqm.segmentation.SurfaceDistance(eqm.Binary(), spacing=(1.0, 0.5))
        value = distance(predicted_labels=predicted, labels=labels)
        assert value == (0 + 0 + 0.5 + 1) / 4
        ```
    """

    def __init__(
        self,
        task: AbstractTask,
        *,
        spacing: Sequence[float] = (1.0, 1.0),
        average: Average = "macro",
        include: Sequence[int] | None = None,
        missed: float = math.inf,
        undefined: float | None = None,
    ):
        AbstractSurfaceScore.__init__(self, task, spacing, average, include, missed, undefined)

    def of_surfaces(self, surfaces: Surfaces) -> Quotient:
        return surfaces.over_borders(jnp.sqrt)


@final
class SurfaceDice(AbstractSurfaceScore):
    r"""The normalised surface Dice, computed for each image, then averaged over the images
    (`per="row"`), or for all images together (`per="pooled"`). It is the share of all border
    pixels, of labels and of prediction, that are at most `tolerance` from the border of the other.

    Pixels are counted, as in MONAI; DeepMind's `surface-distance` weights surface elements between
    pixels.

    **Arguments:**

    - `task`, `spacing`, `average`, `include`, `undefined`: as in
        [`eqmetrics.segmentation.HausdorffDistance`][].
    - `tolerance`: in the unit of `spacing`.
    - `per`: `"row"`, or `"pooled"`, where large objects count more than small ones.

    An object that is missed, or predicted in an image without it, has a surface Dice of 0: no pixel
    of its border is near. `objects()` counts such objects.
    The gradient is 0: the value is piecewise constant.
    State: `6 * classes + 6` floats (`10 * classes + 2` pooled, or if `average` is `None`).
    Undefined when: no image has an object, true or predicted; images without one are skipped.
    Source: Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and
    neck anatomy for radiotherapy", 2018.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        labels = jnp.zeros((1, 8, 8), int).at[0, 1, 1].set(1)
        predicted = jnp.zeros((1, 8, 8), int).at[0, 1, 1:4].set(1)
        dice = eqm.segmentation.SurfaceDice(eqm.Binary(), tolerance=1.0)
        assert dice(predicted_labels=predicted, labels=labels) == 3 / 4
        ```
    """

    tolerance: float = eqx.field(static=True)

    def __init__(
        self,
        task: AbstractTask,
        *,
        tolerance: float,
        per: Per = "row",
        spacing: Sequence[float] = (1.0, 1.0),
        average: Average = "macro",
        include: Sequence[int] | None = None,
        undefined: float | None = None,
    ):
        if not tolerance >= 0:
            raise ValueError(f"tolerance={tolerance}: expected a distance of at least 0.")
        self.tolerance = tolerance
        AbstractSurfaceScore.__init__(self, task, spacing, average, include, 0.0, undefined, per)

    def of_surfaces(self, surfaces: Surfaces) -> Quotient:
        # With a relative tolerance three steps of 0.1 are as far as 0.3, however squares round.
        most = jnp.float32(self.tolerance**2 * (1 + 1e-5))
        return surfaces.over_borders(lambda d: (d <= most).astype(jnp.float32))
