"""`eqm.detection.MeanAveragePrecision`: every precision of pycocotools, and by hand."""

import functools as ft
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import eqmetrics as eqm

from ..oracle import few, seeds
from .coco import at_once, IMAGES, images, PRECISION, pycocotools, STEPS
from .table import XYXY


fifty = settings(few, max_examples=50)


@fifty
@given(seed=seeds)
def test_every_precision_is_that_of_pycocotools(seed):
    batch = images(seed)
    precision, values = at_once(batch)
    oracle = pycocotools(batch)
    want = oracle.eval["precision"]
    want = np.where(want == -1, np.nan, want).astype(np.float32)
    np.testing.assert_array_equal(precision, want)
    np.testing.assert_allclose(values["precision"], np.nanmean(want[..., 0, -1]), rtol=1e-6)


VOC = {
    str(recalls): eqm.detection.MeanAveragePrecision(
        3, XYXY, 600, recalls=recalls, threshold=0.5, average=None
    )
    for recalls in (11, "all")
}
voc = jax.jit(lambda batch: {k: m.update(**batch).compute() for k, m in VOC.items()})


def of_curve(hits, total, recalls):
    """VOC's development kit, of one class."""
    recall = np.cumsum(hits) / total
    precision = np.cumsum(hits) / (np.arange(len(hits)) + 1)
    if recalls == "11":
        at = np.linspace(0, 1, 11)
        return np.mean([max(precision[recall >= r], default=0) for r in at])
    recall = np.concatenate([[0], recall, [1]])
    precision = np.concatenate([[0], precision, [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return np.sum(np.diff(recall) * precision[1:])


@few
@given(seed=seeds)
def test_recalls_of_voc(seed):
    batch = images(seed)
    evaluation = pycocotools(batch)
    got = voc(batch)
    for label in range(3):
        found = [
            x
            for x in evaluation.evalImgs
            if x and x["category_id"] == label and x["aRng"] == [0, 1e10]
        ]
        total = sum(np.sum(np.array(x["gtIgnore"]) == 0) for x in found)
        scores = np.concatenate([x["dtScores"] for x in found] or [[]])
        hits = np.concatenate([x["dtMatches"][0] for x in found] or [[]]) > 0
        ignored = np.concatenate([x["dtIgnore"][0] for x in found] or [[]]).astype(bool)
        order = np.argsort(-scores, kind="stable")
        order = order[~ignored[order]]
        for recalls, values in got.items():
            want = of_curve(hits[order], total, recalls) if total else np.nan
            np.testing.assert_allclose(values[label], want, rtol=1e-5, atol=1e-6)


@ft.partial(jax.jit, static_argnames="over_devices")
def in_parts(batches, over_devices):
    metric = type(PRECISION)(3, XYXY, 600, max_detections=(1, 3, 100))
    if over_devices:
        return jax.vmap(lambda b: metric.update(**b))(batches).reduce().precision()
    step = lambda m, b: (m.update(**b), None)
    return jax.lax.scan(step, metric, batches)[0].precision()


@pytest.mark.parametrize("numbered", [True, False])
def test_any_order_and_split_gives_the_same_bits(numbered):
    for seed in range(5):
        batch = images(seed)
        whole = at_once(batch)[0] if numbered else None
        for order in (np.arange(IMAGES), np.random.default_rng(seed).permutation(IMAGES)):
            parts = {
                k: x[order].reshape(STEPS, IMAGES // STEPS, *x.shape[1:])
                for k, x in batch.items()
                if numbered or k != "ids"
            }
            for over_devices in (True, False):
                got = in_parts(parts, over_devices)
                whole = got if whole is None else whole
                np.testing.assert_array_equal(got, whole)


def one_image(found, objects, scores=(0.9, 0.8), **more) -> dict[str, Any]:
    """Boxes of one class, padded to two and two."""
    lay = lambda boxes: jnp.array([[*boxes, *[[0] * 4] * 2][:2]], jnp.float32)
    first = lambda boxes: jnp.arange(2)[None] < len(boxes)
    return {
        "predicted_boxes": lay(found),
        "scores": jnp.array([[*scores, 0.0][:2]]),
        "predicted_labels": jnp.zeros((1, 2), jnp.int32),
        "predicted_mask": first(found),
        "boxes": lay(objects),
        "labels": jnp.zeros((1, 2), jnp.int32),
        "box_mask": first(objects),
        "crowd": jnp.zeros((1, 2), bool),
    } | more


BOX, OTHER, FAR = [0, 0, 10, 10], [20, 20, 30, 30], [50, 50, 60, 60]
step = jax.jit(lambda statistic, batch: statistic.update(**batch))


def value(*batches, **kwargs):
    metric = eqm.detection.MeanAveragePrecision(2, XYXY, 50, **kwargs)
    statistic = metric.statistic
    for batch in batches:
        statistic = step(statistic, batch)
    return np.asarray(metric.replace(statistic=statistic).compute())


def test_by_hand():
    assert value(one_image([FAR, BOX], [BOX])) == 0.5
    half = one_image([BOX], [BOX, OTHER])
    np.testing.assert_allclose(value(half), 51 / 101, rtol=1e-6)
    empty = one_image([FAR], [], scores=(0.95,))
    np.testing.assert_allclose(value(half, empty), 51 / 202, rtol=1e-6)
    assert np.isnan(value(empty)) and value(empty, undefined=0.0) == 0


def test_equal_scores_without_ids_are_counted_at_once():
    right, wrong = one_image([BOX], [BOX], scores=(0.5,)), one_image([FAR], [], scores=(0.5,))
    assert value(right, wrong) == value(wrong, right) == 0.5
    numbered = lambda a, b: value(right | {"ids": jnp.array([a])}, wrong | {"ids": jnp.array([b])})
    assert numbered(0, 1) == 1 and numbered(1, 0) == 0.5


def test_an_overlap_just_below_a_threshold_is_none():
    at = lambda width, height: value(
        one_image([[0, 0, 2896, 2897]], [[0, 0, width, height]]), threshold=0.5
    )
    # 8389712 of 16779424, and of 16779425: that is no float32, and rounded the same.
    assert at(2896, 5794) == 1 and at(3037, 5525) == 0


def test_of_equal_overlaps_the_last_is_taken():
    """So the second box, which overlaps the last one, finds none."""
    objects = [[-2, 0, 8, 10], [2, 0, 12, 10]]
    found = one_image([BOX, [4, 0, 14, 10]], objects)
    np.testing.assert_allclose(value(found, threshold=0.5), 51 / 101, rtol=1e-6)
    other = one_image([BOX, [-4, 0, 6, 10]], objects)
    assert value(other, threshold=0.5) == 1


def test_a_crowd_is_neither_right_nor_wrong():
    crowd = jnp.array([[False, True]])
    many = one_image([OTHER, BOX], [BOX, [15, 15, 40, 40]])
    assert value(many | {"crowd": crowd}) == 1 and value(many) < 0.5


def test_one_threshold_one_range_each_class():
    shifted = one_image([[0, 0, 10, 6]], [BOX])
    assert value(shifted, threshold=0.5) == 1 and value(shifted, threshold=0.65) == 0
    assert value(shifted, threshold=0.6) == 1  # 60 / 100 in float32 too
    np.testing.assert_allclose(value(shifted), 0.3, rtol=1e-6)
    assert np.isnan(value(shifted, area="large"))
    each = value(one_image([BOX], [BOX]), average=None)
    assert np.array_equal(each, [1, np.nan], equal_nan=True)


def test_similarities_of_the_caller_are_those_of_boxes():
    batch = images(4)
    keep = batch["box_mask"][:, None] & batch["predicted_mask"][..., None]
    iou = eqm.detection.box_iou(batch["predicted_boxes"], batch["boxes"], format="xyxy")
    given = {k: x for k, x in batch.items() if "boxes" not in k and k != "crowd"}
    low, high = np.split(batch["predicted_boxes"], 2, axis=-1)
    given |= {
        "similarity": jnp.where(keep, iou, jnp.nan),
        "predicted_areas": np.prod(high - low, -1),
    }
    # An IoU in float32 is beside a threshold that it should reach: thresholds that none is at.
    kwargs: dict[str, Any] = dict(capacity=200, thresholds=(0.437, 0.619, 0.803))
    of_boxes = eqm.detection.MeanAveragePrecision(3, XYXY, **kwargs)
    of_given = eqm.detection.MeanAveragePrecision(3, None, **kwargs)
    read = jax.jit(lambda metric, batch: metric.update(**batch).precision())
    got, want = read(of_given, given), read(of_boxes, {k: batch[k] for k in batch if k != "crowd"})
    np.testing.assert_array_equal(got, want)
    assert 0.1 < np.nanmean(want) < 0.9


def test_what_is_wrong_is_told():
    make: Any = ft.partial(eqm.detection.MeanAveragePrecision, 1, XYXY, 50)
    with pytest.raises(ValueError, match="the `area_ranges` are all, small.* Did you mean `small`"):
        make(area="smal")
    with pytest.raises(ValueError, match="threshold=0.52: the `thresholds` are 0.5, 0.55"):
        make(threshold=0.52)
    with pytest.raises(ValueError, match="recalls=102: expected a number from 2 to 101"):
        make(recalls=102)
    with pytest.raises(ValueError, match="average='micro': expected 'macro'"):
        make(average="micro")
    with pytest.raises(TypeError, match=r"\(boxes='xyxy'\)`: expected what the four numbers are"):
        eqm.detection.MeanAveragePrecision(1, "xyxy", 50)  # pyright: ignore[reportArgumentType]
