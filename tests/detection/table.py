"""The rows of the table of laws for `eqm.detection`."""

from typing import Any

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, scores, SIZES


XYXY = eqm.detection.Boxes("xyxy")
OBJECTS, DETECTIONS = 3, 3  # alike, so that a mesh can part both


def one_of(count: int, *shape: int):
    return lambda rng, n: rng.integers(0, count, (n, *shape)).astype(np.int32)


def near(*shape: int):
    """Boxes that overlap by more than a half, and by less."""

    def draw(rng, n):
        low = rng.integers(0, 3, (n, *shape, 2))
        return np.concatenate([low, low + rng.integers(5, 8, low.shape)], -1).astype(np.float32)

    return draw


def share(*shape: int):
    return lambda rng, n: rng.random((n, *shape)).astype(np.float32)


FEW: dict[str, Any] = dict(thresholds=(0.4, 0.6), max_detections=(1, 2), capacity=160)
AREAS = {"all": (0.0, 1e10), "small": (0.0, 36.0)}
IMAGES = drawn(
    SIZES,
    predicted_boxes=near(DETECTIONS),
    scores=scores(DETECTIONS),
    predicted_labels=one_of(2, DETECTIONS),
    boxes=near(OBJECTS),
    labels=one_of(2, OBJECTS),
)
GIVEN = drawn(
    SIZES,
    similarity=share(DETECTIONS, OBJECTS),
    scores=scores(DETECTIONS),
    predicted_labels=one_of(2, DETECTIONS),
    labels=one_of(2, OBJECTS),
)
ROWS = {
    "detection.BoxIoU": (
        eqm.detection.BoxIoU(XYXY, kind="giou"),
        drawn(SIZES, predicted_boxes=near(), boxes=near()),
    ),
    "detection.DetectionBuffer": (
        eqm.detection.DetectionBuffer(2, XYXY, area_ranges=AREAS, **FEW),
        IMAGES,
    ),
    "detection.MeanAveragePrecision": (
        eqm.detection.MeanAveragePrecision(2, XYXY, area_ranges=AREAS, **FEW),
        IMAGES,
    ),
    "detection.MeanAverageRecall": (
        eqm.detection.MeanAverageRecall(2, XYXY, area_ranges=AREAS, **FEW),
        IMAGES,
    ),
    "detection.DetectionReport": (
        eqm.detection.DetectionReport(2, XYXY, area_ranges=AREAS, **FEW),
        IMAGES,
    ),
    "detection.SimilarityBuffer": (
        eqm.detection.SimilarityBuffer(2, area_ranges={"all": (0.0, 1.0)}, **FEW),
        GIVEN,
    ),
    "detection.MeanAveragePrecision of similarities": (
        eqm.detection.MeanAveragePrecision(2, None, area_ranges={"all": (0.0, 1.0)}, **FEW),
        GIVEN,
    ),
}
MORE = {"detection.MeanAveragePrecision of similarities"}
# The laws of the state are those of `DetectionBuffer`.
SLOW = {
    "detection.MeanAverageRecall",
    "detection.DetectionReport",
    "detection.MeanAveragePrecision of similarities",
}
