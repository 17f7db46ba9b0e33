"""The rows of the table of laws for `eqm.segmentation`."""

import numpy as np

import eqmetrics as eqm

from ..draws import drawn, SIZES


def masks(*shape: int):
    return lambda rng, n: rng.integers(0, 3, (n, *shape)).astype(np.int32)


def labelled(*shape: int) -> list[dict]:
    return drawn(SIZES, predicted_labels=masks(*shape), labels=masks(*shape))


TASK = eqm.Multiclass(3)
IMAGES = labelled(6, 5)
ROWS = {
    "segmentation.Dice": (eqm.segmentation.Dice(TASK), IMAGES),
    "segmentation.MeanIoU": (eqm.segmentation.MeanIoU(TASK, per="pooled"), IMAGES),
    "segmentation.GeneralizedDice": (eqm.segmentation.GeneralizedDice(TASK), IMAGES),
    "segmentation.HausdorffDistance": (
        eqm.segmentation.HausdorffDistance(TASK, percentile=90, spacing=(1.0, 0.5)),
        IMAGES,
    ),
    "segmentation.SurfaceDistance": (eqm.segmentation.SurfaceDistance(TASK, missed=9.0), IMAGES),
    "segmentation.SurfaceDice": (eqm.segmentation.SurfaceDice(TASK, tolerance=1.0), IMAGES),
    "segmentation.BoundaryIoU": (eqm.segmentation.BoundaryIoU(TASK, width=1), IMAGES),
    "segmentation.PanopticQuality": (
        eqm.segmentation.PanopticQuality(3, 3),
        drawn(
            SIZES,
            segments=masks(3, 8),
            predicted_segments=masks(3, 8),
            segment_labels=masks(3),
            predicted_segment_labels=masks(3),
        ),
    ),
}
