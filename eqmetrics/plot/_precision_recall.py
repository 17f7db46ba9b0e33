from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import numpy as np

from ._axes import GREY
from ._curves import Curve, draw, Kind


if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _of_precision(recall: np.ndarray, precision: np.ndarray) -> tuple[Any, Any, Any]:
    """True and false positive rates and the odds. Where recall is 0, precision doesn't determine
    the false positives; there are at least as many as at the point before."""
    fp = np.where(recall > 0, recall * (1 - precision) / precision, 0)  # for each positive
    odds = fp[-1]
    fp = np.maximum.accumulate(np.nan_to_num(fp, nan=0.0))
    return recall, fp / odds if odds > 0 else fp, odds


def _precision(tp: np.ndarray, fp: np.ndarray) -> np.ndarray:
    """The precision; 1 without any positive prediction."""
    return np.divide(tp, tp + fp, out=np.ones_like(tp + fp), where=tp + fp > 0)


def _average_precision(c: Curve) -> tuple[float, float]:
    t0, t1, f0, f1 = c.pieces()
    f0, f1, tied = f0 * c.odds, f1 * c.odds, c.tied[:, None]
    tie = (t1 - t0) * _precision(t1, f1)
    high = np.where(tied, tie, (t1 - t0) * _precision(t1, f0))
    # The mean of t / (t + f1) along the piece.
    log = np.log(np.divide(t1 + f1, t0 + f1, out=np.ones_like(t1), where=t0 + f1 > 0))
    low = np.where(tied, tie, (t1 - t0) - f1 * log)
    return float(np.sum(low)), float(np.sum(high))


def _precision_line(c: Curve) -> tuple[np.ndarray, np.ndarray]:
    """A step where rows are tied, as in average precision; otherwise the mean over the possible
    orders."""
    (tp, fp), (_, t1, _, f1) = c.along(), c.pieces()
    step = np.broadcast_to(_precision(t1, f1 * c.odds), tp.shape)
    return tp, np.where(c.tied[:, None], step, _precision(tp, fp * c.odds))


def _precision_band(c: Curve) -> tuple[np.ndarray, np.ndarray]:
    (tp, _), (*_, f0, f1) = c.along(), c.pieces()
    high, low = (_precision(tp, f * c.odds) for f in (f0, f1))
    return np.hstack([tp, tp[:, ::-1]]), np.hstack([high, low[:, ::-1]])


_PRECISION_RECALL = Kind(
    fn="precision_recall",
    maker="PrecisionRecallCurve",
    entries=("recall", "precision"),
    read=_of_precision,
    score="average precision",
    bounds=_average_precision,
    line=_precision_line,
    band=_precision_band,
    worst_first=sum,
    legend="best",
)


def precision_recall(
    curve: Any, *, names: Sequence[str] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draws the curve of an [`eqmetrics.PrecisionRecallCurve`][]: a line through its points, which
    are exact, and a band that certainly contains the curve of all rows.

    Tied scores are drawn as a step, as in average precision. The legend contains the average
    precision, with all digits accurate to one unit of the last, or as a range. The dotted line is
    the precision of chance: the share of the positives.

    **Arguments:**

    - `curve`: an [`eqmetrics.PrecisionRecallCurve`][], or another readout of an
        [`eqmetrics.ScoreHistogram`][]: then everything in its state is drawn, including ties. Or
        the value of `compute()` of an `eqm.PrecisionRecallCurve`, which contains only the points.
    - `names`: the names of the classes, or of the single curve. With more than 10 classes only the
        5 with the smallest average precision are named.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, jax.numpy as jnp
        curve = eqm.PrecisionRecallCurve(eqm.Binary())
        curve = curve.update(logits=jnp.array([3.0, 2.0, 1.0]), labels=jnp.array([1, 0, 1]))
        ax = eqmetrics.plot.precision_recall(curve)
        assert ax.get_legend_handles_labels()[1] == ["average precision 0.833"]
        ```
    """
    axes, curves = draw(curve, _PRECISION_RECALL, names, ax)
    for c in curves if len(curves) == 1 else ():
        if c is not None:
            axes.axhline(1 / (1 + c.odds), color=GREY, ls=":", lw=1)
    axes.set(xlabel="recall", ylabel="precision", aspect="equal")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    return axes
