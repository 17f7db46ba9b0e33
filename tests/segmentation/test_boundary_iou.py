"""`eqm.segmentation.BoundaryIoU` beside scipy's erosions and distance transform, and by hand."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.ndimage import binary_erosion, distance_transform_edt

import eqmetrics as eqm

from ..oracle import few, fold, seeds, spread
from .oracle import batch_of, IGNORED, images, mean, mean_of_images


CLASSES, INCLUDE = 4, (1, 2, 3)
TASK = eqm.Multiclass(CLASSES, ignore_index=IGNORED)
BoundaryIoU = eqm.segmentation.BoundaryIoU
OPTIONS: dict[str, Any] = {
    "row": dict(width=1),
    "each": dict(width=2, average=None),
    "pooled": dict(width=2, per="pooled"),
    "pooled each": dict(width=1, per="pooled", average=None),
    "spaced": dict(width=1.5, spacing=(1.5, 0.5)),
}
METRICS = eqm.MetricDict(
    {name: BoundaryIoU(TASK, include=INCLUDE, **kw) for name, kw in OPTIONS.items()}
)


def boundary(mask, width, spacing):
    if spacing is None:
        inner: Any = binary_erosion(mask, np.ones((3, 3)), iterations=width)
        return mask & ~inner
    away: Any = distance_transform_edt(np.pad(mask, 1), sampling=spacing)
    return mask & (away[1:-1, 1:-1] <= width + 1e-9)


def counts(image, width, spacing):
    """Of each class the pixels of both boundaries, and of either."""
    labels, predicted, taken = image
    found = []
    for c in INCLUDE:
        y, p = (boundary((x == c) & taken, width, spacing) for x in (labels, predicted))
        found.append([(y & p).sum(), (y | p).sum()])
    return np.array(found, np.float64).T


def average(each, per_class):
    scores = np.where(each[1] > 0, each[0] / np.maximum(each[1], 1e-9), np.nan)
    return scores if per_class else mean(list(scores), [1.0] * len(INCLUDE))


def want(batch, *, width, spacing=None, per="row", average_of):
    if per == "row":
        return mean_of_images(batch, lambda *x: average(counts(x, width, spacing), average_of))
    each = [w * counts(image, width, spacing) for *image, w in images(batch)]
    return average(sum(each, start=np.zeros((2, len(INCLUDE)))), average_of)


@pytest.mark.parametrize("way, pixels", [(fold, True), (spread, False)])
@few
@given(seed=seeds)
def test_scipy_agrees(way, pixels, seed):
    batch = batch_of(seed, (9, 8), CLASSES, pixels=pixels, ignored=0.01)
    got = way(METRICS, batch).compute()
    for name, options in OPTIONS.items():
        each = "average" in options
        rest = {k: v for k, v in options.items() if k != "average"}
        truth = want(batch, **rest, average_of=each)
        truth = np.concatenate([[np.nan], np.broadcast_to(truth, 3)]) if each else truth
        np.testing.assert_allclose(got[name], truth, 1e-5, 1e-7, err_msg=name)


def test_by_hand():
    labels = jnp.zeros((1, 8, 8), int).at[0, 1:7, 1:7].set(1)
    moved = jnp.roll(labels, 1, axis=2)
    # rings of 20 pixels, of which 5 lie on each other in the first and the last row
    value = BoundaryIoU(eqm.Binary(), width=1)(labels=labels, predicted_labels=moved)
    assert value == jnp.float32(10 / 30)
    wide = BoundaryIoU(eqm.Binary(), width=3)(labels=labels, predicted_labels=moved)
    assert wide == eqm.segmentation.MeanIoU(eqm.Binary())(labels=labels, predicted_labels=moved)
    missed = BoundaryIoU(eqm.Binary(), width=1)(labels=labels, predicted_labels=labels * 0)
    assert missed == 0
    cube = jnp.zeros((1, 5, 5, 5), int).at[0, 1:4, 1:4, 1:4].set(1)
    hollow = dict(labels=cube, predicted_labels=cube.at[0, 2, 2, 2].set(0))
    assert BoundaryIoU(eqm.Binary(), width=1, dimensions=3)(**hollow) == 1
    assert BoundaryIoU(eqm.Binary(), width=2, dimensions=3)(**hollow) == jnp.float32(26 / 27)


def test_undefined_and_refused():
    empty = jnp.zeros((1, 4, 4), int)
    for per in ("row", "pooled"):
        iou = BoundaryIoU(eqm.Binary(), width=1, per=per)
        assert jnp.isnan(iou.compute()) and jnp.isnan(iou(labels=empty, predicted_labels=empty))
        assert BoundaryIoU(eqm.Binary(), width=1, per=per, undefined=1.0).compute() == 1
    for kw, words in (
        (dict(width=0), "width=0"),
        (dict(width=1.5), "a whole number of pixels"),
        (dict(width=1, average="micro"), "average='micro'"),
        (dict(width=1, spacing=(0.0, 1.0)), "spacing="),
    ):
        with pytest.raises(ValueError, match=words):
            BoundaryIoU(eqm.Multiclass(3), **kw)  # pyright: ignore[reportArgumentType]
