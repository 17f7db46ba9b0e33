"""Centred moments: count, mean and sum of squared deviations, merged as in Chan, Golub and
LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
Never a difference of raw moments, which cancels: clu's Std of data around 1e4 is 0."""

from typing import final, Self

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._field import state
from .._readout import AbstractStatistic
from .._reduction import EXACT_SUM
from .._reduction.base import AbstractScalable, MAX, zeros
from .._reduction.limbs import bound, exponent, from_limbs, to_limbs
from .._reduction.pair import add, divide, fused, lift, minus, multiply, settled, to_float
from .._rows import Rows, rows, weighted_sum
from .joint import ends_of


@fused
def _chan(left: Array, right: Array) -> Array:
    """Merges two `(2, 3)` arrays: pairs of count, mean, squared deviations."""
    (na, ma, sa), (nb, mb, sb) = left.T, right.T
    n = add(na, nb)
    a, b, total = to_float(na), to_float(nb), to_float(n)
    # The difference of two pairs, not of two floats: at mean 1e6 a float32 mean is off by
    # 0.03, which costs a standard deviation of 1 its third digit.
    delta = to_float(add(mb, -ma))
    safe = jnp.where(total > 0, total, 1)
    # The step starts from the mean of the larger side: it is the smaller correction, and
    # the same one whichever side comes first.
    swap = b > a
    base = jnp.where(swap, mb, ma)
    share = jnp.where(swap, -a, b) / safe
    mean = add(base, lift(delta * share))
    # An empty side has mean 0: its delta says nothing.
    either = (a > 0) & (b > 0)
    mean = jnp.where(either, mean, jnp.where(b > 0, mb, ma))
    between = jnp.where(either, delta * delta * (jnp.minimum(a, b) / safe) * jnp.maximum(a, b), 0)
    squares = add(add(sa, sb), lift(between))
    return jnp.stack([n, mean, squares], axis=-1)


@fused
def _updated(
    moments: Array,
    ends: Array,
    invalid: Array,
    values: Array,
    mask: Array | None,
    weights: Array | None,
) -> dict[str, Array]:
    batch = rows(values, mask, weights)
    new_ends = ends_of(batch, batch.values)
    return {
        "moments": _chan(moments, _of_batch(batch)),
        "ends": jnp.maximum(ends, new_ends),
        "invalid": batch.left_out(invalid),
    }


def _of_batch(batch: Rows) -> Array:
    n, mask, weights = batch.weight(), batch.mask, batch.weights
    count = to_float(n)
    safe = jnp.where(count > 0, count, 1)
    x = batch.values
    # One pass for the mean, one for the deviations from it: 0 for equal values, since what is
    # left of these has few bits.
    rough = settled(to_float(weighted_sum(x, mask, weights)) / safe)
    # Of integers that fit no float too.
    rest = minus(x, jnp.broadcast_to(rough, x.shape))
    offset = settled(to_float(weighted_sum(rest, mask, weights)) / safe)
    mean = add(lift(rough), lift(offset))
    deviation = rest - offset
    squares = weighted_sum(deviation * deviation, mask, weights)
    return jnp.stack([n, mean, squares], axis=-1)


class _Moments(AbstractScalable):
    def identity(self, arrays):
        return zeros(arrays)

    def scaled(self, arrays, factor):
        (x,) = arrays
        count, squares = multiply(x[:, 0], factor), multiply(x[:, 2], factor)
        return (jnp.stack([count, x[:, 1], squares], axis=-1),)

    def merge(self, left, right):
        return tuple(_chan(x, y) for x, y in zip(left, right, strict=True))

    def across(self, arrays, size):
        # One maximum and one sum, as an exact sum: the means and the deviations are taken
        # from a pivot that all devices know, and the spread of the means bounds them.
        # Sums over devices have no derivative; that of what is beside them would be wrong.
        (x,) = lax.stop_gradient(arrays)
        n, mean, squares = x[:, 0], x[:, 1], x[:, 2]
        some = to_float(n) > 0
        ends = jnp.where(some, mean[0], -jnp.inf), jnp.where(some, -mean[0], -jnp.inf)
        *keys, count_top, own_top = yield (
            "max",
            [*MAX.keys(ends), exponent(n[0]), exponent(squares[0])],
        )
        # where no device has rows both are -inf
        highest, lowest = (jnp.where(x == -jnp.inf, 0, x) for x in MAX.values(keys, ends))
        pivot = jnp.where(jnp.isfinite(highest), highest, 0)
        # The low halves of the means aren't in the difference of the high ones.
        spread = (highest + lowest) + 2.0**-22 * jnp.maximum(jnp.abs(highest), jnp.abs(lowest))
        most = bound(count_top) * spread
        tops = count_top, exponent(most), exponent(bound(own_top) + most * spread)

        offset = jnp.where(some, add(mean, -lift(pivot)), 0)
        shifted = multiply(n, offset)
        moved = add(squares, multiply(shifted, offset))
        sums = yield "sum", to_limbs((n, shifted, moved), tops, size)
        count, shifted, moved = from_limbs(sums, tops, size)

        safe = jnp.where(to_float(count) > 0, count, lift(jnp.ones_like(pivot)))
        offset = divide(shifted, safe)
        squares = add(moved, -multiply(shifted, offset))
        merged = jnp.stack(
            [count, add(lift(pivot), offset), jnp.where(squares[0] < 0, 0, squares)], axis=-1
        )
        finite = jnp.isfinite(spread) & (tops[2] < 255)
        merged = jnp.where(finite, merged, merged.at[:, 1:].set(jnp.nan))
        return (jnp.where(to_float(count) > 0, merged, 0),)

    def check(self, dtype):
        return EXACT_SUM.check(dtype)

    def __repr__(self):
        return "moments"


MOMENTS = _Moments()


@final
class CentredMoments(AbstractStatistic):
    """Count, mean and sum of squared deviations: the statistic that `Std` and `Variance`
    read, and share in a `MetricDict`.

    State: 8 floats, and 2 for the invalid rows. Undefined when: never; an empty statistic
    is three zeros.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        moments = eqm.CentredMoments().update(jnp.array([1.0, 3.0]))
        assert moments.compute().tolist() == [2.0, 2.0, 2.0]
        ```
    """

    moments: Float32[Array, "2 3"] = state(reduce=MOMENTS)
    ends: Float32[Array, "2"] = state(reduce="max")  # the largest value and opposite
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="weights >= 0 and finite")

    def __init__(self):
        self.moments = jnp.zeros((2, 3), jnp.float32)
        self.ends = jnp.full(2, -jnp.inf, jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self, values: Values, *, mask: Mask = None, weights: Weights = None
    ) -> Self:
        return self.replace(
            **_updated(self.moments, self.ends, self.invalid, values, mask, weights)
        )

    def compute(self) -> Float32[Array, "3"]:
        """Count, mean and sum of squared deviations."""
        return to_float(self.moments)
