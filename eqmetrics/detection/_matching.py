"""Which detection found which object, in each image of a batch: COCO's rule.

In each class, detections choose in the order of their scores. Each takes the most similar object
that is similar enough and not taken yet; of equally similar objects, the last. It takes an ignored
object (a crowd, or one with an area outside the range) only if there is no other.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, Shaped, UInt32

from .._curves.score_cells import keys_of
from .._metric.node import vary_like
from .._reduction.pair import add, lift, multiply, Pair, to_float
from .._rows.quotient import over
from ._boxes import Boxes


FALSE, TRUE, IGNORED = 0, 1, 2  # the outcome of a detection at one threshold and range of areas
DIGITS = 20  # of base 3 in a word of 32 bits


class Detections(NamedTuple):
    label: Int32[Array, "images detections"]
    key: Int32[Array, "images detections"]  # in the order of the scores
    real: Bool[Array, "images detections"]
    area: Float32[Array, "2 images detections"]


class Objects(NamedTuple):
    label: Int32[Array, "images objects"]
    real: Bool[Array, "images objects"]
    crowd: Bool[Array, "images objects"]
    area: Float32[Array, "2 images objects"]


class Similar(NamedTuple):
    """For each detection and object: the similarity, to be compared with others, and how many of
    the thresholds it reaches."""

    value: Float32[Array, "images detections objects"]
    level: Int32[Array, "images detections objects"]


class Matched(NamedTuple):
    rank: Int32[Array, "images detections"]  # in its class and image, from 0
    outcomes: UInt32[Array, "images detections words"]
    counts: Int32[Array, "classes ranges"]  # of the objects that are not ignored


def by_score(
    score: Float32[Array, "images detections"], real: Bool[Array, "images detections"]
) -> tuple[Array, Array]:
    """Keys in the order of the scores, and the places from the highest score to the lowest."""
    key = keys_of(jnp.where(real, score, 0))
    place = lax.broadcasted_iota(jnp.int32, key.shape, 1)
    _, _, order = lax.sort((~real, ~key, place), dimension=1, is_stable=True, num_keys=2)
    return key, order


def taken_along(x: Shaped[Array, "images detections ..."], order: Array) -> Array:
    return jax.vmap(lambda x, order: x[order])(x, order)


def _less(x: Pair, y: Pair) -> Array:
    return (x[0] < y[0]) | ((x[0] == y[0]) & (x[1] < y[1]))


def similar_boxes(
    boxes: Boxes,
    predicted: Float32[Array, "images detections 4"],
    true: Float32[Array, "images objects 4"],
    crowd: Bool[Array, "images objects"],
    thresholds: tuple[float, ...],
) -> tuple[Similar, Pair, Pair]:
    """The similarities, and the areas of both. Thresholds are compared in pairs, as in COCO's
    float64: a float32 can't tell an IoU that equals a threshold, such as 3/5, from one just
    below."""
    low, high = boxes.edges(predicted[:, :, None])
    low_of_true, high_of_true = boxes.edges(true[:, None])
    sides = add(high, -low), add(high_of_true, -low_of_true)
    area, area_of_true = (multiply(x[..., 0], x[..., 1]) for x in sides)
    first = jnp.where(_less(low, low_of_true)[None], low_of_true, low)
    last = jnp.where(_less(high, high_of_true)[None], high, high_of_true)
    inner = add(last, -first)
    inner = jnp.where(inner[:1] > 0, inner, 0)
    inside = multiply(inner[..., 0], inner[..., 1])
    both = add(jnp.broadcast_to(area, inside.shape), -inside)
    both = add(both, jnp.broadcast_to(area_of_true, inside.shape))
    whole = jnp.where(crowd[None, :, None], area, both)
    value = over(inside[0], whole[0])
    # In float32, unless a threshold is so near that rounding could cross it.
    level, exact = jnp.zeros(value.shape, jnp.int32), jnp.zeros(inside.shape, jnp.float32)
    near = jnp.zeros(value.shape, bool)
    for t in thresholds:
        high = np.float32(t)
        beside = jnp.abs(value - high) < NEAR
        level += ((value >= high) & ~beside).astype(jnp.int32)
        t_pair = jnp.array([high, np.float32(t - float(high))], jnp.float32)
        exact = jnp.where(beside[None], t_pair[:, None, None, None], exact)
        near |= beside
    short = to_float(add(inside, -multiply(whole, exact))) < -(2.0**-40) * whole[0]
    return Similar(value, level + (near & ~short)), area[:, :, :, 0], area_of_true[:, :, 0]


NEAR = 1e-6


def similar_as_given(
    value: Float32[Array, "images detections objects"], thresholds: tuple[float, ...]
) -> Similar:
    reached = [(value >= np.float32(t)).astype(jnp.int32) for t in thresholds]
    return Similar(value, sum(reached, jnp.zeros(value.shape, jnp.int32)))


def _outside(area: Pair, ranges: Sequence[tuple[float, float]]) -> Bool[Array, "*shape ranges"]:
    least, most = (jnp.asarray(np.array(x, np.float32)) for x in zip(*ranges, strict=True))
    shape = (1,) * (area.ndim - 1) + (len(ranges),)
    least, most = (lift(x.reshape(shape)) for x in (least, most))
    area = area[..., None]
    return _less(area, least) | _less(most, area)


def _ranks(x: Array) -> Int32[Array, "images detections objects"]:
    """The rank of each object by its similarity, from 0; of equal ones the last is highest."""
    place = jnp.arange(x.shape[-1], dtype=jnp.int32)
    each, others = x[..., :, None], x[..., None, :]
    earlier = (place[None, :] < place[:, None])[None, None]
    return jnp.sum((others < each) | ((others == each) & earlier), axis=-1, dtype=jnp.int32)


def match(
    found: Detections,
    objects: Objects,
    similar: Similar,
    classes: int,
    thresholds: int,
    ranges: Sequence[tuple[float, float]],
    most: int,
) -> Matched:
    """The outcome of each detection. They are in the order of their scores.

    **Arguments:**

    - `thresholds`: how many there are.
    - `ranges`: the ranges of areas, `(least, most)`.
    - `most`: how many detections of a class in an image may choose.
    """
    images, detections = found.label.shape
    number = objects.label.shape[1]
    same = (found.label[:, :, None] == found.label[:, None]) & found.real[:, None]
    place = jnp.arange(detections, dtype=jnp.int32)
    earlier = (place[None, :] < place[:, None])[None]
    rank = jnp.sum(same & earlier, axis=2, dtype=jnp.int32)
    may = found.real & (rank < most)
    allowed = may[:, :, None] & objects.real[:, None]
    allowed &= found.label[:, :, None] == objects.label[:, None]
    level = jnp.where(allowed, similar.level, 0)
    ignored = jnp.swapaxes(objects.crowd[..., None] | _outside(objects.area, ranges), 1, 2)
    # One number decides: above 0 an object may be chosen, above `number` it isn't ignored.
    order = _ranks(similar.value)[:, :, None] + 1  # (images, detections, 1, objects)
    order = order + jnp.where(ignored, 0, number)[:, None]  # (images, detections, ranges, objects)
    least = jnp.arange(thresholds, dtype=jnp.int32)[None, None, :, None]
    crowd = objects.crowd[:, None, None]

    def choose(taken, detection):
        level, order = detection
        free = (~taken | crowd) & (level[:, None, None] > least)
        options = jnp.where(free, order[:, :, None], 0)
        best = jnp.max(options, axis=-1, initial=0)
        return taken | ((options == best[..., None]) & free), best

    start = vary_like(jnp.zeros((images, len(ranges), thresholds, number), bool), level)
    by_detection = jnp.moveaxis(level, 1, 0), jnp.moveaxis(order, 1, 0)
    _, best = lax.scan(choose, start, by_detection)
    best = jnp.moveaxis(best, 0, 1)  # (images, detections, ranges, thresholds)
    unmatched = jnp.where(_outside(found.area, ranges), IGNORED, FALSE)[..., None]
    digits = jnp.where(best > number, TRUE, jnp.where(best > 0, IGNORED, unmatched))
    counted = objects.real[:, None] & ~ignored
    label = jnp.where(objects.real, objects.label, classes)
    counts = jnp.zeros((classes, len(ranges)), jnp.int32)
    counts = counts.at[label].add(jnp.swapaxes(counted, 1, 2).astype(jnp.int32), mode="drop")
    return Matched(rank, _words(digits), counts)


def _words(digits: Int32[Array, "images detections ranges thresholds"]) -> UInt32[Array, "..."]:
    """Outcomes as words of 32 bits, each of twenty digits of base 3."""
    cells = digits.shape[2] * digits.shape[3]
    words = -(-cells // DIGITS)
    x = digits.reshape(*digits.shape[:2], cells)
    x = jnp.pad(x, ((0, 0), (0, 0), (0, words * DIGITS - cells))).astype(jnp.uint32)
    powers = jnp.asarray(3 ** np.arange(DIGITS), jnp.uint32)
    x = x.reshape(*x.shape[:2], words, DIGITS) * powers[None, None, None]
    return jnp.sum(x, axis=-1, dtype=jnp.uint32)


def digit_of(words: UInt32[Array, "rows words"], cell: Array) -> Array:
    """The outcome of each detection in one cell."""
    powers = jnp.asarray(3 ** np.arange(DIGITS), jnp.uint32)
    word = lax.dynamic_index_in_dim(words, cell // DIGITS, axis=1, keepdims=False)
    return word // powers[cell % DIGITS] % 3
