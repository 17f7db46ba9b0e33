"""`eqm.detection.MeanAverageRecall` and `DetectionReport` beside pycocotools."""

import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .coco import images, KEPT, pycocotools
from .table import XYXY


READ = eqm.MetricDict(
    {
        f"{limit} {area}": eqm.detection.MeanAverageRecall(
            3, XYXY, **KEPT, limit=limit, area=area, average=None
        )
        for limit, area in ((1, "all"), (3, "small"), (100, "medium"))
    }
)


@few
@given(seed=seeds)
def test_recalls_are_those_of_pycocotools(seed):
    batch = images(seed)
    got = eqm.to_host(READ(**batch))
    recall = np.where((x := pycocotools(batch).eval["recall"]) == -1, np.nan, x).mean(axis=0)
    for i, name in enumerate(READ):
        np.testing.assert_allclose(got[name], recall[:, i, i], rtol=1e-6)


def test_the_limit_is_one_of_those_kept():
    with pytest.raises(ValueError, match="limit=5: the `max_detections` are 1, 10, 100"):
        eqm.detection.MeanAverageRecall(1, XYXY, 5, limit=5)
