"""Sets of points, of shape `(*rows, points, axes)`: one row is one shape."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.rows import flat, Rows, rows


Places = Float32[Array, "rows points axes"]


class Points(NamedTuple):
    """Points flattened to `(rows, points, axes)`. What doesn't take part is 0."""

    batch: Rows
    predictions: Places
    targets: Places
    keep: Bool[Array, "rows points"]  # in the rows

    def size(self) -> Float32[Array, "rows"]:
        return jnp.sum(self.keep.astype(jnp.float32), axis=1)

    def only(self, x: Places) -> Places:
        return jnp.where(self.keep[..., None], x, 0)

    def centred(self, x: Places) -> Places:
        """The points minus their mean."""
        count = jnp.maximum(self.size(), 1)[:, None, None]
        centre = lambda x: self.only(x - jnp.sum(x, axis=1, keepdims=True) / count)
        # Twice, since the mean of points far from the origin is rounded.
        return centre(centre(x))


def _of_three(name: str, x: Any) -> None:
    if x.ndim < 2:
        raise TypeError(f"`{name}` is {describe(x)}, expected (*rows, points, axes).")


def taken(x: Any, mask: Any, weights: Any, name: str) -> tuple[Rows, Places, Array]:
    """The rows, the coordinates of their points, and which points take part in them."""
    _of_three(name, x)
    shape = x.shape[-2:]
    of_rows, keep = split_mask(mask, x[..., 0], 1, f"{name}[..., 0]")
    batch = rows(x, of_rows, weights, shape, name)
    inside = keep if batch.mask is None else keep & batch.mask[:, None]
    places = jnp.where(inside[..., None], flat(jnp.asarray(x), shape).astype(jnp.float32), 0)
    return batch, places, keep


def points(predictions: Any, targets: Any, mask: Any, weights: Any) -> Points:
    """Predictions and targets of the same shape, point by point."""
    _of_three("predictions", predictions)
    if targets.shape != predictions.shape:
        raise TypeError(
            f"`predictions` is {describe(predictions)} and `targets` is {describe(targets)}: they "
            "must have the same shape. Squeeze or reshape one: nothing is broadcast."
        )
    batch, p, keep = taken(predictions, mask, weights, "predictions")
    _, t, _ = taken(targets, mask, weights, "targets")
    return Points(batch, p, t, keep)
