from collections.abc import Sequence
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from .._custom_types import Input, Mask, Values, Weights
from .._regression.ensemble import ensemble
from .._rows.row_mean import AbstractRowMean


def _check_levels(levels: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    given = np.asarray(levels, np.float64)
    if given.ndim != 1 or given.size == 0 or not np.all((given > 0) & (given < 1)):
        raise ValueError(f"levels={levels!r}: expected a list of numbers between 0 and 1.")
    return tuple(given.tolist())


def _places(levels: tuple[float, ...], most: int) -> tuple[np.ndarray, np.ndarray]:
    """For each number of draws from 0 to `most`, the order statistic below each end of each
    interval, and the fraction of the way to the next: of shape `(most + 1, 2, levels)`."""
    level = np.asarray(levels)
    ends = np.stack([(1 - level) / 2, (1 + level) / 2])
    # A share of 0.05 of 20 must be 1, although (1 - 0.9) / 2 isn't exactly 0.05.
    rank = np.round(np.maximum(np.arange(most + 1) - 1, 0)[:, None, None] * ends, 9)
    below = np.floor(rank)
    return below.astype(np.int32), (rank - below).astype(np.float32)


@final
class CredibleCoverage(AbstractRowMean):
    r"""The share of rows whose target lies in the central credible interval of draws from a
    posterior or predictive distribution, at each level: near the level if the draws are calibrated,
    below it if they are overconfident.

    The interval of a level $p$ has equal tails: its ends, which it includes, are the quantiles
    $(1 - p) / 2$ and $(1 + p) / 2$ of the draws of the row, interpolated as by `np.quantile` (and
    ArviZ's `eti`; ArviZ's default is the narrowest interval). A target from the distribution of the
    $m$ draws is inside with a probability of about $p (m - 1) / (m + 1)$, so that the coverage of
    few draws is too low. [`eqmetrics.IntervalCoverage`][] takes the ends of intervals instead of
    draws.

    **Arguments:**

    - `levels`: numbers between 0 and 1, as `(0.5, 0.9)`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `4 * len(levels) + 2` floats. Undefined when: no row was seen. Rows without a draw, or
    with NaN, are invalid.
    Source: Cook, Gelman and Rubin, "Validation of software for Bayesian models using posterior
    quantiles", 2006.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coverage = eqm.uncertainty.CredibleCoverage((0.5, 0.9))
        samples = jnp.broadcast_to(jnp.arange(101.0), (4, 101))
        value = coverage(samples=samples, targets=jnp.array([50.0, 30.0, 80.0, 96.0]))
        assert value.tolist() == [0.5, 0.75]
        ```
    """

    levels: tuple[float, ...] = eqx.field(static=True, kw_only=True)

    def __init__(
        self, levels: Sequence[float] | np.ndarray, *, undefined: float | None = None
    ):
        self.levels = _check_levels(levels)
        valid = "a draw in each row, samples and targets without NaN, weights >= 0 and finite"
        AbstractRowMean.__init__(self, valid, shape=len(self.levels), undefined=undefined)

    def update(
        self,
        *,
        samples: Values,
        targets: Values,
        members: Bool[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`samples` is real, of shape `(*rows, draws)`, and `targets` of shape `rows`. `members`,
        of the shape of the samples or of their last axis, says which samples are real. `mask`
        and `weights` have the shape of the rows."""
        e = ensemble(samples, targets, members, mask, weights)
        most = e.x.shape[1]
        below, way = (jnp.asarray(x) for x in _places(self.levels, most))
        many = jnp.broadcast_to(jnp.asarray(e.many), e.x.shape[:1]).astype(jnp.int32)
        below, way = (x[many].reshape(many.shape[0], 2 * len(self.levels)) for x in (below, way))
        x = jnp.sort(e.x if e.real is None else jnp.where(e.real, e.x, jnp.inf), axis=1)
        # The target is subtracted from the samples, so it is inside if 0 lies between the ends.
        # There may be no draw after the last one: then the fraction of the way to it is 0.
        above = below + (way > 0).astype(jnp.int32)
        first, second = (jnp.take_along_axis(x, at, axis=1) for at in (below, above))
        end = first + way * (second - first)
        low, high = jnp.split(end, 2, axis=1)
        batch = e.valid().without(jnp.any(jnp.isnan(e.x), axis=1))
        return self.plus(batch, ((low <= 0) & (high >= 0)).astype(jnp.float32))
