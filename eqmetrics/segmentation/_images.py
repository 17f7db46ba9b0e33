"""Images of labels: their pixels, their counts of each class, and means over classes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, Shaped

from .._decisions.average import included as included
from .._decisions.decision import decide
from .._decisions.inputs import Inputs
from .._decisions.task import AbstractTask, Multiclass, Multilabel, one_threshold
from .._metric.messages import describe
from .._rows.inner import split_mask
from .._rows.nearest_quotient import quotient
from .._rows.rows import Rows, rows


def check_dimensions(dimensions: int) -> None:
    if not isinstance(dimensions, (int, np.integer)) or dimensions < 1:
        raise ValueError(
            f"dimensions={dimensions!r}: expected how many axes an image has, 2 for pictures and 3 "
            "for volumes."
        )


class Images(NamedTuple):
    """The decisions of a task for the pixels of each image. For a `Multiclass` task, `labels` and
    `predicted` are classes of shape `(images, pixels)`; otherwise they are booleans of shape
    `(images, pixels, classes)`. `taken` has their shape. Entries that aren't taken are
    arbitrary."""

    batch: Rows
    labels: Shaped[Array, "images pixels ..."]
    predicted: Shaped[Array, "images pixels ..."]
    taken: Bool[Array, "images pixels ..."]
    space: tuple[int, ...]


def images_of(task: AbstractTask, inputs: Inputs, dimensions: int) -> Images:
    """An image with an invalid pixel that isn't masked is an invalid row."""
    one_threshold("an image", task)
    labels = inputs.labels
    own = 1 if isinstance(task, Multilabel) else 0
    leading = labels.ndim - dimensions - own
    if leading < 0:
        raise TypeError(
            f"`labels` is {describe(labels)}, expected images of {dimensions} dimensions"
            f"{' and an axis of labels' if own else ''}: `dimensions={max(labels.ndim - own, 1)}` "
            "says that they have others."
        )
    inner = labels.shape[leading:]
    of_pixels, name = (labels[..., 0], "labels[..., 0]") if own else (labels, "labels")
    of_rows, _ = split_mask(inputs.mask, of_pixels, dimensions, name)
    batch = rows(labels, of_rows, inputs.weights, inner, "labels")
    pixels = decide(task, inputs._replace(weights=None))
    space = inner[:dimensions]
    shape = batch.values.shape[0], math.prod(space)
    assert pixels.batch.invalid is not None
    batch = batch.without(jnp.any(pixels.batch.invalid.reshape(shape), axis=1))
    each = lambda x: x.reshape(*shape, *x.shape[1:])
    return Images(batch, each(pixels.labels), each(pixels.predicted), each(pixels.taken), space)


class Counts(NamedTuple):
    """For each class in each image: how many pixels have it, are predicted to have it, and both."""

    support: Int32[Array, "images classes"]
    predicted: Int32[Array, "images classes"]
    both: Int32[Array, "images classes"]


def counts_of(task: AbstractTask, images: Images) -> Counts:
    if not isinstance(task, Multiclass):
        says = images.labels, images.predicted, images.labels & images.predicted
        count = lambda x: jnp.sum(x & images.taken, axis=1, dtype=jnp.int32)
        return Counts(*map(count, says))
    classes, (count, pixels) = task.num_classes, images.labels.shape
    if classes * classes <= 4 * pixels:
        # One cell for each pixel, in the confusion matrix of its image.
        cell = images.labels * classes + images.predicted
        matrix = _scatter(cell[:, :, None], images.taken[:, :, None], classes * classes)
        matrix = matrix.reshape(count, classes, classes)
        return Counts(
            jnp.sum(matrix, 2, dtype=jnp.int32),
            jnp.sum(matrix, 1, dtype=jnp.int32),
            jnp.diagonal(matrix, axis1=1, axis2=2),
        )
    # With so many classes the matrix is larger than the image.
    places = images.labels, classes + images.predicted, 2 * classes + images.labels
    hit = images.taken & (images.labels == images.predicted)
    taken = jnp.stack([images.taken, images.taken, hit], axis=2)
    cells = _scatter(jnp.stack(places, axis=2), taken, 3 * classes)
    return Counts(*jnp.moveaxis(cells.reshape(count, 3, classes), 1, 0))


def _scatter(
    place: Int32[Array, "images pixels places"],
    taken: Bool[Array, "images pixels places"],
    size: int,
) -> Int32[Array, "images size"]:
    """How often each place occurs in each image."""
    count = place.shape[0]
    image = jnp.arange(count, dtype=jnp.int32)[:, None, None]
    # One more cell, for what isn't taken: see `_rows/cells.py`.
    index = jnp.where(taken, image * size + place, count * size).reshape(-1)
    cells = jnp.zeros(count * size + 1, jnp.int32)
    return cells.at[index].add(1, mode="promise_in_bounds")[:-1].reshape(count, size)


def mean_of_classes(
    top: Float32[Array, "... classes"],
    bottom: Float32[Array, "... classes"],
    support: Float32[Array, "... classes"],
    part: Sequence[int],
    average: str | None,
    empty: Float32[Array, "..."] | None = None,
) -> tuple[Float32[Array, "..."], Bool[Array, "..."]]:
    """With no `average`: the scores `top / bottom` of the classes in `part`, and which of them are
    defined. Otherwise: their average over the classes, and whether it is defined. `empty` replaces
    0/0, unless `empty` is NaN."""
    own = np.isin(np.arange(top.shape[-1]), part).reshape((1,) * (top.ndim - 1) + (-1,))
    if average == "micro":
        add = lambda x: jnp.sum(jnp.where(own, x, 0), axis=-1)
        top, bottom = add(top), add(bottom)
        return _scores(top, bottom, empty)
    scores, defined = _scores(top, bottom, None if empty is None else empty[..., None])
    defined &= own
    if average is None:
        return scores, defined
    weights = jnp.where(defined, support if average == "weighted" else jnp.ones_like(support), 0)
    whole = jnp.sum(weights, axis=-1)
    return quotient(jnp.sum(jnp.where(defined, scores, 0) * weights, axis=-1), whole), whole > 0


def _scores(top: Array, bottom: Array, empty: Array | None) -> tuple[Array, Array]:
    scores, defined = quotient(top, bottom), bottom != 0
    if empty is None:
        return scores, defined
    return jnp.where(defined, scores, empty), defined | ~jnp.isnan(empty)
