"""What is drawn: looked at once by people, and told apart by these tests."""

import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from sklearn import metrics as sk

import eqmetrics as eqm
import eqmetrics.plot


def confused(classes, rows=4000):
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows)
    p = np.where(rng.random(rows) < 0.8, y, rng.integers(0, classes, rows))
    p = np.where((y == 2) & (rng.random(rows) < 0.5), 1, p)
    return eqm.to_host(eqm.ConfusionMatrix(eqm.Multiclass(classes))(predicted_labels=p, labels=y))


def test_ten_classes_have_their_numbers(tmp_path):
    matrix = confused(10)
    ax = eqmetrics.plot.confusion_matrix(matrix)
    told = [t.get_text() for t in ax.texts]
    assert told == [f"{x:.0f}" if x else "" for x in matrix.ravel()]
    assert [t.get_text() for t in ax.get_yticklabels()] == [str(i) for i in range(10)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    figure = Figure()
    eqmetrics.plot.confusion_matrix(matrix, ax=figure.add_subplot())
    figure.savefig(tmp_path / "ten.png")


def test_a_hundred_classes_have_their_largest_mistakes():
    matrix = confused(100)
    ax = eqmetrics.plot.confusion_matrix(matrix, names=[f"class {i}" for i in range(100)])
    assert not ax.texts and len(ax.get_yticklabels()) <= 30
    assert f"class 2 as class 1: {matrix[2, 1]:.0f}" in ax.get_title()


def test_shares_and_empty_rows():
    y, p = np.array([0, 0, 1]), np.array([0, 1, 1])
    shares = eqm.ConfusionMatrix(eqm.Multiclass(3), normalize="true")(predicted_labels=p, labels=y)
    ax = eqmetrics.plot.confusion_matrix(shares)
    assert [t.get_text() for t in ax.texts] == [".50", ".50", "", "", "1", "", "", "", ""]


def test_a_given_axes_is_used():
    ax = Figure().add_subplot()
    assert eqmetrics.plot.confusion_matrix(np.eye(2), ax=ax) is ax


def test_what_it_refuses():
    with pytest.raises(ValueError, match=r"float64\[3, 2, 2\], expected a square matrix"):
        eqmetrics.plot.confusion_matrix(np.zeros((3, 2, 2)))
    with pytest.raises(ValueError, match="2 names, and the matrix 3 classes"):
        eqmetrics.plot.confusion_matrix(np.zeros((3, 3)), names=("a", "b"))


def test_without_matplotlib_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None; import eqmetrics.plot, numpy as np\n"
        "eqmetrics.plot.confusion_matrix(np.eye(2))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "needs matplotlib: `pip install matplotlib`" in run.stderr


plot: Any = eqmetrics.plot  # what pyright knows of matplotlib isn't enough
ROWS = 400
CURVES = {
    "roc": (eqm.ROC, eqm.AUROC, sk.roc_auc_score),
    "precision_recall": (
        eqm.PrecisionRecallCurve,
        eqm.AveragePrecision,
        sk.average_precision_score,
    ),
    "det": (eqm.DET, eqm.EqualErrorRate, None),
}


def scored(seed=0, ties=False):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, ROWS)
    x = (rng.normal(size=ROWS) + 1.5 * y).astype(np.float32)
    return {"logits": np.round(x) if ties else x, "labels": y}


def legend(ax):
    return ax.get_legend_handles_labels()[1]


