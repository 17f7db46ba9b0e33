"""Agreement of labels and predictions beyond chance. The numerators are differences of nearly equal
products, so the arithmetic is in pairs."""

from collections.abc import Sequence
from typing import Any, final, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._reduction.pair import add, divide, lift, multiply, Pair, power_of, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.nearest_quotient import quotient
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .average import each_problem
from .confusion_counts import ConfusionCounts, margins
from .stat_scores import StatScores
from .task import AbstractTask, Multiclass


KappaWeights = Literal["linear", "quadratic"] | Sequence[Sequence[float]] | None


def _costs(weights: Any, task: AbstractTask) -> Any:
    """The costs as tuples, or the name as it is."""
    if weights is None or isinstance(weights, str):
        if weights not in (None, "linear", "quadratic"):
            raise ValueError(
                f"weights={weights!r}: expected one of ('linear', 'quadratic'), costs, or None."
            )
        return weights
    costs = np.asarray(weights, np.float32)
    if not isinstance(task, Multiclass) or costs.shape != (task.num_classes,) * 2:
        raise ValueError(
            f"`weights` has the shape {costs.shape}, and the task is {task}: costs are those of "
            "each true class, down, predicted as each, across, of a multiclass task."
        )
    if not np.isfinite(costs).all() or (costs < 0).any() or np.diagonal(costs).any():
        raise ValueError("`weights`: costs are finite, at least 0, and 0 for what is right.")
    return tuple(tuple(row) for row in costs.tolist())


def _margins(statistic: StatScores) -> tuple[Pair, Pair, Pair]:
    """Shares of the rows, as pairs: of each class among the labels and among the predictions, of
    shape `(2, classes, problems)`, and of right rows, `(2, problems)`. Each label of a multilabel
    task is a problem of two classes."""
    tp, fp, fn, tn = statistic.counts()
    support, predicted = add(tp, fn), add(tp, fp)
    if isinstance(statistic.task, Multiclass):
        support, predicted = support[:, :, None], predicted[:, :, None]
        right = sum_pairs(tp[:, :, None])
    else:
        support = jnp.stack([add(tn, fp), support], axis=1)
        predicted = jnp.stack([add(tn, fn), predicted], axis=1)
        right = add(tp, tn)
    # Shares, since squares of counts would leave the range of exact products.
    rows = sum_pairs(support)
    rows = jnp.where(rows[:1] > 0, rows, lift(jnp.ones_like(rows[0])))
    return (
        divide(support, jnp.broadcast_to(rows[:, None], support.shape)),
        divide(predicted, jnp.broadcast_to(rows[:, None], predicted.shape)),
        divide(right, rows),
    )


def _dot(x: Pair, y: Pair) -> Pair:
    return sum_pairs(multiply(x, y))


def _one() -> Pair:
    return lift(jnp.ones((), jnp.float32))[:, None]


