"""Shared by all plots: the axes to draw on, and checks of the arguments."""

from typing import Any

from .._metric.metric import Metric
from .._wrap.from_fun import FromFun
from .._wrap.from_output import FromOutput


SURE = 0.25  # opacity of a band
GREY = "0.55"


def axes_of(ax: Any, width: float, height: float) -> Any:
    """`ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        raise ImportError("`eqmetrics.plot` needs matplotlib: `pip install matplotlib`.") from e
    # Not with pyplot, which keeps every figure and may open a window.
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def unwrapped(x: Any) -> Any:
    """The metric inside `from_output` and `from_fun`, after checking its rows; anything else as it
    is."""
    if isinstance(x, Metric):
        x.check()
    while isinstance(x, (FromOutput, FromFun)):
        x = x.metric
    return x


def entries(value: Any, names: tuple[str, ...], fn: str, maker: str) -> None:
    """Raises a `TypeError` if this isn't a value of the metric that the plot is for."""
    if not isinstance(value, dict) or not set(names) <= set(value):
        got = f"a dict of {', '.join(value)}" if isinstance(value, dict) else type(value).__name__
        raise TypeError(
            f"`plot.{fn}` got {got}, expected an `eqm.{maker}` that has seen rows, or what its "
            f"`compute()` gives: a dict of {', '.join(names)}."
        )
