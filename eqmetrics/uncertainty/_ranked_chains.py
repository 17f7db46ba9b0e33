"""R-hat and effective sample size of the ranks of the draws, which need all draws at once."""

from typing import final, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import ndtri
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values
from .._metric.field import state
from .._metric.readout import AbstractReadout, AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import add, is_wide, lift, Pair
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .._wrap.buffer import Buffer
from ._chains import autocovariance, check_draws, halves, rows_of, size_of


class Normal(NamedTuple):
    """Halves of chains, each draw replaced by the normal quantile of its rank; 0 where there is no
    chain."""

    z: Float32[Array, "halves draws"]
    mask: Bool[Array, "halves"]

    def number(self) -> Array:
        return jnp.sum(self.mask).astype(jnp.float32)

    def mean(self, each: Array) -> Array:
        """The mean over the halves that are there."""
        mask = self.mask.reshape(-1, *(1,) * (each.ndim - 1))
        return jnp.sum(jnp.where(mask, each, 0), axis=0) / jnp.maximum(self.number(), 1)

    def deviations(self) -> tuple[Array, Array]:
        """The deviations from the mean of each half, and the variance of these means."""
        means = jnp.mean(self.z, axis=1)
        apart = means - self.mean(means)
        number, few = self.number(), self.number() < 2
        between = self.mean(apart * apart) * (number / (jnp.where(few, 2, number) - 1))
        return self.z - means[:, None], jnp.where(few, 0, between)


def _normal(x: Pair, mask: Array) -> Normal:
    """The normal quantiles of the ranks, by Blom's formula; equal draws have their mean rank."""
    keep = jnp.broadcast_to(mask[:, None], x.shape[1:])
    high, low = jnp.where(keep, x[0], jnp.inf).ravel(), jnp.where(keep, x[1], 0).ravel()
    place = jnp.arange(high.size, dtype=jnp.int32)
    high, low, draw = lax.sort((high, low, place), num_keys=2)
    changes, edge = (high[1:] != high[:-1]) | (low[1:] != low[:-1]), jnp.ones(1, bool)
    starts, ends = jnp.concatenate([edge, changes]), jnp.concatenate([changes, edge])
    first = lax.cummax(jnp.where(starts, place, 0))
    last = lax.cummin(jnp.where(ends, place, high.size), reverse=True)
    count = jnp.maximum(jnp.sum(keep, dtype=jnp.int32), 1)
    # Twice the rank, from the nearer end: a float keeps few digits of a share near 1.
    twice = jnp.clip(first + last + 2, 2, 2 * count)
    near = jnp.minimum(twice, 2 * (count + 1) - twice).astype(jnp.float32)
    share = (near / 2 - 0.375) / (count.astype(jnp.float32) + 0.25)
    z = jnp.where(twice == count + 1, 0, ndtri(share))
    z = jnp.where(twice > count + 1, -z, z)
    z = jnp.zeros_like(z).at[draw].set(z).reshape(keep.shape)
    return Normal(jnp.where(keep, z, 0), mask)


