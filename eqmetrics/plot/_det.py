from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import numpy as np

from ._axes import GREY
from ._curves import Curve, draw, Kind, rectangles


if TYPE_CHECKING:
    from matplotlib.axes import Axes


_TICKS = np.array([1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999])
_ENDS = 1e-7


def _deviate(rate: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri

    return ndtri(np.clip(rate, _ENDS, 1 - _ENDS))


def _equal_error(c: Curve) -> tuple[float, float]:
    t0, t1, f0, f1 = (x[:, 0] for x in c.pieces())
    i = int(np.argmax(1 - t1 - f1 <= 0))  # the first piece that ends beyond the line of equal rates
    if c.tied[i]:
        before, after = 1 - t0[i] - f0[i], 1 - t1[i] - f1[i]
        rate = f0[i] + (f1[i] - f0[i]) * before / (before - after)
        return float(rate), float(rate)
    return float(max(f0[i], 1 - t1[i])), float(min(f1[i], 1 - t0[i]))


def _det_band(c: Curve) -> tuple[np.ndarray, np.ndarray]:
    x, y = rectangles(c)
    return x, 1 - y


_DET = Kind(
    fn="det",
    maker="DET",
    entries=("fpr", "fnr"),
    read=lambda fpr, fnr: (1 - fnr, fpr, np.nan),
    score="EER",
    bounds=_equal_error,
    line=lambda c: (c.along()[1], 1 - c.along()[0]),
    band=_det_band,
    worst_first=lambda score: -sum(score),
    legend="upper right",
    scale=_deviate,
)


def det(curve: Any, *, names: Sequence[str] | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draws the curve of an [`eqmetrics.DET`][] on axes of normal deviates: if the scores of
    positives and of negatives are normally distributed, the curve is a straight line.

    Its points are exact, and the curve of all rows certainly lies in the band. The legend contains
    the equal error rate, where the curve crosses the dotted line. Rates of 0 and 1 lie outside the
    axes.

    **Arguments:**

    - `curve`: an [`eqmetrics.DET`][], or another readout of an [`eqmetrics.ScoreHistogram`][]: then
        everything in its state is drawn, including ties. Or the value of `compute()` of an
        `eqm.DET`, which contains only the points.
    - `names`: the names of the classes, or of the single curve. With more than 10 classes only the
        5 with the largest equal error rate are named.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result.

    **Returns:** the axes, on which you can draw in units of rates, too.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, jax.numpy as jnp
        curve = eqm.DET(eqm.Binary())
        logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
        ax = eqmetrics.plot.det(curve.update(logits=logits, labels=labels))
        assert ax.get_legend_handles_labels()[1] == ["EER 0.500"]
        ```
    """
    from scipy.special import ndtr

    axes, curves = draw(curve, _DET, names, ax)
    axes.set_xscale("function", functions=(_deviate, ndtr))
    axes.set_yscale("function", functions=(_deviate, ndtr))
    # The axes start below the smallest rate, that of one row.
    rates = np.concatenate([z for c in curves if c is not None for z in (c.fp, 1 - c.tp)] or [[]])
    inside = rates[(rates > 1e-9) & (rates < 1 - 1e-9)]
    low = np.clip(inside.min(initial=0.1), 1e-6, 0.1) / 1.5
    high = np.clip(inside.max(initial=0.6), 0.6, 0.99)
    axes.plot([_ENDS, 1 - _ENDS], [_ENDS, 1 - _ENDS], color=GREY, ls=":", lw=1)
    ticks = _TICKS[(low <= _TICKS) & (high >= _TICKS)]
    labels = [f"{100 * x:.12g}%" for x in ticks]
    axes.set_xticks(ticks, labels, rotation=45)
    axes.set_yticks(ticks, labels)
    axes.minorticks_off()
    axes.set(xlabel="false positive rate", ylabel="false negative rate", aspect="equal")
    axes.set(xlim=(low, high), ylim=(low, high))
    return axes
