"""Random images with detections, and what pycocotools makes of them."""

import contextlib
import io
from typing import Any

import jax
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import eqmetrics as eqm

from .table import XYXY


IMAGES, CLASSES, DETECTIONS, OBJECTS, STEPS = 12, 3, 14, 6, 3
LIMITS = 1, 3, 100
KEPT: dict[str, Any] = dict(capacity=600, max_detections=LIMITS)
PRECISION = eqm.detection.MeanAveragePrecision(CLASSES, XYXY, **KEPT)
# One statistic, which is matched and kept once.
READ = eqm.MetricDict(
    precision=PRECISION,
    report=eqm.detection.DetectionReport(CLASSES, XYXY, **KEPT),
    **{
        f"recall {i}": eqm.detection.MeanAverageRecall(
            CLASSES, XYXY, **KEPT, limit=LIMITS[i], area=area, average=None
        )
        for i, area in enumerate(("all", "small", "medium"))
    },
)


def images(seed: int) -> dict[str, Any]:
    """Whole numbers, whose IoU is often a threshold exactly; with crowds, ties of scores in and
    between images, images without objects and without detections, and NaN in what is padding."""
    rng = np.random.default_rng(seed)
    n, d, g = IMAGES, DETECTIONS, OBJECTS
    size = (12, 60, 150)[seed % 3]

    def boxes(count):
        low = rng.integers(0, size, (n, count, 2))
        return np.concatenate([low, low + rng.integers(1, size, low.shape)], -1)

    true, far = boxes(g), boxes(d)
    source, close = rng.integers(0, g, (n, d)), rng.random((n, d)) < 0.8
    moved = rng.integers(-2, 3, (n, d, 4)) * (rng.random((n, d, 1)) < 0.7)
    near = np.take_along_axis(true, source[..., None], 1) + moved
    near[..., 2:] = np.maximum(near[..., 2:], near[..., :2] + 1)
    labels = rng.integers(0, CLASSES - (seed % 5 == 0), (n, g))
    own = np.take_along_axis(labels, source, 1)
    right = close & (rng.random((n, d)) < 0.9)
    whole = np.prod(true[..., 2:] - true[..., :2], -1)
    predicted_mask, box_mask = rng.random((n, d)) < 0.8, rng.random((n, g)) < 0.7
    box_mask[rng.random(n) < 0.15] = False
    predicted_mask[rng.random(n) < 0.1] = False
    drawn = {
        "predicted_boxes": np.where(close[..., None], near, far).astype(np.float32),
        "scores": (rng.integers(0, 12, (n, d)) / 12).astype(np.float32),
        "predicted_labels": np.where(right, own, rng.integers(0, CLASSES, (n, d))),
        "boxes": true.astype(np.float32),
        "labels": labels,
        "crowd": rng.random((n, g)) < 0.1,
        "areas": np.where(rng.random((n, g)) < 0.5, whole, whole * 7 // 10).astype(np.float32),
        "predicted_mask": predicted_mask,
        "box_mask": box_mask,
        "ids": rng.permutation(100)[:n],
    }
    for name, keep in (("predicted_boxes", predicted_mask), ("scores", predicted_mask)):
        drawn[name][~keep] = np.nan
    for name in ("boxes", "areas"):
        drawn[name][~box_mask] = np.nan
    whole_numbers = ("predicted_labels", "labels", "ids")
    return drawn | {name: drawn[name].astype(np.int32) for name in whole_numbers}


def _as_coco(box: np.ndarray) -> list[float]:
    x, y, right, bottom = (float(x) for x in box)
    return [x, y, right - x, bottom - y]


def pycocotools(batch: dict[str, np.ndarray], limits: tuple[int, ...] = LIMITS) -> Any:
    annotations, found = [], []
    for i, image in enumerate(batch["ids"].tolist()):
        for j in np.flatnonzero(batch["box_mask"][i]):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(batch["labels"][i, j]),
                    "bbox": _as_coco(batch["boxes"][i, j]),
                    "area": float(batch["areas"][i, j]),
                    "iscrowd": int(batch["crowd"][i, j]),
                }
            )
        for j in np.flatnonzero(batch["predicted_mask"][i]):
            found.append(
                {
                    "image_id": image,
                    "category_id": int(batch["predicted_labels"][i, j]),
                    "bbox": _as_coco(batch["predicted_boxes"][i, j]),
                    "score": float(batch["scores"][i, j]),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO()
        truth.dataset = {
            "images": [{"id": i} for i in batch["ids"].tolist()],
            "categories": [{"id": c} for c in range(CLASSES)],
            "annotations": annotations,
            "info": {},
        }
        truth.createIndex()
        evaluation: Any = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.maxDets = list(limits)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@jax.jit
def at_once(batch: dict[str, Any]) -> tuple[Any, Any]:
    """Every precision, and all values."""
    metrics = READ.update(**batch)
    precision: Any = metrics["precision"]
    return precision.precision(), metrics.compute()
