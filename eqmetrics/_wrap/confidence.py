import functools as ft
from statistics import NormalDist
from typing import Any, final, Literal, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Integer

from .._collection.ordered import plain_dicts
from .._collection.route import arguments_of, update_of
from .._custom_types import Input
from .._metric.checks import to_array
from .._metric.metric import AbstractRelay, AbstractWrapper, Metric
from .._metric.node import rebuild
from .._metric.numbers import check_whole
from .._onepass.apart import NotASum, update_rows
from .._reduction.pair import inlined, to_float
from .._reduction.reduce import reduce_one, stack
from .._rows.quotient import over, root
from .._rows.rows import as_column, LARGEST_WEIGHT, SMALLEST_WEIGHT
from .influence import added, cells_of, centre_of, linearised, middle_of, of_stack, parts_of
from .inside import is_ordered, of_fixed_size, taken_by
from .per_group import PerGroup
from .scatter import blocks_of, CentredScatter, Scatter
from .student import quantile


# A row may add to at most this many numbers, which have 8256 products.
_MOST_CELLS = 128

Method = Literal["normal", "t", "wilson"]


@final
class Interval(AbstractWrapper):
    r"""A metric with its standard error and a confidence interval, computed from the gradient of
    its value and the covariance of what rows add to its state: in one pass, without a key or
    replicates.

    It is valid for any metric whose value is a function of sums over rows $S = \sum_i x_i$, such as
    counts, means, ratios and moments. The standard error is
    $\sqrt{\sum_i (g \cdot (x_i - \bar x))^2}$, with $g$ the gradient of the value with respect to
    $S$ (the delta method, or infinitesimal jackknife). For the difference of two metrics on the
    same rows, `eqm.Interval(eqm.Compose(lambda a, b: a - b, first, second))` takes their covariance
    into account.

    A row is an entry of the first axis, whatever it contains: a sentence of tokens, an image of
    pixels. Rows must be independent; if they come in clusters (questions about one text, frames of
    one video), pass `clusters`.

    **Arguments:**

    - `metric`: any metric of sums over rows; only its configuration is used, not its state. A row
        may add to at most 128 numbers, with `clusters` to any number.
    - `level`: the confidence level, the share of such intervals that contain the true value.
    - `clusters`: the number of clusters. `update` then takes `cluster`, an integer in
        `[0, clusters)` for each row; clusters without rows don't count.
    - `method`: `"normal"`; `"t"`, for few rows or clusters, with one degree of freedom less than
        their number; or `"wilson"` for a value that is a proportion: this interval stays in [0, 1]
        and isn't empty at 0 or 1.

    Integer weights are repetition, and their scale matters, except with `clusters`; `weights` with
    more axes than the first apply to the entries of a row. For importance weights make each row a
    cluster.
    State: that of the metric, and if a row adds to $m$ numbers `m * (m + 3) + 2` floats; with
    `clusters` that of the metric for each. Undefined when: the metric is; the error, with fewer
    than two rows. Where the value has a kink, such as a maximum over classes or a clipped score,
    the gradient is that of one side; [`eqmetrics.Bootstrap`][] takes both sides into account. The
    smallest and largest values seen are treated as known. With few rows, or a value near the end of
    its range, the interval is too short. The gradient of the error is that of its formula, and 0
    where the error is 0.
    Source: Efron, "Nonparametric standard errors and confidence intervals", 1981; clusters: Miller,
    "Adding error bars to evals", 2024; `"wilson"`: Wilson, 1927, with the number of rows of equal
    error (Korn and Graubard, 1998).

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        accuracy = eqm.Interval(eqm.Accuracy(eqm.Binary()))
        hits = {"predicted_labels": jnp.array([1, 1, 0, 0]), "labels": jnp.array([1, 1, 1, 1])}
        value = accuracy(**hits)
        assert value["value"] == 0.5 and value["standard_error"] == 0.25
        clustered = eqm.Interval(eqm.Accuracy(eqm.Binary()), clusters=2)
        value = clustered(**hits, cluster=jnp.array([0, 0, 1, 1]))
        assert abs(value["standard_error"] - 0.125**0.5) < 1e-6
        ```
    """

    level: float = eqx.field(static=True)
    clusters: int | None = eqx.field(static=True)
    method: Method = eqx.field(static=True)
    metric: Metric
    scatter: Scatter | CentredScatter | None

    def __init__(
        self,
        metric: Metric,
        level: float = 0.95,
        *,
        clusters: int | None = None,
        method: Method = "normal",
    ):
        if not 0 < level < 1:
            raise ValueError(f"level={level!r}: expected a share between 0 and 1.")
        if method not in ("normal", "t", "wilson"):
            raise ValueError(f"method={method!r}: expected 'normal', 't' or 'wilson'.")
        if clusters is not None:
            check_whole("clusters", clusters, 2)
        of_fixed_size("Interval", metric)
        if is_ordered(metric):
            raise TypeError(
                f"`Interval` is of rows, and `{type(metric).__qualname__}` is of moments in time."
            )
        self.level = level
        self.clusters = clusters
        self.method = method
        parts = parts_of("Interval", metric)
        if clusters is not None:
            taken_by("Interval", metric, "cluster")
            self.metric = PerGroup(metric, clusters)
            self.scatter = None
            return
        self.metric = metric.reset()
        cells = cells_of(parts, self.metric)
        if cells > _MOST_CELLS:
            raise TypeError(
                f"`Interval` keeps the products of all that a row adds to, and the state of "
                f"`{type(metric).__qualname__}` has {cells} numbers: {cells * (cells + 3)} floats, "
                f"and it takes up to {_MOST_CELLS}. `eqm.Bootstrap(metric, key=..., ids=True)` "
                "keeps replicates instead, `eqm.Interval(metric, clusters=...)` a state a cluster."
            )
        blocks = blocks_of(parts, self.metric)
        self.scatter = CentredScatter(cells, blocks) if blocks else Scatter(cells)

    def arguments(self) -> dict[str, bool]:
        if self.clusters is None:
            return arguments_of(self.metric)
        takes = dict(arguments_of(self.metric))
        del takes["group"]
        return takes | {"cluster": True}

    def update(
        self, *args: Any, cluster: Integer[Input, "..."] | None = None, **outputs: Any
    ) -> Self:
        if self.clusters is not None:
            return rebuild(self, {"metric": update_of(self.metric, outputs | {"group": cluster})})
        metric = update_of(self.metric, outputs)
        new, weights = _each_row(self.metric, outputs)
        return rebuild(self, {"metric": metric, "scatter": _with(self.scatter, new, weights)})

    def compute(self) -> dict[str, Any]:
        """A dict of `value`, `standard_error`, `low` and `high`, each with the structure of the
        metric's value."""
        if isinstance(self.metric, PerGroup) and self.scatter is None:
            values, squares, count = _of_clusters(self.metric.metric)
        else:
            values, squares, count = _of_rows(self.metric, self.scatter)
        squares = jax.tree.map(
            lambda v, x: jnp.where(jnp.isnan(v) | (count < 2), jnp.nan, x), values, squares
        )
        error = jax.tree.map(lambda x: root(jnp.maximum(x, 0)), squares)
        ends = jax.tree.map(lambda v, e: self._ends(v, e, count), values, error)
        low, high = (jax.tree.map(lambda _, x, i=i: x[i], values, ends) for i in (0, 1))
        named = {"value": values, "standard_error": error, "low": low, "high": high}
        return {name: plain_dicts(x) for name, x in named.items()}

    def _ends(self, value: Array, error: Array, count: Array) -> tuple[Array, Array]:
        z = NormalDist().inv_cdf((1 + self.level) / 2)
        if self.method == "wilson":
            own = over(value * (1 - value), error * error)
            n = jnp.where(error == 0, count, own)  # so many rows would have this error
            shrunk = z * z / n
            middle = (value + shrunk / 2) / (1 + shrunk)
            half = z / (1 + shrunk) * root(error * error + shrunk / (4 * n))
            proportion = (value >= 0) & (value <= 1)
            middle = jnp.where(proportion, middle, jnp.nan)
            return middle - half, middle + half
        factor = z if self.method == "normal" else quantile((1 + self.level) / 2, count - 1)
        return value - factor * error, value + factor * error


