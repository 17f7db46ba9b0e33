"""Chains of draws: their convergence, and how many independent draws they are worth."""

from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._reduction.pair import minus
from .._rows.quotient import over, root
from .._rows.rows import Rows, rows, undefined_as
from .._rows.squares import nan_if_lost
from ._chain_means import ChainMeans


class Chains(NamedTuple):
    """The chains of a batch, each cut into parts of one length."""

    batch: Rows
    first: Array  # the first draw of each chain, in the type of the input
    means: Float32[Array, "rows parts"]  # the mean of each part, less `first`
    d: Float32[Array, "rows parts draws"]  # the deviations from the mean of the part


def check_draws(num_draws: int, least: int) -> None:
    if not isinstance(num_draws, int) or num_draws < least:
        raise ValueError(
            f"num_draws={num_draws!r}: expected how many draws each chain has, at least {least}."
        )


def rows_of(samples: Any, mask: Any, num_draws: int, name: str) -> Rows:
    """The finite chains of a batch. The others are left out and set to 0."""
    x = jnp.asarray(samples)
    if x.ndim == 0 or x.shape[-1] != num_draws:
        raise TypeError(
            f"`samples` is {describe(x)}, expected chains of {num_draws} draws on the last axis: "
            f"`eqm.uncertainty.{name}({x.shape[-1] if x.ndim else 0})` takes these. An array "
            "(chains, draws, parameters) goes through `eqm.MultiOutput`, one parameter at a time."
        )
    batch = rows(x, mask, None, (num_draws,), "samples")
    batch = batch.without(~jnp.all(jnp.isfinite(batch.values), axis=1))
    assert batch.mask is not None
    return batch._replace(values=jnp.where(batch.mask[:, None], batch.values, 0))


def halves(x: Float32[Array, "rows draws"]) -> Float32[Array, "rows 2 half"]:
    """Both halves of each chain; of an odd number of draws the middle one is left out."""
    size = x.shape[1] // 2
    return jnp.stack([x[:, :size], x[:, x.shape[1] - size :]], axis=1)


def _chains(samples: Any, mask: Any, num_draws: int, split: bool, name: str) -> Chains:
    batch = rows_of(samples, mask, num_draws, name)
    first = batch.values[:, 0]
    # Subtract the first draw, so that a large offset costs no digits.
    apart = minus(batch.values, jnp.broadcast_to(first[:, None], batch.values.shape))
    part = halves(apart) if split else apart[:, None]
    start = part[..., :1]
    mean = jnp.mean(part - start, axis=-1, keepdims=True)
    return Chains(batch, first, (start + mean)[..., 0], part - start - mean)


def taken_of(batch: Rows) -> Bool[Array, "rows"]:
    assert batch.mask is not None  # `rows_of` asks which chains are finite
    return batch.mask


_VALID = "chains of finite samples"


@final
class RHat(Metric):
    r"""Gelman and Rubin's $\hat R$: the estimated standard deviation of the draws of all chains
    together, divided by that within the chains. It is near 1 if all chains sample one distribution;
    above 1.01 the chains haven't mixed.

    $\sqrt{\frac{n - 1}{n} + s^2 / W}$ of chains of $n$ draws, where $W$ is the mean of their
    variances (over $n - 1$) and $s^2$ the variance of their means. By default each chain is cut
    into halves, which shows the drift even of a single chain: ArviZ's `method="split"`. ArviZ's
    default is [`eqmetrics.uncertainty.RankRHat`][]. It also detects chains that differ in spread
    alone, and allows infinite variance, but needs all draws at once.

    A row is a chain, with all its draws. The state has only moments, so chains may come in any
    order, from any device.

    **Arguments:**

    - `num_draws`: how many draws each chain has.
    - `split`: whether each chain is cut into halves; `False` is ArviZ's `method="identity"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: 12 floats. Undefined when: there are fewer than two chains or halves, or all draws are
    equal. It is infinite where each chain is constant and they differ. Chains with NaN or infinity
    are invalid.
    Source: Gelman et al., "Bayesian data analysis", 3rd edition, 2013, section 11.4.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        r_hat = eqm.uncertainty.RHat(4, split=False)
        chains = jnp.array([[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0]])
        assert abs(r_hat(samples=chains) - 1.05**0.5) < 1e-6
        ```
    """

    num_draws: int = eqx.field(static=True)
    split: bool = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums
    means: ChainMeans

    def __init__(
        self, num_draws: int, *, split: bool = True, undefined: float | None = None
    ):
        check_draws(num_draws, 4 if split else 2)
        self.num_draws = num_draws
        self.split = split
        self.undefined = undefined
        self.sums = Sums(_VALID, within=(), weight=())
        self.means = ChainMeans()

    def update(self, *, samples: Values, mask: Mask = None) -> Self:
        """`samples` is real, of shape `(*chains, num_draws)`, and `mask` of the shape of the
        chains."""
        batch, first, means, d = _chains(samples, mask, self.num_draws, self.split, "RHat")
        within = jnp.sum(d * d, axis=(1, 2)) / (d.shape[-1] - 1)
        weight = jnp.full(within.shape, means.shape[1], jnp.float32)
        return self.replace(
            sums=self.sums.add(batch, within=within, weight=weight),
            means=self.means.add(first, means, taken_of(batch)),
        )

    def compute(self) -> Float32[Array, ""]:
        within, chains = self.sums.read("within", "weight")
        few, size = chains < 2, self.num_draws // (2 if self.split else 1)
        between = self.means.compute()
        inside = nan_if_lost(over(within, chains), within)
        value = root(over(between, inside) + (size - 1) / size)
        return undefined_as(value, few | ((within == 0) & (between == 0)), self.undefined)


