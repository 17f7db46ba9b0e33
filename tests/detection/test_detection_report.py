"""`eqm.detection.DetectionReport` beside what pycocotools' `summarize` prints."""

import numpy as np
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .coco import at_once, images, pycocotools
from .table import XYXY


ORDER = (
    "ap", "ap_50", "ap_75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_3", "ar_100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


@few
@given(seed=seeds)
def test_twelve_numbers(seed):
    batch = images(seed)
    report = at_once(batch)[1]["report"]
    assert sorted(report) == sorted(ORDER)
    stats = pycocotools(batch).stats
    # `summarize` looks for the limit of 100 by itself
    want = np.where(stats == -1, np.nan, stats)
    np.testing.assert_allclose([report[name] for name in ORDER], want, rtol=1e-6)


def test_each_class_and_other_thresholds():
    report = eqm.detection.DetectionReport(
        2, XYXY, 10, thresholds=(0.3, 0.75), area_ranges={"every": (0, 1e10)}, average=None
    )
    box, one = np.array([[[0.0, 0, 10, 10]]]), np.array([[1]])
    got = report(predicted_boxes=box, scores=one, predicted_labels=one, boxes=box, labels=one)
    assert list(got) == ["ap", "ap_75", "ar_1", "ar_10", "ar_100"]
    assert all(np.array_equal(x, [np.nan, 1], equal_nan=True) for x in got.values())