def _each_row(metric: Metric, outputs: dict[str, Any]) -> tuple[Any, Float32[Array, "rows"] | None]:
    """A stack of states, each with one row that counts once, and the weights of the rows."""
    found: list[_Rows] = []

    def update(metric: Any, outputs: dict[str, Any]) -> Any:
        if isinstance(metric, AbstractRelay):
            return metric.relay(outputs, update)
        outputs = {n: to_array(n, x) for n, x in outputs.items() if x is not None}
        if not any(x.ndim for x in outputs.values()):
            outputs = {n: x[None] for n, x in outputs.items()}  # one row
        found.append(_rows(outputs))
        return _states(metric, found[-1].once, found[-1].rows)

    new = update(metric, outputs)
    if len({id(rows.weights) for rows in found}) > 1:
        raise TypeError(
            "`Interval` counts each row as often as its weight says, and the metrics of "
            f"`{type(metric).__qualname__}` read different weights. Give each its `Interval`."
        )
    taken = [rows.taken for rows in found if rows.taken is not None]
    if len(taken) < len(found):  # one metric has no mask
        taken = []
    often = found[0].often
    if not taken:
        return new, often
    some = jnp.any(jnp.stack(taken), axis=0)
    return new, some.astype(jnp.float32) if often is None else jnp.where(some, often, 0)