@final
class CohenKappa(AbstractReadout):
    r"""Cohen's kappa, the agreement beyond chance: $(p_o - p_e) / (1 - p_e)$, where $p_o$ is the
    share of right rows and $p_e = \sum_k t_k p_k$ what it would be if labels and predictions were
    independent.

    With `weights`, $1 - \sum w_{ij} c_{ij} / \sum w_{ij} t_i p_j$, where the cost $w_{ij}$ of
    predicting $j$ for $i$ is $|i - j|$ or $(i - j)^2$, for classes that have an order, or your own.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], or
        [`eqmetrics.Multilabel`][]: the mean over the labels.
    - `weights`: `None`, `"linear"` or `"quadratic"`; or costs of your own, a matrix with a row for
        each true class, a column for each predicted one, and 0 on its diagonal.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], or with `weights` of
    [`eqmetrics.ConfusionCounts`][]; shared. Undefined when: no row was seen, or all are of one
    class and predicted as it.
    Source: Cohen, "A coefficient of agreement for nominal scales", 1960, and "Weighted kappa",
    1968.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kappa = eqm.CohenKappa(eqm.Binary())
        value = kappa(predicted_labels=jnp.array([1, 0, 0, 0]), labels=jnp.array([1, 1, 0, 0]))
        assert value == 0.5
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    weights: KappaWeights = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: StatScores | ConfusionCounts

    def __init__(
        self,
        task: AbstractTask,
        *,
        weights: KappaWeights = None,
        undefined: float | None = None,
    ):
        self.task = task
        self.weights = _costs(weights, task)
        self.undefined = undefined
        if weights is not None and isinstance(task, Multiclass):
            self.statistic = ConfusionCounts(task)
        else:  # Between two classes all mistakes cost the same.
            self.statistic = StatScores(task)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(thresholds,)` for a binary task that has several."""
        if isinstance(self.statistic, ConfusionCounts):
            return self._weighted(self.statistic)
        t, p, right = _margins(self.statistic)
        chance = _dot(t, p)
        rest = to_float(add(_one(), -chance))
        value = quotient(to_float(add(right, -chance)), rest)
        # Without rows all shares are 0.
        defined = (rest > 0) & (to_float(sum_pairs(t)) > 0)
        return each_problem(value, defined, self.task, self.undefined)

    def _weighted(self, statistic: ConfusionCounts) -> Array:
        if isinstance(self.weights, tuple):
            cost = jnp.asarray(np.array(self.weights, np.float32))
        else:
            place = jnp.arange(statistic.task.num_classes, dtype=jnp.float32)
            cost = jnp.abs(place[:, None] - place[None, :])
            if self.weights == "quadratic":
                cost = cost * cost
        # Squares of the weight of all rows would leave the range of a float.
        cells = statistic.sums.pair("cells")
        cells = cells * power_of(sum_pairs(cells.reshape(2, -1)))
        t, p, _ = margins(cells)
        total = sum_pairs(t)
        seen = _cost_of(cells, cost)
        expected = _cost_of(multiply(t[:, :, None], p[:, None, :]), cost)
        ratio = over(to_float(multiply(seen, total)), to_float(expected))
        return undefined_as(1 - ratio, to_float(expected) == 0, self.undefined)


def _cost_of(cells: Pair, cost: Array) -> Pair:
    return sum_pairs(sum_pairs(multiply(cells, jnp.broadcast_to(lift(cost), cells.shape))))


@final
class MatthewsCorrelation(AbstractReadout):
    r"""Matthews' correlation of labels and predictions: with the shares $t_k$ of the classes among
    the labels, $p_k$ among the predictions and $c$ of the right rows,
    $(c - \sum t_k p_k) / \sqrt{(1 - \sum t_k^2)(1 - \sum p_k^2)}$.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], or
        [`eqmetrics.Multilabel`][]: the mean over the labels (torchmetrics: the value of the summed
        counts).
    - `undefined`: what replaces an undefined value; NaN if not given (scikit-learn: 0).

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.StatScores`][], shared. Undefined when: no row was seen, or all
    labels, or all predictions, are of one class.
    Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", 2004.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        matthews = eqm.MatthewsCorrelation(eqm.Binary())
        value = matthews(predicted_labels=jnp.array([1, 1, 0, 0]), labels=jnp.array([1, 1, 0, 0]))
        assert value == 1.0
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: StatScores

    def __init__(self, task: AbstractTask, *, undefined: float | None = None):
        self.task = task
        self.undefined = undefined
        self.statistic = StatScores(task)

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(thresholds,)` for a binary task that has several."""
        t, p, right = _margins(self.statistic)
        top = to_float(add(right, -_dot(t, p)))
        spread_t, spread_p = (to_float(add(_one(), -_dot(x, x))) for x in (t, p))
        several = [jnp.sum(x[0] > 0, axis=0) > 1 for x in (t, p)]
        # One root of the product, so that equal spreads give exactly 1. Each spread is above 2^-48,
        # that of a single row of the rarest class in 2^48, so the product doesn't underflow.
        value = quotient(top, root(spread_t * spread_p))
        return each_problem(value, several[0] & several[1], self.task, self.undefined)
