from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import gammaincc
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values
from .._metric.messages import describe
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._onepass.sums import Sums
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_pairs
from .._regression.ensemble import ensemble
from .._rows.rows import undefined_as


@final
class SBCRanks(Metric):
    r"""Simulation-based calibration: the histogram of the ranks that parameters have among draws
    of their posteriors, and a test of whether it is flat.

    For each row, draw a parameter from the prior, data from the model with this parameter, and
    `num_draws` nearly independent draws from the posterior given these data (thin a chain to its
    effective sample size). The rank is the number of draws below the parameter. Ranks are uniform
    if the sampler is right. A hill in the middle of the histogram means that posteriors are too
    wide, high ends mean that they are too narrow, and a slope means a bias. With $n$ rows and
    counts $c_i$ in $b$ bins, $\chi^2 = \sum_i (c_i - n / b)^2 / (n / b)$, and `p_value` is the
    probability of a value at least as large if ranks are uniform. It is an approximation for many
    rows: at least five a bin.

    A parameter that equals some draws is split evenly over the ranks that it may have, so that the
    value doesn't depend on chance; the test then rejects too rarely.

    **Arguments:**

    - `num_draws`: how many draws each row has.
    - `bins`: how many bins of neighbouring ranks; it must divide `num_draws + 1`, so that all are
        equally likely. One for each rank if not given.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `2 * bins + 2` floats. Undefined when: no row was seen; counts are 0 then. Rows with
    NaN are invalid.
    Source: Talts et al., "Validating Bayesian inference algorithms with simulation-based
    calibration", 2018.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        ranks = eqm.uncertainty.SBCRanks(3)
        value = ranks(samples=jnp.array([[0.1, 0.5, 0.2]]), targets=jnp.array([0.3]))
        assert value["counts"].tolist() == [0.0, 0.0, 1.0, 0.0] and value["chi_square"] == 3.0
        ```
    """

    num_draws: int = eqx.field(static=True)
    bins: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self, num_draws: int, *, bins: int | None = None, undefined: float | None = None
    ):
        check_whole("num_draws", num_draws)
        ranks = num_draws + 1
        bins = ranks if bins is None else bins
        if not isinstance(bins, int) or bins < 2 or ranks % bins:
            fit = [n for n in range(2, ranks + 1) if ranks % n == 0]
            raise ValueError(
                f"bins={bins!r}: of {num_draws} draws there are {ranks} ranks, which go evenly "
                f"into {', '.join(map(str, fit))} bins. 99 or 999 draws have many such numbers."
            )
        self.num_draws = num_draws
        self.bins = bins
        self.undefined = undefined
        self.sums = Sums("samples and targets without NaN", counts=bins)

    def update(self, *, samples: Values, targets: Values, mask: Mask = None) -> Self:
        """`samples` is real, of shape `(*rows, num_draws)`; `targets`, the parameters that were
        drawn, and `mask` have the shape of the rows."""
        e = ensemble(samples, targets, None, mask, None)
        if e.x.shape[1] != self.num_draws:
            raise TypeError(
                f"`samples` is {describe(samples)}, with {e.x.shape[1]} draws, expected "
                f"{self.num_draws}: `eqm.uncertainty.SBCRanks({e.x.shape[1]})` takes these."
            )
        count = lambda yes: jnp.sum(yes, axis=1, keepdims=True, dtype=jnp.int32)
        below, tied = count(e.x < 0), count(e.x == 0)
        # How many of the ranks from `below` to `below + tied` are in each bin.
        size = (self.num_draws + 1) // self.bins
        first = size * jnp.arange(self.bins, dtype=jnp.int32)[None]
        inside = jnp.minimum(below + tied, first + (size - 1)) - jnp.maximum(below, first) + 1
        share = jnp.maximum(inside, 0).astype(jnp.float32) / (tied + 1).astype(jnp.float32)
        batch = e.batch.without(jnp.any(jnp.isnan(e.x), axis=1))
        return self.replace(sums=self.sums.add(batch, counts=share))

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of `counts`, of shape `(bins,)`, from the lowest ranks on, and the scalars
        `chi_square` and `p_value`."""
        counts = self.sums.read("counts")
        rows = to_float(sum_pairs(self.sums.pair("counts")))
        expected = jnp.where(rows == 0, 1, rows / self.bins)
        apart = (counts - expected) / jnp.sqrt(expected)
        chi_square = jnp.sum(apart * apart)
        p_value = gammaincc(jnp.float32((self.bins - 1) / 2), chi_square / 2)
        of = lambda x: undefined_as(x, rows == 0, self.undefined)
        return {"counts": counts, "chi_square": of(chi_square), "p_value": of(p_value)}
