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
    band that certainly contains the curve of all rows.

    The band is wider than the line only if the resolution is low or the points are few. The area in
    the legend is accurate to one unit of its last digit, or is a range.

    **Arguments:**

    - `curve`: an [`eqmetrics.ROC`][], or another readout of an [`eqmetrics.ScoreHistogram`][]: then
        everything in its state is drawn, including ties. Or the value of `compute()` of an
        `eqm.ROC`, which contains only the points.
    - `names`: the names of the classes, or of the single curve. With more than 10 classes only the
        5 with the smallest area are named.
    - `ax`: where to draw, for example several models in one plot; if not given, a new figure, which
        is `ax.figure` of the result.

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
