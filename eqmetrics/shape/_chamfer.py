from typing import Any, final, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.quotient import root
from .._rows.row_mean import AbstractRowMean
from ._points import Places, taken


@final
class ChamferDistance(AbstractRowMean):
    r"""The mean squared distance of the points of two sets to the nearest of the other set,
    $\frac{1}{n} \sum_i \min_j \lVert p_i - t_j \rVert^2 + \frac{1}{m} \sum_j \min_i \lVert p_i -
    t_j \rVert^2$, as a mean over the pairs of sets.

    **Arguments:**

    - `power`: 2 for squared distances, as in PyTorch3D and most papers, or 1 for distances. (Some
        implementations halve either.)
    - `undefined`: what replaces an undefined value; NaN if not given.

    The two sets may differ in their number of points, also within a batch, by masks. Distances are
    computed from differences, accurate at any offset. A prediction without points is infinitely far
    from a target with some; a target without points has no value, and is left out. NaN in a
    coordinate propagates.

    The gradient is that of the value. An update holds the n times m distances of each pair.
    State: 6 floats. Undefined when: no target has a point.
    Source: Fan, Su and Guibas, "A point set generation network for 3D object reconstruction from a
    single image", 2017.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        p, t = jnp.array([[[0.0, 0.0]]]), jnp.array([[[3.0, 4.0], [0.0, 1.0]]])
        assert eqm.shape.ChamferDistance()(predictions=p, targets=t) == 1 + (25 + 1) / 2
        ```
    """

    power: Literal[1, 2] = eqx.field(static=True)

    def __init__(self, *, power: Literal[1, 2] = 2, undefined: float | None = None):
        if power not in (1, 2):
            raise ValueError(f"power={power}: expected 1, of distances, or 2, of their squares.")
        self.power = power
        AbstractRowMean.__init__(self, undefined=undefined)

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        mask: Mask = None,
        predicted_mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions` and `targets` are coordinates, of shapes `(*rows, n, axes)` and `(*rows, m,
        axes)`; `mask` has the shape of the rows, or `(*rows, m)`: then it leaves out points of the
        targets; `predicted_mask` is `(*rows, n)`; `weights` has the shape of the rows."""
        predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
        batch, t, keep = taken(targets, mask, weights, "targets")
        of_rows = None if mask is None or jnp.ndim(mask) > targets.ndim - 2 else mask
        if _but_points(predictions) != _but_points(targets):
            raise TypeError(
                f"`predictions` is {describe(predictions)} and `targets` is {describe(targets)}: "
                "they must have the same rows and axes, (*rows, points, axes)."
            )
        _, p, _ = taken(predictions, of_rows, weights, "predictions")
        there = _there(predictions, predicted_mask)
        p = jnp.where(there[..., None], p, 0)
        squares = _squares(p, t)
        sides = [
            _side(squares, there, keep, self.power),
            _side(squares.mT, keep, there, self.power),
        ]
        some = jnp.any(keep, axis=1)
        value = jnp.where(jnp.any(there, axis=1), sides[0] + sides[1], jnp.inf)
        # A minimum may ignore a NaN among its numbers.
        lost = jnp.any(jnp.isnan(p), axis=(1, 2)) | jnp.any(jnp.isnan(t), axis=(1, 2))
        return self.plus(batch, jnp.where(lost, jnp.nan, value), some)


def _but_points(x: Array) -> tuple[int, ...]:
    return x.shape[:-2] + x.shape[-1:]


def _there(predictions: Any, mask: Any) -> Bool[Array, "rows n"]:
    if mask is not None and mask.shape != predictions.shape[:-1]:
        raise TypeError(
            f"`predicted_mask` is {describe(mask)} and `predictions` is {describe(predictions)}: "
            f"`predicted_mask` has the shape {predictions.shape[:-1]}, of its points."
        )
    return split_mask(mask, predictions[..., 0], 1)[1]


def _squares(p: Places, t: Places) -> Float32[Array, "rows n m"]:
    # Axis by axis, so that XLA fuses it with the minimum.
    total = jnp.zeros((p.shape[0], p.shape[1], t.shape[1]), jnp.float32)
    for axis in range(p.shape[2]):
        d = p[:, :, None, axis] - t[:, None, :, axis]
        total = total + d * d
    return total


def _side(
    squares: Float32[Array, "rows n m"],
    own: Bool[Array, "rows n"],
    others: Bool[Array, "rows m"],
    power: int,
) -> Float32[Array, "rows"]:
    """The mean, over the points of one set, of the distance to the nearest of the other."""
    nearest = jnp.min(jnp.where(others[:, None, :], squares, jnp.inf), axis=2, initial=jnp.inf)
    nearest = jnp.where(own & (nearest < jnp.inf), nearest, 0)
    each = nearest if power == 2 else root(nearest)
    count = jnp.sum(own.astype(jnp.float32), axis=1)
    return jnp.sum(each, axis=1) / jnp.maximum(count, 1)
