"""`eqm.detection.DetectionBuffer`: its objects, and what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .coco import CLASSES, images
from .table import XYXY


STATISTIC = eqm.detection.DetectionBuffer(CLASSES, XYXY, 400)
RANGES = (0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10)
seen = jax.jit(lambda batch: STATISTIC.update(**batch))


@few
@given(seed=seeds)
def test_objects_are_counted_by_class_and_size(seed):
    batch = images(seed)
    kept = seen(batch)
    real = batch["box_mask"] & ~batch["crowd"]
    area, label = batch["areas"], batch["labels"]
    want = [
        [np.sum(real & (label == c) & (a <= area) & (area <= b)) for a, b in RANGES]
        for c in range(CLASSES)
    ]
    np.testing.assert_array_equal(kept.compute(), want)
    assert int(kept.kept.count) == batch["predicted_mask"].sum()


def test_a_detection_takes_20_bytes():
    row = [x[0].nbytes for x in STATISTIC.kept.columns.values()]
    assert sum(row) == 20


def test_detections_without_room_are_told():
    batch = images(1)
    small = eqm.detection.DetectionBuffer(CLASSES, XYXY, 10).update(**batch)
    with pytest.raises(eqm.InvalidDataError, match="all would fit in capacity=") as told:
        small.check()
    assert f"capacity={batch['predicted_mask'].sum()}" in str(told.value)


def box_of(size):
    return jnp.array([[[0.0, 0.0, size, size]]])


GOOD: dict[str, Any] = {
    "predicted_boxes": box_of(1),
    "scores": jnp.array([[0.5]]),
    "predicted_labels": jnp.array([[0]]),
    "boxes": box_of(1),
    "labels": jnp.array([[0]]),
    "areas": jnp.array([[1.0]]),
    "ids": jnp.array([3]),
}
BAD: dict[str, Any] = {
    "predicted_boxes": [box_of(-1), box_of(jnp.nan), box_of(jnp.inf)],
    "boxes": [box_of(-1), box_of(jnp.nan)],
    "scores": [jnp.array([[jnp.nan]])],
    "labels": [jnp.array([[CLASSES]]), jnp.array([[-1]])],
    "predicted_labels": [jnp.array([[CLASSES]])],
    "areas": [jnp.array([[-1.0]]), jnp.array([[jnp.nan]])],
    "ids": [jnp.array([-1])],
}


def test_images_with_a_bad_entry_are_left_out_and_counted():
    for name, values in BAD.items():
        for x in values:
            kept = seen(GOOD | {name: x})
            assert kept.invalid[0] == 1 and kept.kept.count == 0, (name, x)
            assert kept.objects.sum() == 0
            for of, padding in (("predicted_mask", "predicted_labels"), ("box_mask", "labels")):
                belongs = name in ("boxes", "labels", "areas") if of == "box_mask" else (
                    name in ("predicted_boxes", "scores", "predicted_labels")
                )  # fmt: skip
                if belongs:
                    kept = seen(GOOD | {name: x, of: jnp.zeros(GOOD[padding].shape, bool)})
                    assert kept.invalid[0] == 0
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*labels in \[0, 3\)"):
        seen(GOOD | {"labels": BAD["labels"][0]}).check()


def test_what_is_wrong_is_told():
    tell = lambda match, **changed: pytest.raises(TypeError, match=match)
    for match, changed in {
        "`scores` is float32\\[1, 2\\]": {"scores": jnp.zeros((1, 2))},
        "`labels` is int32\\[2, 1\\]": {"labels": jnp.zeros((2, 1), jnp.int32)},
        "expected boxes of four numbers": {"boxes": jnp.zeros((1, 1, 5))},
        "`crowd` is bool\\[1, 2\\]": {"crowd": jnp.zeros((1, 2), bool)},
        "`box_mask` is bool\\[1\\]": {"box_mask": jnp.zeros(1, bool)},
        "`ids` is int32\\[2\\].*one number for each image": {"ids": jnp.zeros(2, jnp.int32)},
    }.items():
        with tell(match):
            STATISTIC.update(**GOOD | changed)
    make: Any = eqm.detection.DetectionBuffer
    for match, changed in {
        "num_classes=0": {"num_classes": 0},
        "thresholds=\\(0.5, 0.5\\): expected numbers in rising order": {"thresholds": (0.5, 0.5)},
        "of at most 1": {"thresholds": (50, 75)},
        "area_ranges=": {"area_ranges": {"none": (5, 1)}},
        "max_detections=": {"max_detections": (0,)},
        "capacity=": {"capacity": 2**29},
    }.items():
        with pytest.raises(ValueError, match=match):
            make(**{"num_classes": 3, "boxes": XYXY, "capacity": 5} | changed)
