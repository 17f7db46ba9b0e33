from typing import final, get_args, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._aggregate.joint import AbstractJointMoments, correlation
from .._metric.readout import AbstractReadout
from .._onepass.moments import add_moments
from .._reduction.pair import add, multiply, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .._rows.rows import Rows, undefined_as
from .ordered_pairs import fixed, ordered_pairs, pair_of, ranks, scaled, squares, sums_of_ranks
from .pair_buffer import PairBuffer


Variant = Literal["a", "b", "c"]


class _Both(AbstractJointMoments):
    def factors(self, variables):
        return np.array([0, 1, 0]), np.array([0, 1, 1])


BOTH = _Both()


def midranks(x: Array, weights: Array, mask: Array) -> Array:
    """The share of the weight that is below each value, plus half that of equal values."""
    rank = ranks(x, mask)
    sums = sums_of_ranks(rank, fixed(weights))
    below = jnp.cumsum(sums, axis=1, dtype=jnp.int32) - sums
    middle = to_float(pair_of(below)) + to_float(pair_of(sums)) / 2
    return over(middle, jnp.sum(weights))[rank]


def kinds_of(x: Array, mask: Array) -> Array:
    """The number of distinct values."""
    return jnp.max(jnp.where(mask, ranks(x, mask), -1)) + 1


@jax.jit
def _spearman(p: Array, t: Array, weights: Array, mask: Array) -> tuple[Array, Array]:
    weights = scaled(weights, mask)
    both = [midranks(x, weights, mask) for x in (p, t)]
    batch, none = Rows(both[0], mask, weights, None), jnp.full((2, 2), -jnp.inf, jnp.float32)
    joint, _ = add_moments(BOTH, BOTH.empty(2), none, batch, *both)
    left, right, products = to_float(joint.products)
    value = correlation(products, left, right, to_float(joint.weight))
    return value, (kinds_of(p, mask) < 2) | (kinds_of(t, mask) < 2)


@final
class Spearman(AbstractReadout):
    r"""Spearman's rank correlation $\rho$ of predictions and targets: Pearson's of their ranks.
    Equal values have their mean rank, and a weight repeats a row.

    Exact, from a buffer of all rows.

    **Arguments:**

    - `capacity`: how many rows there is room for, on all devices together.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is constant but for jumps.
    State: that of [`eqmetrics.PairBuffer`][], shared. Undefined when: predictions or targets are
    constant, or more than `capacity` rows were seen. NaN is invalid.
    Source: Spearman, "The proof and measurement of association between two things", 1904.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        spearman = eqm.Spearman(capacity=100)
        p, t = jnp.array([0.1, 0.2, 0.9]), jnp.array([1.0, 100.0, 10.0])
        assert abs(spearman(predictions=p, targets=t) - 0.5) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: PairBuffer

    def __init__(self, capacity: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = PairBuffer(capacity)

    def compute(self) -> Float32[Array, ""]:
        value, nothing = _spearman(*self.statistic.pairs())
        return undefined_as(value, nothing, self.undefined)


@jax.jit
def pair_counts(p: Array, t: Array, weights: Array, mask: Array) -> tuple[Array, ...]:
    """The pairs in the same order less those in opposite order, how many pairs differ in each
    variable, all pairs, the weight, and the number of distinct values in each variable; products
    are of `scaled` weights."""
    weight = to_float(sum_rows(jnp.where(mask, weights, 0)))
    weights = scaled(weights, mask)
    first, second = ranks(p, mask), ranks(t, mask)
    pairs = ordered_pairs(first, second, mask, weights)
    total = sum_rows(weights)
    all_pairs = multiply(total, total)
    half = [
        to_float(add(all_pairs, -squares(sums_of_ranks(rank, fixed(weights))))) / 2
        for rank in (first, second)
    ]
    whole = to_float(all_pairs)
    return to_float(pairs.difference), *half, whole, weight, kinds_of(p, mask), kinds_of(t, mask)


@final
class Kendall(AbstractReadout):
    r"""Kendall's rank correlation $\tau$ of predictions and targets: the pairs of rows that both
    put in the same order less those in opposite order, $C - D$, relative to the largest possible
    number. A weight repeats a row: a pair counts as the product of its weights, and $n$ is their
    sum.

    Exact, from a buffer of all rows, in $O(n \sqrt n)$ comparisons.

    **Arguments:**

    - `capacity`: how many rows there is room for, on all devices together.
    - `variant`: what divides $C - D$: with `"a"` all pairs, $n (n - 1) / 2$ (weights are counts:
        their scale matters here); with `"b"` the geometric mean of the numbers of pairs that differ
        in their predictions and in their targets; with `"c"` $n^2 (m - 1) / 2 m$, where $m$ is the
        smaller number of distinct values.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is constant but for jumps.
    State: that of [`eqmetrics.PairBuffer`][], shared. Undefined when: predictions or targets are
    constant (variant `"a"`: if the weights sum to 1 or less), or more than `capacity` rows were
    seen. NaN is invalid.
    Source: Kendall, "The treatment of ties in ranking problems", 1945; Stuart, "The estimation and
    comparison of strengths of association in contingency tables", 1953.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kendall = eqm.Kendall(capacity=100)
        p, t = jnp.array([0.1, 0.2, 0.9, 1.0]), jnp.array([1.0, 3.0, 2.0, 4.0])
        assert abs(kendall(predictions=p, targets=t) - 4 / 6) < 1e-6
        ```
    """

    variant: Variant = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: PairBuffer

    def __init__(
        self, capacity: int, *, variant: Variant = "b", undefined: float | None = None
    ):
        if variant not in get_args(Variant):
            raise ValueError(f"variant={variant!r}: expected one of {get_args(Variant)}.")
        self.variant = variant
        self.undefined = undefined
        self.statistic = PairBuffer(capacity)

    def compute(self) -> Float32[Array, ""]:
        difference, p, t, whole, n, p_kinds, t_kinds = pair_counts(*self.statistic.pairs())
        kinds = jnp.minimum(p_kinds, t_kinds)
        if self.variant == "a":
            most, nothing = whole / 2 * over(jnp.maximum(n - 1, 0), n), ~(n > 1)
        elif self.variant == "b":
            most, nothing = jnp.sqrt(p) * jnp.sqrt(t), kinds < 2
        else:
            m = kinds.astype(jnp.float32)
            most, nothing = whole / 2 * over(jnp.maximum(m - 1, 0), m), kinds < 2
        return undefined_as(jnp.clip(over(difference, most), -1, 1), nothing, self.undefined)
