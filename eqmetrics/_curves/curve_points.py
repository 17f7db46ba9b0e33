"""The points of a ROC curve that lie at the edges of cells: each is a point of the exact curve,
since a threshold that is the smallest score of a cell parts the rows as the cells do."""

import abc
import functools as ft
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._decisions.task import AbstractTask, Binary
from .._metric.readout import AbstractReadout
from .._reduction.pair import add, inlined, lift, Pair, power_of, to_float
from .._rows.cells import cumulated
from .._rows.nearest_quotient import quotient
from .._rows.rows import undefined_as
from .rank_score import AbstractClassCurve, scores_of_all
from .score_cells import NONE, scores_of_keys
from .score_statistic import AbstractScores, Cells


class Points(NamedTuple):
    """Counts where a row is positive if its score is at least the threshold, for thresholds from
    infinity down: pairs, of shape `(2, classes, points)`."""

    tp: Pair
    fp: Pair
    fn: Pair
    tn: Pair
    thresholds: Float32[Array, "classes points"]

    @property
    def positives(self) -> Float32[Array, "2 classes 1"]:
        return self.tp[..., -1:]

    @property
    def negatives(self) -> Float32[Array, "2 classes 1"]:
        return self.fp[..., -1:]

    @property
    def predicted(self) -> Pair:
        """The rows that are predicted as positive."""
        return add(self.tp, self.fp)

    def recall(self) -> tuple[Array, Bool[Array, "classes"]]:
        """The recall, and whether it is defined."""
        return _share(self.tp, self.positives)

    def miss_rate(self) -> tuple[Array, Bool[Array, "classes"]]:
        return _share(self.fn, self.positives)

    def fall_out(self) -> tuple[Array, Bool[Array, "classes"]]:
        return _share(self.fp, self.negatives)

    def specificity(self) -> tuple[Array, Bool[Array, "classes"]]:
        return _share(self.tn, self.negatives)

    def precision(self) -> Array:
        """The precision; 1 where nothing is predicted as positive, as in scikit-learn."""
        predicted = to_float(self.predicted)
        return jnp.where(predicted == 0, 1, quotient(to_float(self.tp), predicted))


def _share(part: Pair, whole: Pair) -> tuple[Array, Bool[Array, "classes"]]:
    every = to_float(whole)
    return quotient(to_float(part), every), every[:, 0] > 0


def _finer(bits: Cells, line: Cells) -> Cells:
    """For each class, the layout that leaves the order of fewer pairs of rows open."""
    ends = [(0, 0)] * 2 + [(1, 1)]
    none = jnp.float32(0)
    empty = Cells(none, none, smallest=jnp.int32(~NONE), largest=jnp.int32(NONE))
    wide = jax.tree.map(lambda x, y: jnp.pad(x, ends[-x.ndim :], constant_values=y), bits, empty)

    # A power of 2 for both layouts: the product of small weights would leave the range of a float.
    small, large = (
        power_of(lift(jnp.sum(to_float(x), axis=-1, keepdims=True)))
        for x in (bits.negatives, bits.positives)
    )

    def open_pairs(cells: Cells) -> Array:
        both = (to_float(cells.negatives) * small) * (to_float(cells.positives) * large)
        return jnp.sum(jnp.where(cells.tied, 0, both), axis=-1)

    better = (open_pairs(wide) <= open_pairs(line))[:, None]
    return jax.tree.map(lambda x, y: jnp.where(better, x, y), wide, line)


def check_points(points: int | None) -> None:
    if points is not None and (not isinstance(points, int) or points < 2):
        raise ValueError(f"points={points!r}: expected a whole number of at least 2, or None.")


