"""The scores of surfaces beside scipy's distance transform and scikit-image, and by hand."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.ndimage import binary_erosion, distance_transform_edt
from skimage.metrics import hausdorff_distance

import eqmetrics as eqm

from ..oracle import few, fold, seeds, spread
from .oracle import batch_of, IGNORED, images, mean_of_images


HausdorffDistance = eqm.segmentation.HausdorffDistance
SurfaceDistance, SurfaceDice = eqm.segmentation.SurfaceDistance, eqm.segmentation.SurfaceDice
CLASSES, INCLUDE, FLAT, DEEP = 4, (1, 2, 3), (1.0, 0.5), (2.5, 0.7, 1.1)
TASK = eqm.Multiclass(CLASSES, ignore_index=IGNORED)
ONE = eqm.Binary(ignore_index=IGNORED)
OF: Any = dict(spacing=FLAT, include=INCLUDE)
METRICS = eqm.MetricDict(
    largest=HausdorffDistance(TASK, **OF, missed=20.0),
    infinite=HausdorffDistance(TASK, **OF),
    percentile=HausdorffDistance(TASK, **OF, percentile=95, average=None, missed=20.0),
    infinite_each=HausdorffDistance(TASK, **OF, percentile=50, average=None),
    mean=SurfaceDistance(TASK, **OF, missed=20.0),
    dice=SurfaceDice(TASK, **OF, tolerance=1.5),
    pooled=SurfaceDice(TASK, **OF, tolerance=1.5, per="pooled"),
    pooled_each=SurfaceDice(TASK, **OF, tolerance=1.5, per="pooled", average=None),
)
VOLUMES = eqm.MetricDict(
    largest=HausdorffDistance(ONE, spacing=DEEP, missed=20.0),
    percentile=HausdorffDistance(ONE, spacing=DEEP, percentile=95, missed=20.0),
    infinite=HausdorffDistance(ONE, spacing=DEEP),
    mean=SurfaceDistance(ONE, spacing=DEEP, missed=20.0),
    dice=SurfaceDice(ONE, spacing=DEEP, tolerance=2.5),
)


def edge(mask) -> Any:
    inner: Any = binary_erosion(mask)
    return mask & ~inner


def distances(labels, predicted, spacing):
    """From the border of the prediction to that of the labels, and the other way."""
    a, b = edge(labels), edge(predicted)
    of_labels: Any = distance_transform_edt(~a, sampling=spacing)
    of_predicted: Any = distance_transform_edt(~b, sampling=spacing)
    return of_labels[b], of_predicted[a]


SCORES = {
    "largest": lambda x, y: max(x.max(), y.max()),
    "infinite": lambda x, y: max(x.max(), y.max()),
    "percentile": lambda x, y: max(np.percentile(x, 95), np.percentile(y, 95)),
    "infinite_each": lambda x, y: max(np.percentile(x, 50), np.percentile(y, 50)),
    "mean": lambda x, y: np.concatenate([x, y]).mean(),
    "dice": lambda x, y: np.mean(np.concatenate([x, y]) <= 1.5 + 1e-9),
}


def of_image(name, score, spacing, classes, image):
    labels, predicted, taken = image
    scores = []
    for c in classes:
        y, p = ((x == c) & taken for x in (labels, predicted))
        if y.any() and p.any():
            scores.append(score(*distances(y, p, spacing)))
        elif y.any() or p.any():
            scores.append(0.0 if name == "dice" else np.inf if "infinite" in name else 20.0)
        else:
            scores.append(np.nan)
    return np.array(scores)


def want(name, score, spacing, classes, each, batch):
    def value(*image):
        scores = of_image(name, score, spacing, classes, image)
        if each:
            return scores
        return np.mean(scores[~np.isnan(scores)]) if not np.isnan(scores).all() else np.nan

    return mean_of_images(batch, value)


def pooled_dice(batch):
    """Of each class the border pixels that are near, and all; nothing is near to no border."""
    near, borders = np.zeros(3), np.zeros(3)
    for labels, predicted, taken, w in images(batch):
        for i, c in enumerate(INCLUDE):
            y, p = ((x == c) & taken for x in (labels, predicted))
            borders[i] += w * (edge(y).sum() + edge(p).sum())
            if y.any() and p.any():
                near[i] += w * np.sum(np.concatenate(distances(y, p, FLAT)) <= 1.5 + 1e-9)
    return near, borders


@pytest.mark.parametrize("way, pixels", [(fold, True), (spread, False)])
@few
@given(seed=seeds)
def test_scipy_agrees(way, pixels, seed):
    batch = batch_of(seed, (9, 8), CLASSES, pixels=pixels, ignored=0.02)
    seen = way(METRICS, batch)
    got = seen.compute()
    for name, score in SCORES.items():
        each = name in ("percentile", "infinite_each")
        truth = want(name, score, FLAT, INCLUDE, each, batch)
        truth = np.concatenate([[np.nan], np.broadcast_to(truth, 3)]) if each else truth
        np.testing.assert_allclose(got[name], truth, 1e-5, err_msg=name)
    near, borders = pooled_dice(batch)
    each = np.divide(near, borders, where=borders > 0, out=np.full(3, np.nan))
    np.testing.assert_allclose(got["pooled_each"][1:], each, 1e-5)
    mean = np.mean(each[borders > 0]) if borders.any() else np.nan
    np.testing.assert_allclose(got["pooled"], mean, 1e-5)
    counted = np.zeros((3, 3))
    for labels, predicted, taken, w in images(batch):
        for i, c in enumerate(INCLUDE):
            y, p = (((x == c) & taken).any() for x in (labels, predicted))
            counted[:, i] += w * np.array([y & p, y & ~p, p & ~y])
    objects = seen["infinite"].objects()
    for name, truth in zip(("found", "missed", "spurious"), counted, strict=True):
        np.testing.assert_allclose(objects[name][1:], truth, 1e-6, err_msg=name)


@few
@given(seed=seeds)
def test_volumes(seed):
    batch = batch_of(seed, (4, 6, 5), 2, pixels=True)
    got = spread(VOLUMES, batch).compute()
    for name in VOLUMES:
        score = SCORES[name]
        if name == "dice":
            score = lambda x, y: np.mean(np.concatenate([x, y]) <= 2.5 + 1e-9)
        truth = want(name, score, DEEP, (1,), False, batch)
        np.testing.assert_allclose(got[name], truth, 1e-5, err_msg=name)


HAUSDORFF = HausdorffDistance(eqm.Binary())


@few
@given(seed=seeds)
def test_scikit_image_agrees(seed):
    rng = np.random.default_rng(seed)
    labels, predicted = (rng.random((4, 12, 10)) < rng.choice([0.05, 0.4, 0.9]) for _ in "ab")
    got = HAUSDORFF.per_row(labels=labels, predicted_labels=predicted)
    for x, y, p in zip(got, labels, predicted, strict=True):
        truth: Any = hausdorff_distance(edge(y), edge(p))
        np.testing.assert_allclose(x, truth, 1e-6)


def square(row, column, size=2):
    return jnp.zeros((1, 10, 10), int).at[0, row : row + size, column : column + size].set(1)


def test_by_hand():
    one = eqm.Binary()
    points = dict(labels=square(0, 0, 1), predicted_labels=square(3, 4, 1))
    assert HausdorffDistance(one)(**points) == 5
    assert HausdorffDistance(one, spacing=(2.0, 2.0), percentile=95)(**points) == 10
    assert SurfaceDistance(one)(**points) == 5
    assert SurfaceDice(one, tolerance=5)(**points) == 1
    assert SurfaceDice(one, tolerance=4.9)(**points) == 0
    # Two squares of 2 x 2, 3 apart: MONAI and medpy have 2.5 and 1/2.
    squares = dict(labels=square(2, 2), predicted_labels=square(2, 5))
    assert SurfaceDistance(one)(**squares) == 2.5
    assert SurfaceDice(one, tolerance=2)(**squares) == 0.5
    assert SurfaceDice(one, tolerance=0.3, spacing=(0.1, 0.1))(**squares) == 1


def test_a_missed_object_is_never_left_out():
    one, empty = eqm.Binary(), jnp.zeros((1, 10, 10), int)
    seen = HausdorffDistance(one, percentile=95)
    seen = seen.update(labels=square(0, 0, 1), predicted_labels=square(3, 4, 1))
    assert seen.compute() == 5
    for labels, predicted, name in (
        (square(2, 2), empty, "missed"),
        (empty, square(2, 2), "spurious"),
    ):
        lost = seen.update(labels=labels, predicted_labels=predicted)
        assert lost.compute() == jnp.inf
        counted = {"found": 1, "missed": 0, "spurious": 0} | {name: 1}
        assert {k: int(x) for k, x in lost.objects().items()} == counted
        both = dict(labels=labels, predicted_labels=predicted)
        assert SurfaceDistance(one, missed=373.0)(**both) == 373
        assert SurfaceDice(one, tolerance=1)(**both) == 0
    neither = seen.update(labels=empty, predicted_labels=empty)
    assert neither.compute() == 5
    # Pooled, its border does.
    pooled = SurfaceDice(one, tolerance=1, per="pooled")
    both = jnp.concatenate([square(2, 2), square(2, 2, 4)])
    found = jnp.concatenate([square(2, 2), empty])
    assert pooled(labels=both, predicted_labels=found) == 8 / (8 + 12)
    # An object counts where its row does.
    masked = seen.update(labels=square(2, 2), predicted_labels=empty, weights=jnp.zeros(1))
    assert masked.compute() == 5


def test_undefined_and_refused():
    task, empty = eqm.Multiclass(3), jnp.zeros((1, 4, 4), int)
    near = lambda task, **kw: SurfaceDice(task, tolerance=1, **kw)
    for make in (HausdorffDistance, SurfaceDistance, near):
        assert jnp.isnan(make(task).compute())
        foreground = make(task, include=(1, 2))
        assert jnp.isnan(foreground(labels=empty, predicted_labels=empty))
        assert make(task, include=(1, 2), undefined=0.0).compute() == 0
        with pytest.raises(TypeError, match="expected images of 3 dimensions"):
            make(task, spacing=(1, 1, 1)).update(labels=empty[0], predicted_labels=empty[0])
        with pytest.raises(eqm.InvalidDataError, match="1 invalid"):
            foreground.update(labels=empty + 3, predicted_labels=empty).check()
        with pytest.raises(ValueError, match="spacing="):
            make(task, spacing=(1.0, 0.0))
        with pytest.raises(ValueError, match="average='micro'"):
            make(task, average="micro")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="percentile=101"):
        HausdorffDistance(task, percentile=101)
    with pytest.raises(ValueError, match=r"missed=-1\.0"):
        HausdorffDistance(task, missed=-1.0)
    with pytest.raises(ValueError, match="tolerance=-1"):
        SurfaceDice(task, tolerance=-1)
