"""What is drawn: looked at once by people, and told apart by these tests."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

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
