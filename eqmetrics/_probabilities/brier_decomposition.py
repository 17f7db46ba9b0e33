from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from .._curves.curve_points import per_class
from .._curves.score_buffer import ScoreBuffer
from .._curves.score_cells import scores_of_keys
from .._decisions.task import AbstractTask
from .._metric.readout import AbstractReadout
from .._reduction.pair import inlined, Pair, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .._rows.rows import undefined_as


def _blocks(starts: Bool[Array, "cells"]) -> Int32[Array, "cells"]:
    """The number of the block of each cell; cells before the first start have no weight."""
    return jnp.maximum(jnp.cumsum(starts, dtype=jnp.int32) - 1, 0)


def _means(
    starts: Bool[Array, "cells"], positives: Array, weight: Array
) -> Float32[Array, "cells"]:
    """The share of positives of each block, by its number; 2, above any share, for an empty one."""
    add = lambda x: jax.ops.segment_sum(
        x, _blocks(starts), num_segments=len(x), indices_are_sorted=True
    )
    total = add(weight)
    return jnp.where(total > 0, over(add(positives), total), 2)


def _pooled(
    positives: Float32[Array, "cells"], weight: Float32[Array, "cells"]
) -> Float32[Array, "cells"]:
    """Isotonic regression: the shares nearest to those of the cells in squared distance that never
    fall from one cell to the next. Neighbours that fall are pooled, all at once, until none do; the
    order of pooling changes nothing."""

    def falls(starts: Array) -> Array:
        """The starts of blocks whose share isn't above that of the block before."""
        means = _means(starts, positives, weight)
        low = jnp.concatenate([jnp.zeros(1, bool), means[1:] <= means[:-1]])
        return starts & low[_blocks(starts)]

    def step(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        starts, fallen = carry
        starts = starts & ~fallen
        return starts, falls(starts)

    starts = weight > 0
    starts, _ = lax.while_loop(lambda c: jnp.any(c[1]), step, (starts, falls(starts)))
    return jnp.minimum(_means(starts, positives, weight)[_blocks(starts)], 1)


def _sum(x: Float32[Array, "classes cells"]) -> Float32[Array, "classes"]:
    return to_float(sum_rows(x.T))


@inlined
def _parts(negatives: Pair, positives: Pair, p: Float32[Array, "classes cells"]) -> dict:
    n, y = to_float(negatives), to_float(positives)
    w = n + y
    total = _sum(w)
    share = over(_sum(y), total)
    pooled = jax.vmap(_pooled)(y, w)
    mean = lambda x: over(_sum(x), total)
    squared = mean(y * (1 - p) ** 2 + n * p**2)
    best = mean(w * pooled * (1 - pooled))  # the Brier score of the calibrated probabilities
    return {
        "brier": squared,
        "miscalibration": jnp.maximum(squared - best, 0),
        "discrimination": mean(w * (pooled - share[:, None]) ** 2),
        "uncertainty": share * (1 - share),
        "weight": total,
    }


@final
class BrierDecomposition(AbstractReadout):
    r"""The Brier score in three parts, without bins: what miscalibration costs, what discrimination
    earns, and how uncertain the labels are.

    $\mathrm{Brier} = \mathrm{MCB} - \mathrm{DSC} + \mathrm{UNC}$. Let $\hat p_i$ be the calibrated
    probabilities, the isotonic regression of the labels on $p_i$, and $\pi$ the share of positives.
    The miscalibration is the Brier score of $p$ less that of $\hat p$, the discrimination
    $\frac1n \sum_i (\hat p_i - \pi)^2$, and the uncertainty $\pi (1 - \pi)$: Murphy's reliability,
    resolution and uncertainty, with the blocks of the regression as bins.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][], of which each class is taken
        against all others, or [`eqmetrics.Multilabel`][].
    - `exact`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the state stops it.
    State: that of [`eqmetrics.ScoreBuffer`][], shared with curves built with the same `exact`.
    Undefined when: no row was seen, or more than there is room for.
    Source: Dimitriadis, Gneiting and Jordan, "Stable reliability diagrams for probabilistic
    classifiers", 2021 (CORP); Murphy, "A new vector partition of the probability score", 1973.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        parts = eqm.BrierDecomposition(eqm.Binary(), exact=100)
        p, labels = jnp.array([0.25, 0.25, 0.75, 0.75]), jnp.array([0, 0, 1, 1])
        value = parts(probabilities=p, labels=labels)
        assert value["brier"] == value["miscalibration"] == 0.0625
        assert value["discrimination"] == value["uncertainty"] == 0.25
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: ScoreBuffer

    def __init__(self, task: AbstractTask, *, exact: int, undefined: float | None = None):
        self.task = task
        self.undefined = undefined
        self.statistic = ScoreBuffer(task, exact)

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of `brier`, `miscalibration`, `discrimination` and `uncertainty`: scalars, or of
        shape `(classes,)` if the task isn't binary."""
        (cells,) = self.statistic.layouts()
        some = to_float(cells.negatives) + to_float(cells.positives) > 0
        score = jnp.where(some, scores_of_keys(cells.largest), 0)
        # The key of logits is that of the log-odds of the class.
        p = jnp.where(self.statistic.kinds[0], jax.nn.sigmoid(score), score)
        found = _parts(cells.negatives, cells.positives, p)
        total = found.pop("weight")
        mixed = self.statistic.mixed()
        values = {
            name: undefined_as(jnp.where(mixed, jnp.nan, x), total == 0, self.undefined)
            for name, x in found.items()
        }
        return {name: per_class(x, self.task) for name, x in values.items()}
