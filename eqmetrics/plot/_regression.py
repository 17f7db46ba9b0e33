from typing import Any, Literal, TYPE_CHECKING

import numpy as np

from .._aggregate.quantile import bounds_of
from .._aggregate.quantile_sketch import QuantileSketch
from .._metric.messages import describe
from .._metric.metric import Metric
from ._axes import axes_of, GREY, SURE, unwrapped


if TYPE_CHECKING:
    from matplotlib.axes import Axes


_MOST_DOTS = 3000  # up to so many rows are drawn as dots, more as a density
_GROUPS = 24
_LEVELS = 199


def _left_out(count: int) -> str:
    return f"{count} rows aren't finite" if count else ""


def residuals(
    predictions: Any, targets: Any, *, mask: Any = None, ax: "Axes | None" = None
) -> "Axes":
    """Draws the residuals, `targets - predictions`, over the predictions: as dots, or, if there are
    more than 3000 rows, as their density.

    The line is the running median, and the band contains 90 % of the rows near a prediction. A line
    away from 0 means a bias, a widening band means that errors grow. The plot needs the rows: those
    of [`eqmetrics.Collect`][], or a sample of them, such as [`eqmetrics.Reservoir`][] draws.

    **Arguments:**

    - `predictions`, `targets`: arrays of the same shape; every entry is a row.
    - `mask`: a boolean array of the same shape; `False` removes a row.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, jax.numpy as jnp
        predictions, targets = jnp.array([2.5, 0.0, 2.0, 8.0]), jnp.array([3.0, -0.5, 2.0, 7.0])
        ax = eqmetrics.plot.residuals(predictions, targets)
        # ax.figure.savefig("residuals.png")
        ```
    """
    x, y = (np.asarray(z) for z in (predictions, targets))
    if x.shape != y.shape or (mask is not None and np.shape(mask) != x.shape):
        also = "" if mask is None else f" and `mask` {describe(np.asarray(mask))}"
        raise ValueError(
            f"`plot.residuals` got `predictions` {describe(x)}, `targets` {describe(y)}{also}: "
            "their shapes must be equal."
        )
    if mask is not None:
        x, y = x[np.asarray(mask, bool)], y[np.asarray(mask, bool)]
    x, y = x.ravel().astype(np.float64), y.ravel().astype(np.float64)
    residual = y - x
    fine = np.isfinite(residual)
    x, residual = x[fine], residual[fine]

    axes = axes_of(ax, 6, 4.2)
    axes.axhline(0, color=GREY, ls=":", lw=1)
    if len(x) <= _MOST_DOTS:
        axes.plot(x, residual, "o", ms=3, color="tab:blue", alpha=0.4, mew=0)
    else:
        image = axes.hexbin(x, residual, gridsize=60, bins="log", mincnt=1, cmap="Blues", lw=0.1)
        axes.figure.colorbar(image, ax=axes, label="rows", fraction=0.045, pad=0.02)
    if len(x) >= 4 * _GROUPS:
        order = np.argsort(x, kind="stable")
        groups = np.array_split(order, _GROUPS)
        middle = [np.median(x[g]) for g in groups]
        low, line, high = np.array([np.quantile(residual[g], (0.05, 0.5, 0.95)) for g in groups]).T
        axes.plot(middle, line, color="tab:red", lw=1.6, label="median")
        axes.fill_between(middle, low, high, color="tab:red", alpha=0.12, lw=0, label="90 %")
        axes.legend(loc="best", fontsize=9)
    axes.set(xlabel="prediction", ylabel="target - prediction")
    axes.set_title(_left_out(np.sum(~fine)), fontsize=9)
    return axes


