"""Plots of detections: precision over recall, and the boxes of an image."""

from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from ..detection import Boxes, MeanAveragePrecision
from ._axes import axes_of, GREY, unwrapped


if TYPE_CHECKING:
    from matplotlib.axes import Axes


def average_precision(metric: Any, *, label: int | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draws the precision at each recall, of which an
    [`eqmetrics.detection.MeanAveragePrecision`][] is the mean: a line for each IoU threshold, with
    its average precision in the legend.

    A line is the mean over the classes with an object, for the metric's range of areas and its
    largest number of detections. A line that falls at high recall means missed objects; one that
    starts low means confident false detections; lines far apart mean inaccurate boxes.

    **Arguments:**

    - `metric`: an [`eqmetrics.detection.MeanAveragePrecision`][] that has seen images.
    - `label`: the class whose lines are drawn; by default the mean of all.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, jax.numpy as jnp
        metric = eqm.detection.MeanAveragePrecision(
            1, eqm.detection.Boxes("xyxy"), capacity=10, thresholds=(0.5, 0.75)
        )
        box, one = jnp.array([[[10.0, 10.0, 50.0, 50.0]]]), jnp.array([[0]])
        metric = metric.update(
            predicted_boxes=box + 4, scores=one, predicted_labels=one, boxes=box, labels=one
        )
        ax = eqmetrics.plot.average_precision(metric)
        assert ax.get_legend_handles_labels()[1] == ["IoU 0.5: AP 1.000", "IoU 0.75: AP 0.000"]
        ```
    """
    found = unwrapped(metric)
    if not isinstance(found, MeanAveragePrecision):
        raise TypeError(
            f"`plot.average_precision` got {type(found).__name__}, expected an "
            "`eqm.detection.MeanAveragePrecision` that has seen images. Its value alone has no "
            "curve."
        )
    known = found.statistic
    if label is not None and not 0 <= label < known.classes:
        raise ValueError(f"label={label}: the metric has {known.classes} classes.")
    names = [name for name, _, _ in known.ranges]
    area = 0 if found.area is None else names.index(found.area)
    each = np.asarray(found.precision())[:, :, :, area, -1]  # (thresholds, recalls, classes)
    if label is not None:
        each = each[:, :, label : label + 1]
    some = ~np.isnan(each[0, 0])
    axes = axes_of(ax, 5.6, 4.6)
    recalls = np.linspace(0, 1, each.shape[1])
    for i, threshold in enumerate(known.thresholds):
        if found.threshold is not None and abs(found.threshold - threshold) > 1e-6:
            continue
        line = each[i][:, some].mean(axis=1) if some.any() else np.full(len(recalls), np.nan)
        # Dark for low thresholds. Not a colormap: this would need to import matplotlib here.
        shade = 0.15 + 0.7 * i / max(len(known.thresholds) - 1, 1)
        name = f"IoU {threshold:g}: AP {line.mean():.3f}"
        axes.plot(recalls, line, color=(shade, 0.35, 1 - shade), lw=1.5, label=name)
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="best", fontsize="small")
    return axes


def _kept(x: Any, mask: Any, name: str) -> np.ndarray:
    x = np.asarray(x)
    keep = np.ones(len(x), bool) if mask is None else np.asarray(mask)
    if keep.shape != x.shape[:1]:
        raise ValueError(f"The mask of `{name}` has shape {keep.shape}, expected {x.shape[:1]}.")
    return x[keep]


def boxes(
    image: Any,
    *,
    predicted_boxes: Any,
    boxes: Any,
    format: Boxes,
    scores: Any = None,
    predicted_labels: Any = None,
    labels: Any = None,
    predicted_mask: Any = None,
    box_mask: Any = None,
    least: float = 0.0,
    names: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws an image with the boxes of its objects, grey and dashed, and the boxes of the
    detections, in one colour for each class, with their scores.

    **Arguments:**

    - `image`: an array of shape `(height, width)`, drawn from 0, black, to 1, white; or
        `(height, width, 3)`, as for `imshow`.
    - `predicted_boxes`, `boxes`: arrays of shape `(n, 4)` in pixels, in the given `format`.
    - `format`: the order of the four numbers of a box, see [`eqmetrics.detection.Boxes`][].
    - `scores`, `predicted_labels`, `labels`: of the detections and of the objects, of shape `(n,)`;
        those that are given are written beside the boxes.
    - `predicted_mask`, `box_mask`: which detections and objects exist; by default all.
    - `least`: detections with a smaller score are left out.
    - `names`: the names of the classes.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, numpy as np
        ax = eqmetrics.plot.boxes(
            np.zeros((64, 64)), format=eqm.detection.Boxes("xyxy"),
            boxes=np.array([[10.0, 10.0, 50.0, 50.0]]),
            predicted_boxes=np.array([[12.0, 8.0, 52.0, 50.0]]), scores=np.array([0.9]),
            predicted_labels=np.array([0]), names=["cat"],
        )
        assert [text.get_text() for text in ax.texts] == ["cat 0.90"]
        ```
    """
    axes = axes_of(ax, 5, 5)
    picture = np.asarray(image)
    if picture.ndim == 2:
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    else:
        axes.imshow(picture)
    name_of = lambda label: str(label) if names is None else names[int(label)]
    true = _kept(boxes, box_mask, "boxes")
    what = None if labels is None else _kept(labels, box_mask, "boxes")
    for i, box in enumerate(true):
        _draw(axes, format, box, GREY, "--", None if what is None else name_of(what[i]), "bottom")
    found = _kept(predicted_boxes, predicted_mask, "predicted_boxes")
    kinds, sure = (
        None if x is None else _kept(x, predicted_mask, "predicted_boxes")
        for x in (predicted_labels, scores)
    )
    for i, box in enumerate(found):
        if sure is not None and sure[i] < least:
            continue
        words = [] if kinds is None else [name_of(kinds[i])]
        words += [] if sure is None else [f"{sure[i]:.2f}"]
        color = f"C{0 if kinds is None else int(kinds[i]) % 10}"
        _draw(axes, format, box, color, "-", " ".join(words) or None, "top")
    return axes


def _draw(
    axes: Any, format: Boxes, box: np.ndarray, color: str, style: str, text: str | None, at: str
) -> None:
    low, high = (np.asarray(x) for x in format.corners(jnp.asarray(box, jnp.float32)))
    (left, top), (right, bottom) = low - 0.5, high - 0.5  # the edges of pixels
    corners = [left, right, right, left, left], [top, top, bottom, bottom, top]
    axes.plot(*corners, color=color, ls=style, lw=1.2)
    if text is not None:
        y, side = (bottom, "top") if at == "bottom" else (top, "bottom")
        axes.text(left, y, text, color=color, fontsize="x-small", va=side, clip_on=True)