def autocovariance(d: Float32[Array, "... draws"]) -> Float32[Array, "... draws"]:
    """The sum of the products of deviations at each lag, over the number of draws."""
    size = d.shape[-1]
    # Padded to twice the length, so that the circular sum doesn't join the end to the start.
    length = 1 << (2 * size - 1).bit_length()
    wave = jnp.fft.rfft(d, n=length, axis=-1)
    power = jnp.real(wave) ** 2 + jnp.imag(wave) ** 2
    return jnp.fft.irfft(power, n=length, axis=-1)[..., :size] / size


def size_of(acov: Array, between: Array, chains: Array) -> Array:
    """The effective sample size, from the mean autocovariances of `chains` chains and the variance
    of their means."""
    draws = len(acov)
    # 1 minus the variogram divided by the total variance.
    spread = acov[0] + between
    rho = 1 - over(acov[0] * (draws / (draws - 1)) - acov, spread)
    rho = jnp.where(jnp.arange(draws, dtype=jnp.int32) == 0, 1, rho)
    # Geyer: sums of two neighbours, which are positive and decrease in a reversible chain.
    most = max((draws - 3) // 2, 0)
    pairs = rho[: 2 * most + 2].reshape(-1, 2).sum(axis=1)
    place = jnp.arange(most + 1, dtype=jnp.int32)
    positive = lax.cummin((pairs > 0).astype(jnp.int32)) == 1
    taken = positive & (place < most)
    last = jnp.sum(taken, dtype=jnp.int32)
    even = rho[2 * last]
    even = jnp.where((even > 0) | (pairs[last] >= 0), even, 0)
    falling = jnp.where(taken, lax.cummin(jnp.where(taken, pairs, jnp.inf)), 0)
    time = 2 * jnp.sum(falling) + even - 1
    total = chains * draws
    # At most `n log10 n`, which only chains whose draws alternate reach.
    return total / jnp.maximum(time, 1 / jnp.log10(total))


@final
class EffectiveSampleSize(Metric):
    r"""The number of independent draws that would estimate the mean as well as the chains do:
    $m n / \tau$ for $m$ chains of $n$ draws, where $\tau = 1 + 2 \sum_t \hat\rho_t$ is the
    autocorrelation time.

    The autocorrelations $\hat\rho_t$ are taken about the mean of all chains. They come from the
    mean of the autocovariances of the chains (by FFT) and the variance of their means, so that
    chains that haven't mixed are worth little. The sum ends where
    $\hat\rho_{2k} + \hat\rho_{2k + 1}$ is no longer positive, and each of these sums is at most the
    one before it (Geyer). Draws that alternate are worth more than their number, by a factor of at
    most $\log_{10}(m n)$. Each chain is cut into halves. This is ArviZ's `method="mean"`. ArviZ's
    default is [`eqmetrics.uncertainty.BulkSampleSize`][], which takes the ranks of the draws and
    needs all draws at once.

    A row is a chain, with all its draws. The state has one sum for each lag, so that any number of
    chains may come in any order, from any device.

    **Arguments:**

    - `num_draws`: how many draws each chain has.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: `num_draws + 10` floats. Undefined when: no chain was seen, or all draws are equal (ArviZ
    returns their number). Chains with NaN or infinity are invalid.
    Source: Vehtari et al., "Rank-normalization, folding, and localization: an improved R-hat for
    assessing convergence of MCMC", 2021; Geyer, "Practical Markov chain Monte Carlo", 1992.

    !!! example

        ```python
        import eqmetrics as eqm, jax
        size = eqm.uncertainty.EffectiveSampleSize(500)
        chains = jax.random.normal(jax.random.key(0), (4, 500))
        slow = (chains[:, 1:] + chains[:, :-1]).repeat(2, axis=1)[:, :500]
        assert 1500 < size(samples=chains) < 2500 and size(samples=slow) < 1000
        ```
    """

    num_draws: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums
    means: ChainMeans

    def __init__(self, num_draws: int, *, undefined: float | None = None):
        check_draws(num_draws, 4)
        self.num_draws = num_draws
        self.undefined = undefined
        self.sums = Sums(_VALID, products=num_draws // 2, weight=())
        self.means = ChainMeans()

    def update(self, *, samples: Values, mask: Mask = None) -> Self:
        """`samples` is real, of shape `(*chains, num_draws)`, and `mask` of the shape of the
        chains."""
        batch, first, means, d = _chains(samples, mask, self.num_draws, True, "EffectiveSampleSize")
        products = jnp.sum(autocovariance(d), axis=1)
        weight = jnp.full(d.shape[0], 2, jnp.float32)
        return self.replace(
            sums=self.sums.add(batch, products=products, weight=weight),
            means=self.means.add(first, means, taken_of(batch)),
        )

    def compute(self) -> Float32[Array, ""]:
        products, chains = self.sums.read("products", "weight")
        none = chains == 0
        acov = over(products, chains)
        between = self.means.compute()
        nothing = none | ((acov[0] == 0) & (between == 0))
        lost = jnp.isnan(nan_if_lost(acov[0]))
        size = size_of(acov, between, jnp.where(none, 2, chains))
        return undefined_as(jnp.where(lost, jnp.nan, size), nothing, self.undefined)