def _sample(x: Any, name: str) -> tuple[Any, int]:
    """A function from levels to bounds of the quantiles, and the number of rows."""
    x = unwrapped(x)
    sketch = getattr(x, "statistic", x)
    if isinstance(sketch, QuantileSketch):
        rows = round(float(sketch.compute()["weight"]))
        of = lambda q: tuple(np.asarray(z, np.float64) for z in bounds_of(sketch, tuple(q), None))
    elif isinstance(x, Metric):
        raise TypeError(
            f"`plot.quantile_quantile` got `{type(x).__name__}` as `{name}`, expected an array, or "
            "a metric that keeps the distribution: `eqm.QuantileSketch`, `eqm.Quantile`."
        )
    else:
        values = np.asarray(x, np.float64).ravel()
        if not np.isfinite(values).all():
            raise ValueError(
                f"`plot.quantile_quantile`: {np.sum(~np.isfinite(values))} values of `{name}` "
                "aren't finite. Leave them out, or mend them."
            )
        rows = len(values)
        of = lambda q: (np.quantile(values, q),) * 2
    if not rows:
        raise ValueError(f"`plot.quantile_quantile`: `{name}` has no rows.")
    return of, rows


def quantile_quantile(
    values: Any, other: Any | Literal["normal"] = "normal", *, ax: "Axes | None" = None
) -> "Axes":
    """Draws the quantiles of `values` over those of a normal distribution, or of other values.

    If they lie on a line, the distributions have the same shape. With the normal distribution, the
    line goes through the quartiles, and for 95 % of normal samples each quantile is in the band.
    The rows needn't be kept: a sketch has the quantiles to 1e-4 of the range, and its bounds are
    drawn as bars.

    **Arguments:**

    - `values`: an [`eqmetrics.QuantileSketch`][], [`eqmetrics.Quantile`][] or
        [`eqmetrics.Median`][] that has seen rows, or an array.
    - `other`: `"normal"`, or a metric or array like `values`: to compare predictions with targets,
        for example, or the errors of two models.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, jax.numpy as jnp
        errors = eqm.QuantileSketch().from_fun(lambda predictions, targets: targets - predictions)
        x, y = jnp.arange(100.0), jnp.arange(100.0) + 0.01 * jnp.arange(100.0) ** 2
        ax = eqmetrics.plot.quantile_quantile(errors.update(predictions=x, targets=y))
        # ax.figure.savefig("normal.png")
        ```
    """
    from scipy.special import betaincinv, ndtr, ndtri

    of, rows = _sample(values, "values")
    of_other, others = (None, rows) if isinstance(other, str) else _sample(other, "other")
    if isinstance(other, str) and other != "normal":
        raise ValueError(f"other={other!r}: expected 'normal', or other values.")
    n = min(rows, others)
    # Ranks, denser at both ends.
    ends = ndtri(0.5 / n)
    rank = np.unique(np.round(n * ndtr(np.linspace(ends, -ends, _LEVELS)) - 0.5).clip(0, n - 1))
    level = rank / max(n - 1, 1)
    low, high = of(level)
    y = (low + high) / 2

    axes = axes_of(ax, 5, 5)
    if of_other is None:
        # Blom, "Statistical estimates and transformed beta-variables", 1958.
        x = ndtri((rank + 0.625) / (n + 0.25))
        x_low = x_high = x
        ends = np.array([(lo + hi) / 2 for lo, hi in zip(*of((0.25, 0.75)), strict=True)])
        slope = (ends[1] - ends[0]) / (2 * ndtri(0.75))
        line = ends.mean() + slope * x
        sides = [ndtri(betaincinv(rank + 1, n - rank, p)) for p in (0.025, 0.975)]
        inside = [ends.mean() + slope * z for z in sides]
        axes.fill_between(x, *inside, color=GREY, alpha=SURE, lw=0, label="95 % of normal samples")
        axes.plot(x, line, color=GREY, lw=1, label="through the quartiles")
        axes.set(xlabel="standard normal quantile", ylabel="quantile of the values")
    else:
        x_low, x_high = of_other(level)
        x = (x_low + x_high) / 2
        both = np.concatenate([x, y])
        axes.plot(*[[both.min(), both.max()]] * 2, color=GREY, lw=1, label="equal")
        axes.set(xlabel="quantile of the others", ylabel="quantile of the values")
    bars = {"xerr": (x - x_low, x_high - x), "yerr": (y - low, high - y)}
    style = {"ms": 3, "elinewidth": 1, "color": "tab:blue"}
    axes.errorbar(x, y, **bars, fmt="o", label=f"{rows} rows", **style)
    axes.legend(loc="upper left", fontsize=9)
    axes.grid(color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    return axes