@ft.partial(inlined, static_argnames=("number", "joined"))
def points_of(
    statistic: AbstractScores, number: int | None = None, joined: tuple[int, ...] | None = None
) -> Points:
    """All points, or a number of them that are evenly spread along the ROC curve."""
    cells = ft.reduce(_finer, statistic.layouts(joined))
    fp, tp = (cumulated(jnp.flip(x, -1)) for x in (cells.negatives, cells.positives))
    fp, tp = (jnp.where(statistic.mixed(), jnp.nan, x) for x in (fp, tp))
    tn, fn = (add(jnp.broadcast_to(x[..., -1:], x.shape), -x) for x in (fp, tp))
    lowest = lax.cummin(jnp.flip(cells.smallest, -1), axis=1)
    lowest = jnp.concatenate([jnp.full_like(lowest[:, :1], ~NONE), lowest], axis=-1)
    thresholds = jnp.where(lowest == ~NONE, jnp.inf, scores_of_keys(lowest))
    found = Points(tp, fp, fn, tn, thresholds)
    if number is None:
        return found
    sides = [jnp.where(known[:, None], x, 0) for x, known in (found.recall(), found.fall_out())]
    along = jnp.sum(jnp.stack(sides), axis=0)
    wanted = jnp.linspace(0, 1, number, dtype=jnp.float32)[None, :] * along[:, -1:]
    index = jax.vmap(jnp.searchsorted)(along, wanted)
    index = jnp.minimum(index, along.shape[1] - 1).at[:, -1].set(along.shape[1] - 1)
    both = jnp.broadcast_to(index, (2, *index.shape))
    *counts, thresholds = (
        jnp.take_along_axis(x, i, axis=-1) for x, i in zip(found, [both] * 4 + [index], strict=True)
    )
    return Points(*counts, thresholds=thresholds)


@inlined
def tied_points(statistic: AbstractScores) -> Bool[Array, "classes cells"]:
    """Whether all rows between a point and the next one have one score: the ROC curve is a straight
    line there."""
    return jnp.flip(ft.reduce(_finer, statistic.layouts()).tied, -1)


def per_class(x: Float32[Array, "classes ..."], task: AbstractTask) -> Float32[Array, "..."]:
    """Without the axis of the classes if the task is binary; NaN for an ignored class."""
    if isinstance(task, Binary):
        return x[0]
    part = jnp.asarray(task.takes_part()).reshape(-1, *(1,) * (x.ndim - 1))
    return jnp.where(part, x, jnp.nan)


class AbstractPointScore(AbstractClassCurve, init=False):
    """A score of each class that is read from the points of its curve. A subclass writes
    `of_points`."""

    @abc.abstractmethod
    def of_points(self, points: Points) -> Float32[Array, "classes"]:
        """The score of each class; any number where there are no positives or no negatives."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(classes,)` if `average` is `None` and the task isn't binary."""
        points = points_of(self.statistic, joined=self.joined)
        positives, negatives = (to_float(x)[:, 0] for x in (points.positives, points.negatives))
        defined = (positives > 0) & (negatives > 0)
        return self.averaged(self.of_points(points), defined, positives)


class AbstractCurve(AbstractReadout):
    """Rates at all points of a curve. A subclass writes `rates`."""

    task: AbstractTask = eqx.field(static=True)
    points: int | None = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: AbstractScores

    def __init__(
        self,
        task: AbstractTask,
        *,
        points: int | None = None,
        resolution: int | None = None,
        exact: int | None = None,
        undefined: float | None = None,
    ):
        check_points(points)
        self.task = task
        self.points = points
        self.undefined = undefined
        self.statistic = scores_of_all(task, resolution, exact)

    @abc.abstractmethod
    def rates(self, points: Points) -> dict[str, tuple[Array, Bool[Array, "classes"]]]:
        """The rates by name, and where each is defined."""

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """The rates and `thresholds`, of shape `(points,)`; `(classes, points)` if the task isn't
        binary. A row is positive if its score is at least the threshold; the first threshold is
        infinite."""
        points = points_of(self.statistic, number=self.points)
        found = {
            name: undefined_as(x, ~known[:, None], self.undefined)
            for name, (x, known) in self.rates(points).items()
        }
        found["thresholds"] = points.thresholds
        return {name: per_class(x, self.task) for name, x in found.items()}
