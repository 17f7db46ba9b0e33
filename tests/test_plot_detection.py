"""What is drawn of detections: the curves of a mean average precision, and boxes."""

from typing import Any

import jax
import numpy as np
import pytest
from matplotlib.figure import Figure

import eqmetrics as eqm
import eqmetrics.plot


plot: Any = eqmetrics.plot  # what pyright knows of matplotlib isn't enough
XYXY = eqm.detection.Boxes("xyxy")


def seen(**options) -> Any:
    rng = np.random.default_rng(0)
    low = rng.integers(0, 60, (8, 5, 2))
    true = np.concatenate([low, low + rng.integers(5, 90, low.shape)], -1).astype(np.float32)
    metric = eqm.detection.MeanAveragePrecision(
        3, XYXY, 100, thresholds=(0.5, 0.75), **options
    )
    labels = rng.integers(0, 2, (8, 5), np.int32)  # of the third class there is none
    batch = {
        "predicted_boxes": true + rng.integers(-9, 10, (8, 5, 1)),
        "scores": rng.random((8, 5)).astype(np.float32),
        "predicted_labels": np.where(rng.random((8, 5)) < 0.7, labels, 1 - labels),
        "boxes": true,
        "labels": labels,
    }
    return jax.jit(lambda metric: metric.update(**batch))(metric)


def legend(ax):
    return ax.get_legend_handles_labels()[1]


def test_lines_are_what_the_value_is_the_mean_of(tmp_path):
    metric = seen()
    figure = Figure()
    ax = plot.average_precision(metric, ax=figure.add_subplot())
    values = [line.get_ydata().mean() for line in ax.lines]
    assert 0.1 < values[1] < values[0] and abs(np.mean(values) - metric.compute()) < 1e-6
    assert legend(ax) == [
        f"IoU {t}: AP {x:.3f}" for t, x in zip((0.5, 0.75), values, strict=True)
    ]
    renamed = metric.from_output(labels="kinds")
    assert legend(plot.average_precision(renamed)) == legend(ax)
    figure.savefig(tmp_path / "lines.png")


def test_one_class_one_threshold_and_one_range():
    metric = seen(threshold=0.75, area="medium", average=None)
    for label in (0, 1):
        (line,) = plot.average_precision(metric, label=label).lines
        assert abs(line.get_ydata().mean() - metric.compute()[label]) < 1e-6
    (line,) = plot.average_precision(metric, label=2).lines
    assert np.isnan(line.get_ydata()).all()


def test_boxes_have_their_places_and_names(tmp_path):
    drawn = dict(
        boxes=np.array([[1.0, 2, 4, 6], [0, 0, 1, 1]]), box_mask=np.array([True, False]),
        predicted_boxes=np.array([[2.0, 2, 4, 4], [0, 0, 9, 9], [3, 3, 5, 5]]),
        predicted_mask=np.array([True, False, True]), scores=np.array([0.9, 0.8, 0.2]),
        labels=np.array([1, 0]), predicted_labels=np.array([0, 0, 1]),
    )  # fmt: skip
    figure = Figure()
    ax = plot.boxes(
        np.zeros((8, 9, 3)), format=eqm.detection.Boxes("xywh"), names=["cat", "dog"], least=0.5,
        ax=figure.add_subplot(), **drawn,
    )  # fmt: skip
    assert [text.get_text() for text in ax.texts] == ["dog", "cat 0.90"]
    true, found = (set(zip(*line.get_data(), strict=True)) for line in ax.lines)
    assert true == {(0.5, 1.5), (4.5, 1.5), (4.5, 7.5), (0.5, 7.5)}
    assert found == {(1.5, 1.5), (5.5, 1.5), (5.5, 5.5), (1.5, 5.5)}
    plain = plot.boxes(
        np.zeros((8, 9)), format=XYXY, boxes=drawn["boxes"], predicted_boxes=drawn["boxes"]
    )
    assert len(plain.lines) == 4 and not plain.texts
    figure.savefig(tmp_path / "boxes.png")


def test_what_they_refuse():
    with pytest.raises(TypeError, match="got float, expected an `eqm.detection.Mean"):
        plot.average_precision(0.5)
    with pytest.raises(ValueError, match="label=3: the metric has 3 classes"):
        plot.average_precision(seen(), label=3)
    one = np.ones((2, 4))
    with pytest.raises(ValueError, match=r"mask of `boxes` has shape \(3,\), expected \(2,\)"):
        plot.boxes(one, format=XYXY, boxes=one, predicted_boxes=one, box_mask=np.ones(3, bool))
