"""Every row of one array with every row of another, in blocks: all pairs of 10 000 rows would take
400 MB."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32


BLOCK = 256  # rows at once


def each_block(fn: Callable[..., Any], *columns: Array) -> Any:
    """`fn(*blocks)` of blocks of rows, stacked. The last block is padded with zeros."""
    rows = columns[0].shape[0]
    size = min(BLOCK, rows)
    count = math.ceil(rows / size)

    def blocks(x: Array) -> Array:
        padding = [(0, count * size - rows)] + [(0, 0)] * (x.ndim - 1)
        return jnp.pad(x, padding).reshape(count, size, *x.shape[1:])

    return jax.lax.map(lambda each: fn(*each), tuple(blocks(x) for x in columns))


def by_blocks(fn: Callable[..., Array], *columns: Array) -> Array:
    """The same for a function with one number a row: the numbers of all rows."""
    return each_block(fn, *columns).ravel()[: columns[0].shape[0]]


def products(x: Float32[Array, "rows dim"], y: Float32[Array, "others dim"]) -> Array:
    return jnp.matmul(x, y.T, precision="highest")


def squared_distances(
    x: Float32[Array, "rows dim"], y: Float32[Array, "others dim"]
) -> Float32[Array, "rows others"]:
    """From products of rows. Exactly 0 for equal rows, and for those that are nearer than the
    rounding error."""
    size = jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1)[None, :]
    found = size - 2 * products(x, y)
    return jnp.where(found > 2.0**-21 * size, found, 0)


def centred(*sides: tuple[Array, Array]) -> list[Array]:
    """The features minus their common mean, whose square would cost distances their digits. Rows of
    weight 0 are 0."""
    total = sum(jnp.sum(jnp.where((w > 0)[:, None], x, 0), axis=0) for x, w in sides)
    count = sum(jnp.sum(w > 0, dtype=jnp.int32) for _, w in sides)
    mean = jax.lax.stop_gradient(total / jnp.maximum(count, 1).astype(jnp.float32))
    return [jnp.where((w > 0)[:, None], x - mean[None], 0) for x, w in sides]
