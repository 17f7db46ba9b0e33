"""What the oracle tests of the shelf share: batches drawn from a seed, in one shape, and what is
known of each image, in float64."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


STEPS, ROWS = 2, 5
WEIGHTS = np.array([0.0, 1, 2, 3, 0.25, 0.7, 1e3], np.float32)
IGNORED = 255


def shapes(rng: np.random.Generator, space: tuple[int, ...], classes: int) -> np.ndarray:
    """Images of labels: a box of each class on a background of 0, and images without any."""
    labels = np.zeros((STEPS, ROWS, *space), np.int32)
    for image in labels.reshape(-1, *space):
        for c in range(1, classes):
            if rng.random() < 0.6:
                ends = [np.sort(rng.integers(0, n + 1, 2)) for n in space]
                image[tuple(slice(*e) for e in ends)] = c
    return labels


def worse(rng: np.random.Generator, labels: np.ndarray, classes: int) -> np.ndarray:
    """Predictions: the labels with some wrong pixels, moved by some, or others altogether."""
    noisy = np.where(rng.random(labels.shape) < 0.1, rng.integers(0, classes, labels.shape), labels)
    moved = np.roll(labels, rng.integers(-2, 3, 2), axis=(-2, -1))
    other = shapes(rng, labels.shape[2:], classes)
    which = rng.integers(0, 4, (STEPS, ROWS) + (1,) * (labels.ndim - 2))
    return np.select([which == 0, which == 1, which == 2], [noisy, moved, other], labels)


def batch_of(
    seed: int, space: tuple[int, ...], classes: int, *, pixels: bool, ignored: float = 0.0
) -> dict[str, np.ndarray]:
    """With weights, a mask of images or of pixels, some labels to be ignored, and labels that are
    no class where the mask isn't."""
    rng = np.random.default_rng(seed)
    labels = shapes(rng, space, classes)
    predicted = worse(rng, labels, classes).astype(np.int32)
    labels = np.where(rng.random(labels.shape) < ignored, IGNORED, labels).astype(np.int32)
    rows = STEPS, ROWS
    share = rng.choice([0.0, 0.8, 0.97, 1.0], rows).reshape(*rows, *(1,) * len(space))
    mask = rng.random((*rows, *space) if pixels else rows) < (share if pixels else 0.7)
    out = ~mask.reshape(mask.shape + (1,) * (labels.ndim - mask.ndim))
    return {
        "labels": np.where(out, -7, labels).astype(np.int32),
        "predicted_labels": np.where(out, -7, predicted).astype(np.int32),
        "mask": mask,
        "weights": rng.choice(WEIGHTS, rows),
    }


def images(batch: dict[str, np.ndarray]) -> Iterator[tuple[Any, Any, Any, float]]:
    """`(labels, predicted, taken, weight)` of each image that takes part."""
    for i in range(STEPS):
        for j in range(ROWS):
            at = i, j
            weight, mask = float(batch["weights"][at]), batch["mask"][at]
            if weight > 0 and (mask.ndim or mask):
                labels = batch["labels"][at]
                taken = np.broadcast_to(mask, labels.shape) & (labels != IGNORED)
                yield labels, batch["predicted_labels"][at], taken, weight


def counts(
    classes: int, labels: np.ndarray, predicted: np.ndarray, taken: np.ndarray
) -> np.ndarray:
    """Of each class the pixels of both, of the predicted and of the labels."""
    y, p = (x[taken][:, None] == np.arange(classes) for x in (labels, predicted))
    return np.array([(y & p).sum(0), p.sum(0), y.sum(0)], np.float64)


def mean(values: list[float], weights: list[float]) -> float:
    """Of those that aren't NaN."""
    v, w = np.array(values), np.array(weights)
    keep = ~np.isnan(v) & (w > 0)
    return float(np.sum(v[keep] * w[keep]) / np.sum(w[keep])) if keep.any() else np.nan


def mean_of_images(batch: dict[str, np.ndarray], value: Callable[..., Any]) -> Any:
    """The mean over the images of `value(labels, predicted, taken)`, a number or one a class."""
    found = [(np.asarray(value(*image)), w) for *image, w in images(batch)]
    if not found:
        return np.nan
    columns = np.stack([np.atleast_1d(v) for v, _ in found], axis=1)
    means = [mean(list(c), [w for _, w in found]) for c in columns]
    return means[0] if found[0][0].ndim == 0 else np.array(means)