def _from_median(x: Array, mask: Array) -> Pair:
    """The distances from the median of the draws, whose number is even. As pairs: far from a large
    median, small draws differ only in digits that a float doesn't have."""
    flat = jnp.sort(jnp.where(mask[:, None], x, jnp.inf).ravel())
    middle = jnp.maximum(jnp.sum(mask, dtype=jnp.int32) * x.shape[1] // 2, 1)
    ends = jnp.where(jnp.any(mask), jnp.stack([flat[middle - 1], flat[middle]]), 0) / 2
    median = add(lift(ends[0]), lift(ends[1]))
    apart = add(lift(x), -jnp.broadcast_to(median[:, None, None], (2, *x.shape)))
    return jnp.where(apart[0] < 0, -apart, apart)


@final
class ChainBuffer(AbstractStatistic):
    """Up to `capacity` chains with all their draws: the statistic that
    [`eqmetrics.uncertainty.RankRHat`][] and [`eqmetrics.uncertainty.BulkSampleSize`][] read, and
    share in a `MetricDict`. See [`eqmetrics.Buffer`][].

    **Arguments:**

    - `num_draws`: how many draws each chain has.
    - `capacity`: how many chains there is room for, on all devices together.

    The gradient is 0: the value is a count.
    State: `capacity * num_draws + 7` numbers. Undefined when: there were more than `capacity`
    chains. Chains with NaN or infinity, or with integers beyond 2^24, which aren't all different
    floats, are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kept = eqm.uncertainty.ChainBuffer(4, capacity=10).update(samples=jnp.ones((3, 4)))
        assert kept.compute() == 3.0
        ```
    """

    num_draws: int = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    kept: Buffer
    invalid: Float32[Array, "2"] = state(
        reduce=EXACT_SUM, valid="chains of finite samples, integers up to 2^24"
    )

    def __init__(self, num_draws: int, *, capacity: int):
        check_draws(num_draws, 4)
        self.num_draws = num_draws
        self.capacity = capacity
        self.kept = Buffer(capacity, samples=jax.ShapeDtypeStruct((num_draws,), jnp.float32))
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(self, *, samples: Values, mask: Mask = None) -> Self:
        """`samples` is real, of shape `(*chains, num_draws)`, and `mask` of the shape of the
        chains."""
        batch = rows_of(samples, mask, self.num_draws, "ChainBuffer")
        if is_wide(batch.values):
            # Equal draws have one rank, so different ones must stay different.
            large = (batch.values > 2**24) | (batch.values < -(2**24))
            batch = batch.without(jnp.any(large, axis=1))
        x = batch.values.astype(jnp.float32)
        return self.replace(
            kept=self.kept.update(samples=x, mask=batch.mask),
            invalid=plus_invalid(self.invalid, batch),
        )

    def split(self) -> tuple[Float32[Array, "halves draws"], Bool[Array, "halves"]]:
        """The halves of all chains, and which of them are there."""
        columns, mask = self.kept.rows()
        x = halves(jnp.where(mask[:, None], columns["samples"], 0))
        return lax.stop_gradient(x.reshape(-1, x.shape[-1])), jnp.repeat(mask, 2)

    def compute(self) -> Float32[Array, ""]:
        """The number of chains."""
        return self.kept.count.astype(jnp.float32)


@jax.jit
def _r_hat(x: Array, mask: Array) -> tuple[Array, Array]:
    """The larger R-hat of the draws and of their distances from the median, and whether it is
    undefined."""
    found, size = [], x.shape[1]
    for y in (lift(x), _from_median(x, mask)):
        ranks = _normal(y, mask)
        d, between = ranks.deviations()
        within = ranks.mean(jnp.sum(d * d, axis=1) / (size - 1))
        nothing = (within == 0) & (between == 0)
        value = root(over(between, within) + (size - 1) / size)
        # If draws have only two values, their distances from the median are equal: then the draws
        # decide.
        found.append(jnp.where(nothing, 0, value))
    return jnp.maximum(*found), found[0] == 0


@final
class RankRHat(AbstractReadout):
    r"""The rank-normalised split $\hat R$: that of the normal quantiles of the ranks of all draws,
    or that of the ranks of their distances from the median, whichever is larger. Near 1 if all
    chains sample one distribution.

    Unlike [`eqmetrics.uncertainty.RHat`][], which has a small state, it detects chains that differ
    in spread alone, and holds where the variance is infinite. It is ArviZ's default,
    `method="rank"`, and Stan's. For a single chain it compares the two halves (ArviZ gives NaN).

    **Arguments:**

    - `num_draws`: how many draws each chain has.
    - `capacity`: how many chains there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Exact, in $O(n \log n)$ of all draws; equal ones have their mean rank. The gradient is 0: the
    value is piecewise constant.
    State: `capacity * num_draws + 7` numbers, shared in a `MetricDict`. Undefined when: no chain
    was seen, or more than `capacity` were, or all draws are equal. Chains with NaN or infinity
    are invalid.
    Source: Vehtari et al., "Rank-normalization, folding, and localization: an improved R-hat for
    assessing convergence of MCMC", 2021.

    !!! example

        ```python
        import eqmetrics as eqm, jax
        r_hat = eqm.uncertainty.RankRHat(500, capacity=4)
        chains = jax.random.normal(jax.random.key(0), (4, 500))
        assert r_hat(samples=chains) < 1.02 < r_hat(samples=chains.at[0].multiply(3))
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: ChainBuffer

    def __init__(self, num_draws: int, *, capacity: int, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = ChainBuffer(num_draws, capacity=capacity)

    def compute(self) -> Float32[Array, ""]:
        value, none = _r_hat(*self.statistic.split())
        return undefined_as(value, none, self.undefined)


@jax.jit
def _bulk_size(x: Array, mask: Array) -> tuple[Array, Array]:
    ranks = _normal(lift(x), mask)
    d, between = ranks.deviations()
    acov = ranks.mean(autocovariance(d))
    none = ~jnp.any(mask) | ((acov[0] == 0) & (between == 0))
    return size_of(acov, between, jnp.maximum(ranks.number(), 2)), none


@final
class BulkSampleSize(AbstractReadout):
    r"""The effective sample size of the bulk: [`eqmetrics.uncertainty.EffectiveSampleSize`][] of
    normal quantiles of the ranks of all draws.

    It holds where the variance is infinite as well, and doesn't change under increasing
    transformations of the draws. It is ArviZ's default, `method="bulk"`, and Stan's.

    **Arguments:**

    - `num_draws`: how many draws each chain has.
    - `capacity`: how many chains there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    Exact, in $O(n \log n)$ of all draws; equal ones have their mean rank. The gradient is 0: the
    value is piecewise constant.
    State: `capacity * num_draws + 7` numbers, shared in a `MetricDict`. Undefined when: no chain
    was seen, or more than `capacity` were, or all draws are equal (ArviZ returns their number).
    Chains with NaN or infinity are invalid.
    Source: Vehtari et al., 2021.

    !!! example

        ```python
        import eqmetrics as eqm, jax
        size = eqm.uncertainty.BulkSampleSize(500, capacity=4)
        chains = jax.random.cauchy(jax.random.key(0), (4, 500))
        assert 1500 < size(samples=chains) < 2500
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: ChainBuffer

    def __init__(self, num_draws: int, *, capacity: int, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = ChainBuffer(num_draws, capacity=capacity)

    def compute(self) -> Float32[Array, ""]:
        value, none = _bulk_size(*self.statistic.split())
        return undefined_as(value, none, self.undefined)
