from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import numpy as np

from .._metric.metric import Metric
from ._axes import axes_of, entries, GREY, unwrapped


if TYPE_CHECKING:
    from matplotlib.axes import Axes


_ENTRIES = "value", "low", "high"


def intervals(
    estimate: Any,
    *,
    names: Sequence[str] | None = None,
    overall: Any = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws the value of each group with its confidence interval, one below the other.

    **Arguments:**

    - `estimate`: an `eqm.PerGroup(eqm.Bootstrap(metric, ...), num_groups)`, or the value of its
        `compute()`: a dict of `value`, `low` and `high`, each a number for each group.
    - `names`: the names of the groups.
    - `overall`: an [`eqmetrics.Bootstrap`][] of all rows, or the value of its `compute()`; drawn as
        a band.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics.plot
        groups = {"value": [0.5, 0.75], "low": [0.25, 0.7], "high": [0.75, 0.8]}
        ax = eqmetrics.plot.intervals(groups, names=["night", "day"])
        assert [label.get_text() for label in ax.get_yticklabels()] == ["night", "day"]
        ```
    """
    value, low, high = _read(estimate)
    if value.ndim != 1:
        raise ValueError(
            f"`plot.intervals` got values of shape {value.shape}, expected one number a group. "
            "Draw one class at a time, or choose an `average`."
        )
    names = [str(i) for i in range(len(value))] if names is None else [str(n) for n in names]
    if len(names) != len(value):
        raise ValueError(f"`plot.intervals` got {len(names)} names for {len(value)} groups.")
    axes = axes_of(ax, 6, 1 + 0.3 * len(value))
    if overall is not None:
        middle, bottom, top = _read(overall)
        axes.axvspan(float(bottom), float(top), color=GREY, alpha=0.25, lw=0)
        axes.axvline(float(middle), color=GREY, lw=1, label="all rows")
        axes.legend(loc="best", fontsize=9)
    rows = np.arange(len(value))
    # A percentile interval needn't contain the value.
    sides = np.maximum([value - low, high - value], 0)
    style = {"color": "tab:blue", "ms": 5, "elinewidth": 1.4, "capsize": 3}
    axes.errorbar(value, rows, xerr=sides, fmt="o", **style)
    axes.set_yticks(rows, names)
    axes.set_ylim(len(value) - 0.5, -0.5)  # the first group on top
    axes.grid(axis="x", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(left=False)
    return axes


def _read(estimate: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    estimate = unwrapped(estimate)
    value = estimate.compute() if isinstance(estimate, Metric) else estimate
    entries(value, _ENTRIES, "intervals", "Bootstrap")
    if any(isinstance(value[name], dict) for name in _ENTRIES):
        raise TypeError(
            "`plot.intervals` got the values of several metrics, expected those of one: "
            "`{name: x[metric] for name, x in value.items()}`."
        )
    value, low, high = (np.asarray(value[name], np.float64) for name in _ENTRIES)
    return value, low, high
