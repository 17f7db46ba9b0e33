"""Updates of images, masks and boxes beside scikit-image, scipy and pycocotools, in CPU time of all
threads, in turns; and what their programs take to compile."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, si, table
from .peers import module
from .text import against, compiled, cpu_per_call


rng = np.random.default_rng(0)
Row = list[object]


def noisy(*shape: int) -> dict[str, jax.Array]:
    targets = rng.random(shape).astype(np.float32)
    predictions = np.clip(targets + 0.1 * rng.normal(size=shape), 0, 1).astype(np.float32)
    return {"predictions": jnp.asarray(predictions), "targets": jnp.asarray(targets)}


def on_host(batch: dict[str, jax.Array]) -> list[np.ndarray]:
    return [np.asarray(x) for x in batch.values()]


def likeness() -> list[Row]:
    ssim = module("skimage.metrics").structural_similarity
    options: dict[str, Any] = dict(
        data_range=1.0, channel_axis=-1, gaussian_weights=True, use_sample_covariance=False
    )
    image = eqm.image.Image(data_range=1.0)
    batch = noisy(8, 256, 256, 3)
    p, t = on_host(batch)
    each = lambda: np.mean([ssim(x, y, **options) for x, y in zip(p, t, strict=True)])
    rows = against("8 images, 256 x 256 x 3", "scikit-image", lambda: each() and None, batch, {
        "SSIM": eqm.image.SSIM(image),
        "UniversalQuality": eqm.image.UniversalQuality(image),
        "VisualInformationFidelity": eqm.image.VisualInformationFidelity(image),
    })  # fmt: skip
    many = noisy(4, 256, 256, 3)
    a, b = on_host(many)
    half = lambda x: x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, 3).mean((2, 4))

    def five_scales() -> None:
        x, y = a, b
        for _ in range(5):
            for one, other in zip(x, y, strict=True):
                ssim(one, other, **options)
            x, y = half(x), half(y)

    metrics = {"MultiScaleSSIM": eqm.image.MultiScaleSSIM(image)}
    name = "4 images, 256 x 256 x 3"
    return rows + against(name, "five of scikit-image", five_scales, many, metrics)


def discs(images: int, side: int, classes: int) -> np.ndarray:
    """Each class a disc in each image, the later ones on top."""
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((images, side, side), np.int32)
    for i in range(images):
        for c in range(1, classes):
            row, column = rng.integers(side // 4, 3 * side // 4, 2)
            radius = rng.integers(side // 12, side // 4)
            labels[i][(y - row) ** 2 + (x - column) ** 2 < radius**2] = c
    return labels


def masks() -> list[Row]:
    ndimage = module("scipy.ndimage")
    images, side, classes = 32, 128, 4
    labels = discs(images, side, classes)
    predicted = np.roll(labels, (2, 1), axis=(1, 2))
    task = eqm.Multiclass(classes)
    batch = {"predicted_labels": jnp.asarray(predicted), "labels": jnp.asarray(labels)}

    def hd95() -> None:
        """As MONAI does it: both distances of each object."""
        for t, p in zip(labels, predicted, strict=True):
            for c in range(1, classes):
                a, b = t == c, p == c
                a, b = a & ~ndimage.binary_erosion(a), b & ~ndimage.binary_erosion(b)
                if a.any() and b.any():
                    far, near = (ndimage.distance_transform_edt(~x) for x in (a, b))
                    max(np.percentile(far[b], 95), np.percentile(near[a], 95))

    def dice() -> None:
        for t, p in zip(labels, predicted, strict=True):
            counts = np.bincount((classes * t + p).ravel(), minlength=classes**2)
            counts = counts.reshape(classes, classes)
            _ = 2 * counts.diagonal() / (counts.sum(0) + counts.sum(1))

    some = tuple(range(1, classes))
    segmentation = eqm.segmentation
    name = f"{images} images, {side} x {side}, {classes - 1} objects"
    distances = {
        "HausdorffDistance, 95 %": segmentation.HausdorffDistance(
            task, include=some, percentile=95
        ),
        "SurfaceDistance": segmentation.SurfaceDistance(task, include=some),
    }
    rows = against(name, "scipy", hd95, batch, distances)
    return rows + against(name, "numpy", dice, batch, {"Dice": segmentation.Dice(task)})


def boxes(images: int, detections: int, objects: int) -> dict[str, np.ndarray]:
    from ..detection.coco import CLASSES

    low = rng.integers(0, 400, (images, objects, 2))
    true = np.concatenate([low, low + rng.integers(8, 200, low.shape)], -1)
    of = rng.integers(0, objects, (images, detections))
    near = np.take_along_axis(true, of[..., None], 1) + rng.integers(-6, 7, (images, detections, 4))
    near[..., 2:] = np.maximum(near[..., 2:], near[..., :2] + 1)
    labels = rng.integers(0, CLASSES, (images, objects), np.int32)
    own = np.take_along_axis(labels, of, 1)
    other = rng.integers(0, CLASSES, own.shape, np.int32)
    return {
        "predicted_boxes": near.astype(np.float32),
        "scores": rng.random((images, detections)).astype(np.float32),
        "predicted_labels": np.where(rng.random(own.shape) < 0.8, own, other),
        "boxes": true.astype(np.float32),
        "labels": labels,
        "crowd": np.zeros(labels.shape, bool),
        "areas": np.prod(true[..., 2:] - true[..., :2], -1).astype(np.float32),
        "predicted_mask": np.ones((images, detections), bool),
        "box_mask": np.ones(labels.shape, bool),
        "ids": np.arange(images, dtype=np.int32),
    }


def detection() -> list[Row]:
    from ..detection.coco import CLASSES, pycocotools
    from ..detection.table import XYXY

    images, detections, objects = 128, 100, 12
    drawn = boxes(images, detections, objects)
    evaluation = pycocotools(drawn, (1, 10, 100))
    batch = {k: jnp.asarray(x) for k, x in drawn.items()}
    metric = eqm.detection.MeanAveragePrecision(CLASSES, XYXY, images * detections)
    update, took = compiled(metric, batch)
    read = jax.jit(lambda metric: metric.compute())
    value = read(update())
    assert abs(value - evaluation.stats[0]) < 1e-6, (value, evaluation.stats[0])

    def theirs() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.evaluate()
            evaluation.accumulate()

    ours: Callable[[], Any] = lambda: read(update())
    times = cpu_per_call({"ours": ours, "update": update, "theirs": theirs}, rounds=7)
    name = f"{images} images, {detections} detections, {objects} objects"
    share = lambda x: f"{times[x] / times['theirs']:.2f} of pycocotools"
    row = lambda what, x: [name, what, si(times[x]), share(x)]
    whole = row("MeanAveragePrecision and its value", "ours")
    return [[*whole, f"{took:.1f} s"], [*row("its update alone", "update"), ""]]


def main() -> None:
    about("Images, masks and boxes", "scikit-image", "scipy", "pycocotools")
    rows = [*likeness(), *masks(), *detection()]
    table(["", "metric", "CPU time of an update", "", "compiled in"], rows)
    print("scikit-image: one call of `structural_similarity` an image, five for the scales.")
    print("scipy: two distance transforms and percentiles of each object. numpy: one `bincount`")
    print("an image. pycocotools: `evaluate` and `accumulate`, what is matched and read.\n")


if __name__ == "__main__":
    main()
