"""Sums over the rows of many columns, for each group with only its rows, or for each replicate with
its own weights."""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._reduction.pair import add, Pair
from .._rows.cells import add_rows, add_values
from .._rows.rows import as_column
from .operation import Groups
from .sum_columns import as_pairs, sum_columns


# Up to so many groups are summed with a mask for each. A scatter costs the same for any number of
# groups.
_FEW = 8


def sum_by_group(groups: Groups, columns: list[Array]) -> list[Pair]:
    """The sums of each column in all groups, of shape `(groups, 2, cells)`."""
    if groups.num_groups <= _FEW:
        own = [groups.taken & (groups.group == g) for g in range(groups.num_groups)]
        masked = [
            jnp.where(as_column(mask, x), x, jnp.zeros_like(x)) for mask in own for x in columns
        ]
        sums = sum_columns(masked)
        each = [sums[i :: len(columns)] for i in range(len(columns))]
        return [jnp.stack(x) for x in each]
    # One scatter for all columns that count, and one for all that are summed.
    found: list[Any] = [None] * len(columns)
    for counted in (True, False):
        which = [i for i, x in enumerate(columns) if (x.dtype == jnp.bool_) is counted]
        if which:
            sums = _scattered(groups, [columns[i] for i in which], counted)
            for i, x in zip(which, sums, strict=True):
                found[i] = x
    return found


def _scattered(groups: Groups, columns: list[Array], counted: bool) -> list[Pair]:
    widths = [math.prod(x.shape[1:]) for x in columns]
    width, rows = sum(widths), columns[0].shape[0]
    group, taken = groups.group, groups.taken
    # Column by column, not row by row, since this is how they were put side by side.
    flat = [x.reshape(rows, w).T for x, w in zip(columns, widths, strict=True)]
    place = jnp.arange(width, dtype=jnp.int32)
    index = (group[None, :] * jnp.int32(width) + place[:, None]).ravel()
    cells = jnp.zeros((2, groups.num_groups * width), jnp.float32)
    if counted:
        hits = jnp.concatenate(flat) & taken[None]
        cells = add_rows(cells, index, hits.ravel())
    else:
        pairs = jnp.concatenate([as_pairs(x) for x in flat], axis=1).reshape(2, -1)
        every = jnp.broadcast_to(taken[None], (width, rows)).ravel()
        cells = add_values(cells, index, pairs, every)
    sums = jnp.moveaxis(cells.reshape(2, groups.num_groups, width), 0, 1)
    out, start = [], 0
    for w in widths:
        out.append(sums[..., start : start + w])
        start += w
    return out


def sum_by_replicate(weights: Float32[Array, "samples rows"], columns: list[Array]) -> list[Pair]:
    """The sums of each column with the weights of each replicate, of shape `(samples, 2, cells)`.

    A count below 2^24 is exact in a float, and so is a product of counts.
    """
    samples, out = weights.shape[0], []
    for x in columns:
        flat = x.reshape(x.shape[0], math.prod(x.shape[1:]))
        if x.dtype == jnp.bool_:
            counts = jnp.dot(weights, flat.astype(jnp.float32), precision="highest")
            out.append(jnp.stack([counts, jnp.zeros_like(counts)], axis=1))
            continue
        w, total = weights.T[:, :, None], None
        high, low = as_pairs(flat)
        # A row of weight 0 is left out, even if it is infinite.
        products = [jnp.where(w > 0, y[:, None, :] * w, 0) for y in (high, low)]
        if not jnp.issubdtype(x.dtype, jnp.integer):
            products = products[:1]
        for y in sum_columns(products):
            total = y if total is None else add(total, y)
        assert total is not None
        out.append(jnp.moveaxis(total.reshape(2, samples, -1), 0, 1))
    return out
