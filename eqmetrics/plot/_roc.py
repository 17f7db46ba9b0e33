from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import numpy as np

from ._axes import GREY
from ._curves import Curve, draw, Kind, rectangles


if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _area(c: Curve) -> tuple[float, float]:
    t0, t1, f0, f1 = c.pieces()
    middle = (t0 + t1) / 2
    low, high = (float(np.sum((f1 - f0) * np.where(c.tied[:, None], middle, t))) for t in (t0, t1))
    return low, high


_ROC = Kind(
    fn="roc",
    maker="ROC",
    entries=("fpr", "tpr"),
    read=lambda fpr, tpr: (tpr, fpr, np.nan),
    score="AUROC",
    bounds=_area,
    line=lambda c: (c.along()[1], c.along()[0]),
    band=rectangles,
    worst_first=sum,
    legend="lower right",
)


def roc(curve: Any, *, names: Sequence[str] | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draws the curve of an [`eqmetrics.ROC`][]: a line through its points, which are exact, and a
    band in which the curve of all rows is certain to lie.

    The band is wider than the line only if the resolution is low or the points are few. The area in
    the legend is accurate to a unit of its last digit, or a range.

    **Arguments:**

    - `curve`: an [`eqmetrics.ROC`][], or another readout of an [`eqmetrics.ScoreHistogram`][]:
        everything in its state is drawn, ties too. Or the value of `compute()` of the former, of
        which only the points are known.
    - `names`: the names of the classes, or of the one curve. Of more than 10 classes only the 5
        with the smallest area are named.
    - `ax`: where to draw, for several models in one plot, say; if not given, a new figure, which is
        `ax.figure` of the result.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, jax.numpy as jnp
        curve = eqm.ROC(eqm.Binary())
        curve = curve.update(logits=jnp.array([1.0, 2.0, 2.0]), labels=jnp.array([0, 0, 1]))
        ax = eqmetrics.plot.roc(curve)
        assert ax.get_legend_handles_labels()[1] == ["AUROC 0.750"]
        ```
    """
    axes, _ = draw(curve, _ROC, names, ax)
    axes.plot([0, 1], [0, 1], color=GREY, ls=":", lw=1)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    return axes