def band(ax):
    (found,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    return [np.asarray(path.vertices) for path in found.get_paths()]


def told(label):
    """The range that a legend tells."""
    numbers = [float(x) for x in label.split() if x[:1].isdigit()]
    return numbers[0] - 1e-3 * (len(numbers) == 1), numbers[-1] + 1e-3 * (len(numbers) == 1)


def exact_curve(name, rows):
    if name == "precision_recall":
        precision, recall, _ = sk.precision_recall_curve(rows["labels"], rows["logits"])
        return recall, precision
    fpr, tpr, _ = sk.roc_curve(rows["labels"], rows["logits"], drop_intermediate=False)
    return fpr, tpr if name == "roc" else 1 - tpr


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("points", [None, 8], ids=["metric", "value"])
def test_the_curve_of_all_rows_lies_in_the_band(name, points):
    maker, score, oracle = CURVES[name]
    draw, rows = getattr(plot, name), scored()
    curve = maker(eqm.Binary(), resolution=9, points=points).update(**rows)
    ax = draw(curve if points is None else eqm.to_host(curve))
    boxes = [(v.min(0) - 1e-6, v.max(0) + 1e-6) for v in band(ax)]
    assert boxes
    line = np.transpose(ax.lines[0].get_data())
    for point in np.transpose(exact_curve(name, rows)):
        inside = any(np.all((low <= point) & (point <= high)) for low, high in boxes)
        assert inside or np.min(np.hypot(*(line - point).T)) < 1e-5, point
    low, high = told(legend(ax)[0])
    value = score(eqm.Binary(), resolution=9)(**rows)
    if oracle is not None:
        value = oracle(rows["labels"], rows["logits"])
    assert low <= value <= high
    assert high - low < (0.03 if points is None else 0.5)


@pytest.mark.parametrize("name", CURVES)
def test_ties_are_known(name):
    maker, score, _ = CURVES[name]
    rows = scored(ties=True)
    ax = getattr(plot, name)(maker(eqm.Binary(), resolution=9).update(**rows))
    value = float(score(eqm.Binary(), resolution=9)(**rows))
    assert band(ax) == [] and legend(ax)[0].endswith(f" {value:.3f}")
    if name == "precision_recall":  # steps
        x, y = ax.lines[0].get_data()
        moves = np.abs(np.diff(x)) > 0
        assert np.allclose(np.diff(y)[moves], 0)


def test_classes_have_names_and_many_the_worst_of_them():
    tpr = np.array([[0, 0.6, 1], [0, 0.7, 1], [0, 0.8, 1], [np.nan] * 3])
    curve = {"fpr": np.tile([0, 0.5, 1.0], (4, 1)), "tpr": tpr}
    ax = plot.roc(curve, names=["cat", "dog", "bird", "fish"])
    assert [x.split(":")[0] for x in legend(ax)] == ["cat", "dog", "bird", "fish"]
    assert legend(ax)[3] == "fish: undefined"
    with pytest.raises(ValueError, match="3 names, and there are 4 curves"):
        plot.roc(curve, names="abc")
    tpr = np.stack([[0, x, 1] for x in np.linspace(0.9, 0.2, 12)])
    many = {"fpr": np.tile([0, 0.5, 1.0], (12, 1)), "tpr": tpr}
    ax = plot.roc(many)
    assert [x.split(":")[0] for x in legend(ax)] == ["11", "10", "9", "8", "7"]
    ax = plot.det({"fpr": many["fpr"], "fnr": 1 - tpr})
    assert [x.split(":")[0] for x in legend(ax)] == ["11", "10", "9", "8", "7"]


def test_det_is_straight_where_scores_are_normal():
    from scipy.special import ndtr

    x = np.linspace(-3, 3, 200)
    curve = {"fpr": np.r_[0, ndtr(x), 1], "fnr": np.r_[1, ndtr(-x - 1.5), 0]}
    ax = plot.det(curve)
    at = ax.transData.transform(np.transpose([ndtr(x), ndtr(-x - 1.5)])[40:160])
    assert np.ptp(np.diff(at[:, 1]) / np.diff(at[:, 0])) < 1e-6
    low, high = told(legend(ax)[0])
    assert low <= ndtr(-0.75) <= high and high - low < 0.02


def test_curves_refuse_what_they_cannot_draw():
    with pytest.raises(TypeError, match="`plot.roc` got a dict of fpr, fnr, expected an `eqm.ROC`"):
        plot.roc({"fpr": [0, 1], "fnr": [1, 0]})
    with pytest.raises(TypeError, match="`plot.det` got float, expected an `eqm.DET`"):
        plot.det(0.5)
    curve = eqm.ROC(eqm.Binary(), resolution=9).update(**scored() | {"labels": np.full(ROWS, 2)})
    with pytest.raises(eqm.InvalidDataError, match="400 invalid"):
        plot.roc(curve)


def test_a_reliability_diagram_has_its_bins(tmp_path):
    p, y = np.array([0.1, 0.1, 0.7, 0.8], np.float32), np.array([0, 1, 1, 1])
    diagram = eqm.ReliabilityDiagram(eqm.Binary(), bins=5).update(probabilities=p, labels=y)
    ax = plot.reliability_diagram(diagram)
    (counts,) = ax.child_axes
    assert [t.get_text() for t in counts.texts] == ["2", "", "", "1", "1"]
    assert [bar.get_height() for bar in counts.patches] == [2, 0, 0, 1, 1]
    error = float(eqm.CalibrationError(eqm.Binary(), bins=5)(probabilities=p, labels=y))
    assert counts.get_title() == f"4 rows, calibration error {error:.3f}"
    x, accuracy = ax.containers[0].lines[0].get_data()
    assert np.allclose(x, [0.1, 0.7, 0.8]) and np.allclose(accuracy, [0.5, 1, 1])
    (low, high) = ax.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert np.allclose([low, high], [0.0945, 0.9055], atol=1e-4)  # Wilson's for 1 of 2
    ax.figure.savefig(tmp_path / "bins.png")
    with pytest.raises(ValueError, match="bins of 3 labels or classes"):
        plot.reliability_diagram(eqm.ReliabilityDiagram(eqm.Multilabel(3)))


@pytest.mark.parametrize("rows", [200, 5000])
def test_residuals_are_targets_less_predictions(rows):
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    y = x + 3 + rng.normal(size=rows)
    mask = np.arange(rows) > 0
    y[0], y[1] = 1e9, np.nan
    ax = plot.residuals(x, y, mask=mask)
    assert ax.get_title() == "1 rows aren't finite"
    if rows == 200:
        assert np.allclose(ax.lines[1].get_data(), [x[2:], (y - x)[2:]])
    else:
        (density,) = [c for c in ax.collections if c.get_array() is not None]
        assert np.sum(density.get_array()) == rows - 2
    assert abs(np.mean(ax.lines[-1].get_ydata()) - 3) < 0.2
    with pytest.raises(ValueError, match=r"float64\[200\]|float64\[5000\]"):
        plot.residuals(x, y[:, None])


def quantiles(ax):
    """x, y and the bars of the points."""
    points, _, bars = ax.containers[-1].lines
    segments = [np.array(b.get_segments()) for b in bars]
    return *points.get_data(), *segments


def test_quantiles_of_arrays_and_sketches_agree():
    rng = np.random.default_rng(0)
    x = (5 + 2 * rng.normal(size=1000)).astype(np.float32)
    sketch = eqm.QuantileSketch().from_fun(lambda error: error).update(error=x)
    from_array, from_sketch = (plot.quantile_quantile(z) for z in (x, sketch))
    (_, exact, *_), (levels, near, _, bars) = quantiles(from_array), quantiles(from_sketch)
    assert np.all((bars[:, 0, 1] - 1e-6 <= exact) & (exact <= bars[:, 1, 1] + 1e-6))
    assert np.max(np.abs(exact - near)) < 0.02
    assert exact[0] == x.min() and exact[-1] == x.max()
    slope, offset = np.polyfit(levels, exact, 1)
    assert abs(slope - 2) < 0.1 and abs(offset - 5) < 0.2
    below, above = band_of(from_array, levels)
    assert np.mean((below <= exact) & (exact <= above)) > 0.9
    both = plot.quantile_quantile(sketch, x)
    a, b, *_ = quantiles(both)
    assert np.max(np.abs(a - b)) < 0.02


def band_of(ax, x):
    ((path,),) = [c.get_paths() for c in ax.collections[:1]]
    found = [path.vertices[np.isclose(path.vertices[:, 0], at)][:, 1] for at in x]
    return np.array([[y.min(), y.max()] for y in found]).T


def test_what_quantiles_refuse():
    draw = plot.quantile_quantile
    with pytest.raises(TypeError, match="got `Average` as `other`, expected an array, or a metric"):
        draw(jnp.ones(3), eqm.Average())
    with pytest.raises(ValueError, match="2 values of `values` aren't finite"):
        draw(np.array([1.0, np.nan, np.inf]))
    with pytest.raises(ValueError, match="`values` has no rows"):
        draw(np.array([]))
    with pytest.raises(ValueError, match="other='gamma': expected 'normal'"):
        draw(np.ones(3), "gamma")


def test_intervals():
    rng = np.random.default_rng(0)
    both = eqm.PerGroup(eqm.Bootstrap(eqm.Average(), 20, key=jax.random.key(0)), 3)
    both = both.update(values=rng.normal(size=30), group=np.arange(30) % 3)
    all_rows = {"value": 0.5, "low": 0.25, "high": 0.75}
    ax = eqmetrics.plot.intervals(both, names=["a", "b", "c"], overall=all_rows)
    (points,) = ax.containers
    value = both.compute()
    assert np.allclose(points[0].get_xdata(), value["value"])
    (bars,) = points[2]
    ends = np.array([[low, high] for (low, _), (high, _) in bars.get_segments()])
    assert np.allclose(ends, np.stack([value["low"], value["high"]], 1))
    with pytest.raises(ValueError, match="got 2 names for 3 groups"):
        eqmetrics.plot.intervals(value, names=["a", "b"])
    with pytest.raises(TypeError, match="expected an `eqm.Bootstrap`"):
        eqmetrics.plot.intervals({"value": 1.0})
    with pytest.raises(ValueError, match=r"values of shape \(\)"):
        eqmetrics.plot.intervals(all_rows)
