from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._onepass.moments import add_moments
from .._reduction.pair import add, lift, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .._rows.rows import Rows, undefined_as
from .ordered_pairs import scaled
from .pair_buffer import PairBuffer
from .rank_correlation import BOTH, kinds_of, midranks


@jax.jit
def _gini(p: Array, t: Array, weights: Array, mask: Array) -> tuple[Array, Array]:
    weights = scaled(weights, mask)
    # Times a power of 2 that brings the largest near 1, and less their mean: so no product with a
    # rank leaves the range of float32, and an offset costs no digits.
    _, exponent = jnp.frexp(jnp.max(jnp.where(mask, jnp.abs(t[0]), 0), initial=0))
    near = jnp.where(mask, jnp.ldexp(t, -exponent), 0)
    total = to_float(sum_rows(jnp.where(mask, weights * near[0], 0)))
    mean = over(total, jnp.sum(weights))
    from_mean = to_float(add(near, lift(jnp.broadcast_to(-mean, near[0].shape))))

    def covariance(x: Array) -> Array:
        """The covariance of the targets and their ranks by x."""
        rank = midranks(x, weights, mask)
        none = jnp.full((2, 2), -jnp.inf, jnp.float32)
        batch = Rows(rank, mask, weights, None)
        joint, _ = add_moments(BOTH, BOTH.empty(2), none, batch, from_mean, rank)
        return to_float(joint.products)[2]

    return over(covariance(p), covariance(t)), kinds_of(t, mask) < 2


@final
class NormalizedGini(AbstractReadout):
    r"""How well predictions order targets that are amounts, such as insurance losses: the Gini
    coefficient of the targets in the order of the predictions, over that in their own order,
    $\mathrm{Cov}(t, F_p) / \mathrm{Cov}(t, F_t)$. $F$ is the share of the weight with a smaller
    value, plus half of that with an equal one.

    1 is the order of the targets, 0 is none and -1 the reverse; an increasing function of the
    predictions doesn't change it. It is twice the area between the diagonal and the Lorenz curve in
    the order of the predictions, over that in the order of the targets. Equal predictions have the
    mean of all their orders; other code takes the order of the rows. For policies with an exposure
    pass the losses per exposure as `targets`, and the exposures as `weights`. For binary labels see
    [`eqmetrics.Gini`][].

    Exact, from a buffer of all rows.

    **Arguments:**

    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: an order has none.
    State: that of [`eqmetrics.PairBuffer`][], shared. Undefined when: the targets are constant, or
    more than `capacity` rows were seen. NaN is invalid; infinite targets make the value NaN.
    Source: Frees, Meyers and Cummings, "Summarizing insurance scores using a Gini index", 2011;
    Schechtman and Yitzhaki, "A measure of association based on Gini's mean difference", 1987.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        gini = eqm.NormalizedGini(capacity=100)
        losses = jnp.array([0.0, 0.0, 1.0, 3.0])
        assert abs(gini(predictions=jnp.array([1.0, 2.0, 4.0, 3.0]), targets=losses) - 0.6) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: PairBuffer

    def __init__(self, capacity: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = PairBuffer(capacity)

    def compute(self) -> Float32[Array, ""]:
        value, nothing = _gini(*lax.stop_gradient(self.statistic.pairs()))
        return undefined_as(jnp.clip(value, -1, 1), nothing, self.undefined)