class _Rows(NamedTuple):
    """The rows that a metric reads: its outputs, with each row once; the number of rows; the
    weights that are applied here and not by the metric; and which rows are counted, if not all
    are."""

    once: dict[str, Array]
    rows: int
    weights: Array | None
    often: Float32[Array, "rows"] | None
    taken: Bool[Array, "rows"] | None


def _rows(outputs: dict[str, Array]) -> _Rows:
    count = next(x.shape[0] for x in outputs.values() if x.ndim)
    mask, weights = outputs.get("mask"), outputs.get("weights")
    often, real = None, []
    if mask is not None:
        real.append(mask)
    if weights is not None:
        floats = weights.astype(jnp.float32)
        valid = (floats >= SMALLEST_WEIGHT) & (floats < LARGEST_WEIGHT)
        if weights.ndim < 2:
            often = jnp.broadcast_to(jnp.where(valid, floats, 0), (count,))
            outputs = outputs | {"weights": valid.astype(jnp.float32)}
        else:
            weights = None  # they weight the entries of a row
            real.append(valid)
    each = [jnp.broadcast_to(x, (count, *x.shape[1:])) for x in real]
    taken = [jnp.any(x, axis=tuple(range(1, x.ndim))) for x in each]
    both = ft.reduce(jnp.logical_and, taken) if taken else None
    return _Rows(outputs, count, weights, often, both)


def _states(metric: Any, outputs: dict[str, Array], rows: int) -> Any:
    try:
        return update_rows(update_of, stack(metric, rows), outputs)
    except NotASum:
        each = {n: x[:, None] for n, x in outputs.items() if x.ndim}  # batches of one row
        one = lambda batch: update_of(metric.reset(), outputs | batch)
        return jax.vmap(one)(each)


@inlined
def _with(scatter: Any, new: Any, weights: Float32[Array, "rows"] | None) -> Any:
    """The scatter after adding the rows of these states."""
    parts, states = parts_of("Interval", new), of_stack(new)
    if isinstance(scatter, Scatter):
        return scatter.update(*added(parts, states, jnp.zeros((2, 0), jnp.float32)), weights)
    centre = middle_of(parts, states, weights)
    return scatter.update(centre, *added(parts, states, centre), weights)


@inlined
def _of_rows(metric: Metric, scatter: Any) -> tuple[Any, Any, Array]:
    """The value, the square of its standard error, and the number of rows."""
    parts = parts_of("Interval", metric)
    values, along = linearised(parts, metric)
    if isinstance(scatter, Scatter):
        matrix, own = scatter.matrix(), scatter
    else:
        matrix, own = scatter.matrix(centre_of(parts, metric)), scatter.scatter
    slopes = jax.vmap(along)(jnp.eye(len(matrix), dtype=jnp.float32))

    def square(g: Float32[Array, "cells ..."]) -> Array:
        flat = g.reshape(len(g), -1)
        both = flat * jnp.matmul(matrix, flat, precision="highest")
        return jnp.sum(both, axis=0).reshape(g.shape[1:])

    return values, jax.tree.map(square, slopes), to_float(own.weight)


@inlined
def _of_clusters(states: Metric) -> tuple[Any, Any, Array]:
    """The same from a stack with the states of clusters."""
    whole = reduce_one(states)
    parts = parts_of("Interval", whole)
    values, along = linearised(parts, whole)
    centre = centre_of(parts, whole)
    high, low = added(parts, of_stack(states), centre)
    slopes = jax.vmap(along, 1)(high + low)
    some = jnp.any(high != 0, axis=0)  # a cluster that adds 0 isn't seen, and changes no value
    count = jnp.sum(some, dtype=jnp.float32)

    def square(g: Float32[Array, "clusters ..."]) -> Array:
        here = as_column(some, g)
        mean = over(jnp.sum(jnp.where(here, g, 0), axis=0), count)
        return jnp.sum(jnp.where(here, g - mean[None], 0) ** 2, axis=0)

    return values, jax.tree.map(square, slopes), count
