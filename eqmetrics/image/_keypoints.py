"""Scores of keypoints, of shape `(*rows, keypoints, axes)`: one row is one person, or object."""

from collections.abc import Sequence
from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._reduction.pair import minus
from .._rows.inner import split_mask
from .._rows.pooled import AbstractPooled, Per
from .._rows.rows import flat, Rows, rows


class _Points(NamedTuple):
    batch: Rows
    squares: Float32[Array, "rows keypoints"]  # of the distances
    size: Float32[Array, "rows 1"]
    keep: Bool[Array, "rows keypoints"]


def _points(
    predictions: Any, targets: Any, mask: Any, weights: Any, name: str, size: Any
) -> _Points:
    """Distances, and the size of each row. Keypoints and rows that don't take part are 0."""
    if predictions.ndim < 2:
        raise TypeError(
            f"`predictions` is {describe(predictions)}, expected (*rows, keypoints, axes)."
        )
    if targets.shape != predictions.shape:
        raise TypeError(
            f"`predictions` is {describe(predictions)} and `targets` is {describe(targets)}: they "
            "must have the same shape. Squeeze or reshape one: nothing is broadcast."
        )
    if size.shape != predictions.shape[:-2]:
        raise TypeError(
            f"`{name}` is {describe(size)} and `predictions` is {describe(predictions)}: "
            f"`{name}` has one number for each row, the shape {predictions.shape[:-2]}."
        )
    shape = predictions.shape[-2:]
    of_rows, keep = split_mask(mask, predictions[..., 0], 1, "predictions[..., 0]")
    batch = rows(predictions, of_rows, weights, shape, "predictions")
    for like in (targets, size):
        rows(like)  # real numbers
    errors = flat(minus(predictions, targets), shape)
    size = flat(size).astype(jnp.float32)
    inside = keep
    if batch.mask is not None:
        inside = keep & batch.mask[:, None]
        size = jnp.where(batch.mask, size, 1)
    errors = jnp.where(inside[..., None], errors, 0)
    # A row whose size can't be a divisor is invalid, if it has a keypoint.
    bad = ~(size > 0) & ~jnp.isnan(size)
    batch = batch.without(bad & jnp.any(keep, axis=1))
    squares = jnp.sum(errors * errors, axis=-1)
    return _Points(batch, squares, jnp.where(bad, 1, size)[:, None], keep)


@final
class PCK(AbstractPooled):
    r"""The share of correct keypoints (PCK: "percentage of correct keypoints"): those at most
    `threshold * scale` away from their target. It is the share of each row, averaged over the rows
    (`per="row"`), or that of all keypoints together (`per="pooled"`, as in MPII and LSP).

    **Arguments:**

    - `threshold`: the largest distance of a correct keypoint, in units of `scale`. PCKh of MPII:
        0.5 of the length of the head; PCK of LSP: 0.2 of the torso.
    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Use a `mask` of shape `(*rows, keypoints)` to leave out keypoints that can't be seen. A row with
    a keypoint and a scale of 0 or less is invalid.
    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no keypoint was seen.
    Source: Yang and Ramanan, "Articulated human detection with flexible mixtures of parts", 2013.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        pck = eqm.image.PCK(0.5)
        targets = jnp.zeros((1, 3, 2))
        predictions = jnp.array([[[3.0, 4.0], [6.0, 8.0], [0.0, 1.0]]])
        value = pck(predictions=predictions, targets=targets, scale=jnp.array([10.0]))
        assert abs(value - 2 / 3) < 1e-6
        ```
    """

    threshold: float = eqx.field(static=True)

    def __init__(self, threshold: float, *, per: Per = "row", undefined: float | None = None):
        if not threshold > 0:
            raise ValueError(f"threshold={threshold}: expected a share of the scale, above 0.")
        self.threshold = threshold
        AbstractPooled.__init__(self, "scale > 0, weights >= 0 and finite", per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        scale: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions` and `targets` are positions, of shape `(*rows, keypoints, axes)`; `scale`
        and `weights` have the shape of the rows. A `mask` of that shape removes rows; one of shape
        `(*rows, keypoints)` removes keypoints."""
        x = _points(predictions, targets, mask, weights, "scale", scale)
        near = jnp.sqrt(x.squares) <= self.threshold * x.size
        nan = jnp.isnan(x.squares) | jnp.isnan(x.size)
        return self.plus(x.batch, jnp.where(nan, jnp.nan, near.astype(jnp.float32)), x.keep)


_COCO = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072,
    0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip


@final
class OKS(AbstractPooled):
    r"""The object keypoint similarity (OKS): the mean of $\exp(-d_i^2 / (2 a k_i^2))$ over the
    keypoints of each row, averaged over the rows (`per="row"`, as in COCO for matched objects), or
    over all keypoints together (`per="pooled"`). $d_i$ is the distance of a keypoint to its target,
    $a$ the area of the object and $k_i = 2 \sigma_i$.

    **Arguments:**

    - `sigmas`: for each keypoint the standard deviation of annotators, relative to the root of the
        area; those of COCO's 17 keypoints if not given.
    - `per`: `"row"` or `"pooled"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Use a `mask` of shape `(*rows, keypoints)` to leave out keypoints without an annotation. A row
    with a keypoint and an area of 0 or less is invalid.
    The gradient is that of the value.
    State: 6 floats. Undefined when: no keypoint was seen.
    Source: COCO, "Keypoint evaluation", cocodataset.org, 2016.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        oks = eqm.image.OKS(sigmas=(0.5,))  # k = 1
        targets = jnp.zeros((1, 1, 2))
        predictions = jnp.array([[[3.0, 4.0]]])
        value = oks(predictions=predictions, targets=targets, areas=jnp.array([25.0]))
        assert abs(value - jnp.exp(-0.5)) < 1e-6
        ```
    """

    sigmas: tuple[float, ...] = eqx.field(static=True)

    def __init__(
        self,
        sigmas: Sequence[float] = _COCO,
        *,
        per: Per = "row",
        undefined: float | None = None,
    ):
        if len(sigmas) == 0 or not all(s > 0 for s in sigmas):
            raise ValueError(f"sigmas={sigmas}: expected a number above 0 for each keypoint.")
        self.sigmas = tuple(sigmas)
        AbstractPooled.__init__(self, "areas > 0, weights >= 0 and finite", per, undefined)

    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        return mean

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        areas: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions` and `targets` are positions, of shape `(*rows, keypoints, axes)`; `areas`
        and `weights` have the shape of the rows. A `mask` of that shape removes rows; one of shape
        `(*rows, keypoints)` removes keypoints."""
        x = _points(predictions, targets, mask, weights, "areas", areas)
        if x.keep.shape[1] != len(self.sigmas):
            raise TypeError(
                f"`predictions` is {describe(predictions)}, with {x.keep.shape[1]} keypoints, "
                f"expected {len(self.sigmas)}: `eqm.image.OKS(sigmas=(...))` has one for each."
            )
        widths = 8 * jnp.asarray(self.sigmas, jnp.float32)[None] ** 2  # of 2 k^2
        return self.plus(x.batch, jnp.exp(-x.squares / (x.size * widths)), x.keep)
