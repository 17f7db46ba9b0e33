from typing import final, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, erfc
from jaxtyping import Array, Float32

from .._metric.messages import describe
from .._metric.metric import Metric
from .._metric.readout import AbstractReadout
from .._reduction.pair import add, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .correlation import Pearson
from .ordered_pairs import fixed, pair_of, ranks, scaled, sums_of_ranks
from .pair_buffer import PairBuffer
from .pair_moments import PairMoments
from .rank_correlation import Kendall, pair_counts, Spearman


class _Ties(NamedTuple):
    """For the shares s of the weight of each group of equal values: the sums of s^2, of s^3 and of
    s - s^3, computed without cancellation."""

    squares: Array
    cubes: Array
    apart: Array


def _ties(x: Array, weights: Array, mask: Array) -> _Ties:
    groups = pair_of(sums_of_ranks(ranks(x, mask), fixed(weights)))
    total = sum_rows(weights)
    share = over(to_float(groups), to_float(total))
    other = over(to_float(add(total[:, None], -groups)), to_float(total))
    sums = share**2, share**3, share * other * (1 + share)
    return _Ties(*(to_float(sum_rows(x)) for x in sums))


@jax.jit
def _normal(p: Array, t: Array, weights: Array, mask: Array) -> Array:
    """The p-value of the difference of pairs in the same and in opposite order. The variance is
    that of Kendall (1970) under ties, over n^3 / 18, in a form that doesn't cancel."""
    difference, _, _, whole, *_ = pair_counts(p, t, weights, mask)
    n = to_float(sum_rows(jnp.where(mask, weights, 0)))
    some = n > 2
    n = jnp.where(some, n, 3)
    shares = scaled(weights, mask)
    x, y = (_ties(z, shares, mask) for z in (p, t))
    one = 1 / n
    less = [(3 * z.squares - 2 * one) * one for z in (x, y)]
    rest = (x.cubes - less[0]) * (y.cubes - less[1])
    third = (3 - 2 * one) * one / ((1 - one) * (1 - 2 * one)) * rest
    third = third - x.cubes * less[1] - y.cubes * less[0] + less[0] * less[1]
    second = 3 * one * (1 - x.squares - y.squares) + 5 * one**2
    pairs = 9 * (x.squares - one) * (y.squares - one)
    variance = 2 * x.apart * y.apart + 2 * third + second + pairs / (n - 1)
    spread = jnp.sqrt(jnp.maximum(variance, 0) / 18)
    z = over(over(difference, whole) * jnp.sqrt(n), spread)
    return jnp.where(some, erfc(jnp.abs(z) / jnp.sqrt(jnp.float32(2))), jnp.nan)


def _student(r: Array, n: Array) -> Array:
    """The p-value of a correlation of n rows under independence, by Student's t with n - 2 degrees
    of freedom."""
    r = jax.lax.stop_gradient(r)
    some = (n > 2) & ~jnp.isnan(r)
    half = jnp.where(some, (n - 2) / 2, 1)
    rest = jnp.where(some, (1 - r) * (1 + r), 1)
    return jnp.where(some, betainc(half, jnp.full_like(half, 0.5), rest), jnp.nan)


@final
class Significance(AbstractReadout):
    r"""A correlation with its two-sided p-value: the probability of one at least as far from 0 if
    predictions and targets were independent.

    For [`eqmetrics.Pearson`][] and [`eqmetrics.Spearman`][] by Student's t of
    $r \sqrt{(n - 2) / (1 - r^2)}$ with $n - 2$ degrees of freedom, and for [`eqmetrics.Kendall`][]
    by the normal distribution with the variance under ties, the same for all variants: as scipy's
    `pearsonr`, `spearmanr` and `kendalltau(method="asymptotic")`. [`eqmetrics.Interval`][] gives a
    confidence interval of Pearson's.

    **Arguments:**

    - `metric`: `Pearson`, `Spearman` or `Kendall`. Its configuration is used, not what it has seen.
        Each column of `outputs` has its own p-value.

    Whole weights are repetition, and their scale matters: $n$ is their sum. The gradient is 0.
    State: that of the metric, shared. Undefined when: the metric is, or $n$ is 2 or less.
    Source: Kendall, Rank Correlation Methods, 4th edition, 1970, chapter 5 (ties); Student,
    "Probable error of a correlation coefficient", 1908.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        pearson = eqm.Significance(eqm.Pearson())
        found = pearson(predictions=jnp.arange(4.0), targets=jnp.array([0.0, 2.0, 1.0, 3.0]))
        assert abs(found["value"] - 0.8) < 1e-6 and abs(found["p_value"] - 0.2) < 1e-6
        ```
    """

    like: tuple[str, int | tuple[int, ...] | str | None] = eqx.field(static=True)
    statistic: PairMoments | PairBuffer

    def __init__(self, metric: Metric):
        if isinstance(metric, Pearson):
            self.like = "Pearson", metric.outputs
        elif isinstance(metric, (Spearman, Kendall)):
            self.like = type(metric).__name__, getattr(metric, "variant", None)
        else:
            what = type(metric).__qualname__ if isinstance(metric, Metric) else describe(metric)
            raise TypeError(
                f"`Significance` got {what}, expected a `Pearson`, `Spearman` or `Kendall`. For an "
                "interval of another metric: `eqm.Interval(metric)` or `eqm.Bootstrap(metric)`."
            )
        self.statistic = metric.statistic.reset()

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of `value` and `p_value`: scalars, or of shape `outputs` if the metric has any."""
        kept, (kind, argument) = self.statistic, self.like
        if isinstance(kept, PairMoments):
            empty = Pearson(outputs=kept.outputs, multioutput="raw_values")
            value = empty.replace(statistic=kept).compute()
            n = jnp.broadcast_to(to_float(kept.weight), value.shape)
            return _both(value, _student(value, n))
        if kind == "Spearman":
            value = Spearman(kept.capacity).replace(statistic=kept).compute()
            return _both(value, _student(value, kept.compute()))
        variant = argument if argument in ("a", "c") else "b"
        value = Kendall(kept.capacity, variant=variant).replace(statistic=kept).compute()
        p_value = _normal(*kept.pairs())
        return _both(value, jnp.where(jnp.isnan(value), jnp.nan, p_value))


def _both(value: Array, p_value: Array) -> dict[str, Array]:
    return jax.lax.stop_gradient({"value": value, "p_value": p_value})
