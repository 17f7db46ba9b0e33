"""Fields: values on a grid, whose axes are the last ones of a row. Their shapes, masks and
areas."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from .._metric.messages import describe
from .._reduction.pair import minus
from .._rows.inner import split_mask
from .._rows.rows import Rows, rows


class Fields(NamedTuple):
    """Flattened fields: the axes of the grid are one, the points. What doesn't take part is 0."""

    batch: Rows
    shape: tuple[int, ...]  # (rows, *outputs, points)
    keep: Bool[Array, "rows *outputs points"] | None  # points that count; `None` if all do
    inside: Bool[Array, "rows #*outputs #points"] | None  # the same, and with the mask of the rows

    def points(self, x: Array) -> Float32[Array, "rows *outputs points"]:
        x = x.reshape(self.shape).astype(jnp.float32)
        return x if self.inside is None else jnp.where(self.inside, x, 0)

    def minus(self, x: Any, y: Any) -> Float32[Array, "rows *outputs points"]:
        return self.points(minus(x, y))


def check_axes(axes: int, most: int | None = None) -> None:
    if not 1 <= axes <= (most or axes):
        upto = f"1 to {most}" if most else "at least 1"
        raise ValueError(f"axes={axes}: expected how many axes a field has, {upto}.")


def area_of(area: Any) -> np.ndarray:
    """The areas as shares of their sum, in float32."""
    wide = np.asarray(area, np.float64)
    if wide.ndim == 0 or not np.all(np.isfinite(wide) & (wide >= 0)) or not np.sum(wide) > 0:
        raise ValueError(
            f"`area` has the shape {wide.shape}: expected the area of each point of the grid, "
            "numbers of at least 0 and one above, such as "
            "`eqm.fields.cell_areas(latitudes, num_longitudes)`."
        )
    return (wide / np.sum(wide)).astype(np.float32)


def fields(axes: int, outputs: tuple[int, ...], mask: Any, weights: Any, **arrays: Any) -> Fields:
    """Fields from arrays of shape `(*rows, *outputs, *grid)`, where the grid has `axes` axes."""
    (first, like), *_ = arrays.items()
    inner = axes + len(outputs)
    for name, x in arrays.items():
        if x.shape != like.shape:
            raise TypeError(
                f"`{first}` is {describe(like)} and `{name}` is {describe(x)}: they must have "
                "the same shape. Squeeze or reshape one: nothing is broadcast."
            )
    if like.ndim < inner:
        before = "".join(f"{n}, " for n in outputs)
        raise TypeError(
            f"`{first}` is {describe(like)}, expected fields of shape (*rows, {before}*grid), "
            f"where the grid has {axes} axes."
        )
    shape = like.shape[like.ndim - inner :]
    if shape[: len(outputs)] != outputs:
        raise TypeError(
            f"`{first}` is {describe(like)}, expected the axes {outputs} of `outputs` before "
            f"those of the grid, {shape[len(outputs) :]}."
        )
    of_rows, keep = split_mask(mask, like, inner, first)
    batch = rows(like, of_rows, weights, shape, first)
    for name, x in arrays.items():
        rows(x, None, None, shape, name)  # real numbers
    size = (batch.values.shape[0], *outputs, math.prod(shape[len(outputs) :]))
    keep = keep.reshape(size) if mask is not None and mask.ndim == like.ndim else None
    inside = keep
    if batch.mask is not None:
        column = batch.mask.reshape(-1, *(1,) * (len(size) - 1))
        inside = column if keep is None else column & keep
    return Fields(batch, size, keep, inside)


def with_area(
    area: Float32[Array, "..."], outputs: tuple[int, ...], mask: Any, weights: Any, **arrays: Any
) -> tuple[Fields, Float32[Array, "#rows *outputs points"]]:
    """The same on a grid whose areas are known, and the share of each point in its area: 0 where a
    mask leaves it out."""
    (first, like), *_ = arrays.items()
    if like.ndim < area.ndim or like.shape[like.ndim - area.ndim :] != area.shape:
        raise TypeError(
            f"`{first}` is {describe(like)}, expected the axes of the area, {area.shape}, last. "
            "The area has one number for each point of the grid: "
            "`jnp.broadcast_to(area, grid)` if it is that of rows of the grid."
        )
    view = fields(area.ndim, outputs, mask, weights, **arrays)
    share = area.reshape(-1)
    if view.keep is not None:
        return view, jnp.where(view.keep, share, 0)
    return view, jnp.broadcast_to(share, (*(1,) * (len(view.shape) - 1), share.size))
