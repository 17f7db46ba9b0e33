from typing import Any, TYPE_CHECKING

import numpy as np

from .._metric.metric import Metric
from ._axes import axes_of, entries, GREY, unwrapped


if TYPE_CHECKING:
    from matplotlib.axes import Axes


_ENTRIES = "confidence", "accuracy", "weight"
_MOST_NUMBERS = 15  # with more bins there is no room for their counts


def _count(x: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= max(size, 1e4):
            return f"{x / size:.3g}{letter}"
    return f"{x:.4g}" if x else ""


def _wilson(right: np.ndarray, n: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """The interval of Wilson, "Probable inference, the law of succession, and statistical
    inference", 1927."""
    middle = (right + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(right * (1 - right) / n + (z / (2 * n)) ** 2)
    return middle - half, middle + half


def reliability_diagram(bins: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Draws the value of an [`eqmetrics.ReliabilityDiagram`][]: the accuracy of each bin over its
    mean confidence, with the 95 % interval of Wilson, and above it the number of its rows.

    On the diagonal the confidence is right; below it, it is too high. The intervals treat weights
    as numbers of rows. The title contains the expected calibration error.

    **Arguments:**

    - `bins`: an [`eqmetrics.ReliabilityDiagram`][], or the value of its `compute()`, for one label
        or class.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result. The
        counts are drawn above, on axes of their own, `ax.child_axes[0]`.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, jax.numpy as jnp
        diagram = eqm.ReliabilityDiagram(eqm.Binary(), bins=5)
        bins = diagram(probabilities=jnp.array([0.75, 0.75, 0.25]), labels=jnp.array([1, 1, 0]))
        ax = eqmetrics.plot.reliability_diagram(bins)
        assert ax.child_axes[0].get_title() == "3 rows, calibration error 0.250"
        ```
    """
    bins = unwrapped(bins)
    value = bins.compute() if isinstance(bins, Metric) else bins
    entries(value, _ENTRIES, "reliability_diagram", "ReliabilityDiagram")
    confidence, accuracy, weight = (np.asarray(value[name], np.float64) for name in _ENTRIES)
    if weight.ndim != 1:
        raise ValueError(
            f"`plot.reliability_diagram` got bins of {len(weight)} labels or classes, expected "
            "those of one: draw `{name: x[i] for name, x in bins.items()}`."
        )
    count, some = len(weight), weight > 0
    x, y, n = confidence[some], accuracy[some], weight[some]

    axes = axes_of(ax, 5, 6)
    axes.plot([0, 1], [0, 1], color=GREY, ls=":", lw=1)
    axes.vlines(x, x, y, color="tab:red", alpha=0.35, lw=5, label="calibration error")
    low, high = _wilson(np.clip(y, 0, 1), n)
    sides = np.maximum([y - low, high - y], 0)
    style = {"color": "tab:blue", "ms": 5, "lw": 1.4, "elinewidth": 1, "capsize": 2}
    axes.errorbar(x, y, sides, fmt="o-", label="accuracy, 95 %", **style)
    axes.legend(loc="upper left", fontsize=9)
    axes.grid(color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel="confidence", ylabel="accuracy", aspect="equal")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))

    counts = axes.inset_axes((0, 1.03, 1, 0.18), sharex=axes)
    middles = (np.arange(count) + 0.5) / count
    counts.bar(middles, weight, width=0.92 / count, color="tab:blue", alpha=0.5)
    if count <= _MOST_NUMBERS:
        for middle, one in zip(middles, weight, strict=True):
            style = {"ha": "center", "va": "bottom", "fontsize": 6.5}
            counts.text(middle, one, _count(one), **style)
    counts.tick_params(labelbottom=False, bottom=False)
    counts.set(ylim=(0, 1.25 * weight.max(initial=1)), yticks=[], ylabel="rows")
    for side in ("top", "right", "left"):
        counts.spines[side].set_visible(False)
    total = weight.sum()
    error = np.sum(n * np.abs(x - y)) / total if total else np.nan
    counts.set_title(f"{_count(total) or 0} rows, calibration error {error:.3f}", fontsize=10)
    return axes
