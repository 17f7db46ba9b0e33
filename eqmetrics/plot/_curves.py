"""Curves of rates over all thresholds.

Every point of a curve is exact. Between two points lie the rows of one cell of the histogram. If
all have the same score, the curve is a straight line there; otherwise the state doesn't contain
their order, and the curve can be anywhere in the rectangle between the two points. The bands show
these rectangles.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._curves.curve_points import points_of, tied_points
from .._curves.score_statistic import AbstractScores
from .._metric.metric import Metric
from ._axes import axes_of, entries, GREY, SURE, unwrapped


_POINTS = 1000  # more points along a curve couldn't be distinguished
_MOST_NAMED = 10  # each of up to so many classes has its own colour
_NAMED_WORST = 5
_PARTS = np.linspace(0, 1, 17)  # where a curved piece is evaluated


class Curve(NamedTuple):
    """Points, as shares of the positives and of the negatives, and the pieces between them."""

    tp: np.ndarray
    fp: np.ndarray
    odds: float  # negatives for each positive
    tied: np.ndarray  # whether the rows of each piece have one score

    @classmethod
    def of(cls, tp: Any, fp: Any, odds: Any, tied: Any) -> "Curve | None":
        """The curve without pieces that hold no rows; `None` if a rate is undefined."""
        if not np.isfinite([tp[-1], fp[-1]]).all():
            return None
        moved = (np.diff(tp) > 0) | (np.diff(fp) > 0)
        first = np.concatenate([[True], moved])
        return cls(tp[first], fp[first], float(odds), tied[moved])

    def thinned(self, scale: Callable[[np.ndarray], np.ndarray]) -> "Curve":
        """The curve without points that are too close to see, but with both ends of each jump."""
        x = scale(self.tp) + scale(self.fp)
        step = (x[-1] - x[0]) / _POINTS
        jumps = np.diff(x) > step
        keep = np.diff(np.floor((x - x[0]) / step), prepend=-1.0) > 0
        keep[-1] = True
        keep[:-1] |= jumps
        keep[1:] |= jumps
        index = np.flatnonzero(keep)
        tied = self.tied[index[:-1]] & (np.diff(index) == 1)
        return Curve(self.tp[index], self.fp[index], self.odds, tied)

    def pieces(self) -> tuple[np.ndarray, ...]:
        """The ends of each piece, of tp and then of fp, of shape `(pieces, 1)`."""
        return tuple(z[:, None] for x in (self.tp, self.fp) for z in (x[:-1], x[1:]))

    def along(self) -> tuple[np.ndarray, np.ndarray]:
        """tp and fp along the pieces, of shape `(pieces, parts)`."""
        t0, t1, f0, f1 = self.pieces()
        return t0 + (t1 - t0) * _PARTS, f0 + (f1 - f0) * _PARTS


class Kind(NamedTuple):
    """The differences between the functions that draw curves."""

    fn: str
    maker: str
    entries: tuple[str, str]
    read: Callable[[np.ndarray, np.ndarray], tuple[Any, Any, Any]]  # from the value to tp, fp, odds
    score: str
    bounds: Callable[[Curve], tuple[float, float]]  # bounds of the score
    line: Callable[[Curve], tuple[np.ndarray, np.ndarray]]  # of shape (pieces, parts)
    band: Callable[[Curve], tuple[np.ndarray, np.ndarray]]  # of shape (pieces, corners)
    worst_first: Callable[[tuple[float, float]], float]
    legend: str
    scale: Callable[[np.ndarray], np.ndarray] = lambda rate: rate


def _curves(curve: Any, kind: Kind) -> list[Curve | None]:
    curve = unwrapped(curve)
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(statistic := getattr(curve, "statistic", None), AbstractScores):
            found = points_of(statistic)
            tp, fp = (np.sum(np.asarray(x, np.float64), 0) for x in (found.tp, found.fp))
            tied = np.asarray(tied_points(statistic))
            p, n = tp[:, -1:], fp[:, -1:]
            return list(map(Curve.of, tp / p, fp / n, (n / p)[:, 0], tied))
        value = curve.compute() if isinstance(curve, Metric) else curve
        entries(value, kind.entries, kind.fn, kind.maker)
        rates = (np.atleast_2d(np.asarray(value[name], np.float64)) for name in kind.entries)
        read = [kind.read(x, y) for x, y in zip(*rates, strict=True)]
    return [Curve.of(*one, np.zeros(len(one[0]) - 1, bool)) for one in read]


def _range_text(low: float, high: float) -> str:
    if high - low < 1e-3:
        return f"{(low + high) / 2:.3f}"
    return f"{low:.3f} to {high:.3f}"


def draw(curve: Any, kind: Kind, names: Sequence[str] | None, ax: Any) -> tuple[Any, list[Any]]:
    """Draws each curve with its band and score; with many classes, the worst are named."""
    curves = _curves(curve, kind)
    if names is not None and len(names) != len(curves):
        raise ValueError(f"`names` has {len(names)} names, and there are {len(curves)} curves.")
    if names is None:
        names = list(map(str, range(len(curves)))) if len(curves) > 1 else [""]
    axes = axes_of(ax, 5, 5)
    many = len(curves) > _MOST_NAMED
    scores = {i: kind.bounds(c) for i, c in enumerate(curves) if c is not None}
    order = sorted(scores, key=lambda i: kind.worst_first(scores[i]))
    named = order[:_NAMED_WORST] if many else list(range(len(curves)))
    for i in [i for i in range(len(curves)) if i not in named] + named:
        c = curves[i]
        name = f"{names[i]}: " if names[i] else ""
        if c is None:
            if not many:
                axes.plot([], [], color=GREY, ls=":", label=f"{name}undefined")
            continue
        thin = c.thinned(kind.scale)
        if i not in named:
            x, y = (z[:, -1] for z in kind.line(thin))
            axes.plot(x, y, color=GREY, lw=0.6, alpha=0.5, zorder=1.5)
            continue
        x, y = (z.ravel() for z in kind.line(thin))
        (line,) = axes.plot(x, y, lw=1.6, label=f"{name}{kind.score} {_range_text(*scores[i])}")
        corners = np.stack(kind.band(thin), axis=-1)[~thin.tied]
        axes.add_collection(_polygons(corners, line.get_color()), autolim=False)
    title = f"the worst of {len(curves)} classes" if many else None
    axes.legend(loc=kind.legend, fontsize=9, title=title, title_fontsize=9)
    axes.grid(color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    return axes, curves


def _polygons(corners: np.ndarray, color: Any) -> Any:
    from matplotlib.collections import PolyCollection

    return PolyCollection(list(corners), facecolor=color, alpha=SURE, lw=0)


def rectangles(c: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the bands of the pieces: fp and tp."""
    t0, t1, f0, f1 = c.pieces()
    return np.hstack([f0, f0, f1, f1]), np.hstack([t0, t1, t1, t0])
