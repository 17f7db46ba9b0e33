"""The precision at given recalls, from the outcomes of detections."""

import functools as ft
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, UInt32

from .._reduction.pair import add, inlined, lift, to_float
from .._rows.cells import cumulated
from .._rows.nearest_quotient import quotient
from ._detections import AbstractDetections
from ._matching import digit_of, FALSE, TRUE


class Cell(NamedTuple):
    """A range of areas, a threshold and a limit of detections, each by its number."""

    range: int
    threshold: int
    limit: int


class Curves(NamedTuple):
    """Precision and recall of each class; 0 for a class without an object, which isn't defined."""

    precision: Float32[Array, "cells classes recalls"]
    recall: Float32[Array, "cells classes"]  # of all detections
    defined: Bool[Array, "cells classes"]


ALL = 0  # for `recalls`: the area under the curve instead


class _Sorted(NamedTuple):
    """Detections by class, and within a class from the highest score to the lowest."""

    label: Int32[Array, "rows"]  # the number of classes, where there is no detection
    rank: Int32[Array, "rows"]
    words: UInt32[Array, "rows words"]
    last: Int32[Array, "rows"]  # the last place that is counted together with each
    start: Int32[Array, "classes"]
    end: Int32[Array, "classes"]


def _sorted(kept: dict[str, Array], mask: Bool[Array, "rows"], classes: int, most: int) -> _Sorted:
    label = jnp.where(mask, kept["place"] // most, classes)
    rank = kept["place"] % most
    # Equal scores are ordered by image, and within an image by rank; without ids of images they are
    # counted at once, since their order would be that of the batches.
    within = jnp.where(kept["image"] < 0, 0, rank)
    place = jnp.arange(len(label), dtype=jnp.int32)
    keys = label, ~kept["key"], kept["image"], within
    *keys, order = lax.sort((*keys, place), num_keys=4, is_stable=False)
    differs = ft.reduce(jnp.logical_or, (x[1:] != x[:-1] for x in keys))
    ends = jnp.concatenate([differs, jnp.ones(1, bool)])
    last = lax.cummin(jnp.where(ends, place, len(label)), reverse=True)
    counts = jnp.zeros(classes, jnp.int32).at[keys[0]].add(1, mode="drop")
    end = jnp.cumsum(counts, dtype=jnp.int32)
    return _Sorted(keys[0], rank[order], kept["outcomes"][order], last, end - counts, end)


def _area(rows: _Sorted, found: Int32[Array, "rows"], precision: Array) -> Array:
    """For each class, the sum over the found objects of the largest precision at their recall or
    above."""
    count = rows.label.shape[0]
    place = jnp.arange(count, dtype=jnp.int32)

    def further(i, best):
        """The largest of twice as many places after each."""
        there = place + (1 << i)
        at = jnp.minimum(there, count - 1)
        known = (there < count) & (rows.label[at] == rows.label)
        return jnp.where(known, jnp.maximum(best, best[at]), best)

    best = lax.fori_loop(0, count.bit_length(), further, precision)
    same = rows.label[1:] == rows.label[:-1]
    before = jnp.pad(jnp.where(same, found[:-1], 0), (1, 0))
    sums = cumulated(lift((found - before).astype(jnp.float32) * best))
    return to_float(add(sums[:, rows.end], -sums[:, rows.start]))


@ft.partial(inlined, static_argnames=("cells", "recalls"))
def _curves(metric: AbstractDetections, cells: tuple[Cell, ...], recalls: int) -> Curves:
    columns, mask = metric.kept.rows()
    classes, steps = metric.classes, max(recalls - 1, 1)
    rows = _sorted(columns, mask, classes, metric.limits[-1])
    safe = jnp.minimum(rows.label, classes - 1)
    is_row = rows.label < classes
    objects = jnp.asarray(metric.objects[0] + metric.objects[1], jnp.int32)
    # COCO's recalls are float64 numbers of `linspace`, some of which are above k / 100: a recall of
    # 7 / 20 is below the number that stands for 35 / 100.
    above = jnp.asarray(np.linspace(0, 1, steps + 1) > np.arange(steps + 1) / steps)

    def of_cell(cell):
        number, area, limit = cell
        total = objects[:, area]
        digit = digit_of(rows.words, number)
        takes = is_row & (rows.rank < limit)
        count = lambda kind: jnp.cumsum(takes & (digit == kind), dtype=jnp.int32)
        before = [jnp.pad(count(kind), (1, 0)) for kind in (TRUE, FALSE)]
        true, false = (x[1:][rows.last] - x[rows.start][safe] for x in before)
        found = before[0][rows.end] - before[0][rows.start]
        precision = quotient(*(x.astype(jnp.float32) for x in (true, true + false)))
        share = quotient(found.astype(jnp.float32), total.astype(jnp.float32))
        some = total > 0
        if recalls == ALL:
            area = _area(rows, jnp.where(is_row, true, 0), precision)
            return quotient(area, total.astype(jnp.float32))[:, None], share, some
        # The largest recall that each detection reaches, in integers.
        own = jnp.maximum(total, 1)[safe]
        reached = steps * true // own
        reached -= ((reached * own == steps * true) & above[reached]).astype(jnp.int32)
        best = jnp.zeros((classes, recalls), jnp.float32)
        best = best.at[rows.label, reached].max(precision, mode="drop")
        best = lax.cummax(best, axis=1, reverse=True)
        return jnp.where(some[:, None], best, 0), share, some

    thresholds = len(metric.thresholds)
    numbers = np.array([c.range * thresholds + c.threshold for c in cells], np.int32)
    areas = np.array([c.range for c in cells], np.int32)
    limits = np.array([metric.limits[c.limit] for c in cells], np.int32)
    return Curves(*lax.map(of_cell, tuple(map(jnp.asarray, (numbers, areas, limits)))))


def curves(metric: AbstractDetections, cells: Sequence[Cell], recalls: int) -> Curves:
    """The curves of each class, in the order of the cells. With `ALL` recalls the precision is one
    number, the area under the curve."""
    return _curves(metric, tuple(cells), recalls)
