"""`eqm.detection.MeanAverageRecall` and `DetectionReport` beside pycocotools."""

import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .coco import at_once, images, pycocotools
from .table import XYXY


@few
@given(seed=seeds)
def test_recalls_are_those_of_pycocotools(seed):
    batch = images(seed)
    values = at_once(batch)[1]
    recall = np.where((x := pycocotools(batch).eval["recall"]) == -1, np.nan, x).mean(axis=0)
    for i in range(3):
        np.testing.assert_allclose(values[f"recall {i}"], recall[:, i, i], rtol=1e-6)


def test_the_limit_is_one_of_those_kept():
    with pytest.raises(ValueError, match="limit=5: the `max_detections` are 1, 10, 100"):
        eqm.detection.MeanAverageRecall(1, XYXY, 5, limit=5)
