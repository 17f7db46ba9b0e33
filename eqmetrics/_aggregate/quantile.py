from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from .._metric.bounds import AbstractBounded
from .._metric.readout import AbstractReadout
from .._metric.wrapped import nan_where_left_out
from .._reduction.pair import add, inlined, lift, multiply, Pair, to_float
from .._reduction.pair_sums import sum_pairs
from .._rows.rows import undefined_as
from .quantile_sketch import bracket, QuantileSketch


def check_quantile(q: float | Sequence[float]) -> float | tuple[float, ...]:
    each = q if isinstance(q, Sequence) else (q,)
    if not all(0 <= x <= 1 for x in each):
        raise ValueError(f"q={q}: expected numbers from 0 to 1.")
    return tuple(float(x) for x in q) if isinstance(q, Sequence) else float(q)


def _floor(x: Pair) -> Pair:
    whole = jnp.floor(x[0])
    return add(lift(whole), lift(jnp.where(whole == x[0], jnp.floor(x[1]), 0)))


# What rounding may add to a sum of weights, relative to it.
_ROUNDING = 2.0**-40


@inlined
def _weights(weight: Pair, q: Pair) -> tuple[Pair, Pair]:
    """The weights just below and just above a share `q` of all: where the weight up to some value
    is exactly that share, the next value is a quantile too."""
    at = multiply(jnp.broadcast_to(weight[:, None], q.shape), q)
    slack = jnp.broadcast_to(lift(weight[0] * _ROUNDING)[:, None], q.shape)
    last = add(jnp.broadcast_to(weight[:, None], q.shape), -slack)
    below, above = add(at, -slack), add(at, slack)
    above = jnp.where(add(above, -last)[0] > 0, last, above)
    return jnp.where(below[0] > 0, below, 0), above


@inlined
def _ranks(weight: Pair, q: Pair) -> tuple[Pair, Pair, Array]:
    """The ranks of the two order statistics around each quantile, and the fraction of the way from
    the first to the second."""
    last = add(weight, -lift(jnp.ones((), jnp.float32)))
    last = jnp.where(last[0] > 0, last, 0)
    rank = multiply(jnp.broadcast_to(last[:, None], q.shape), q)
    below = _floor(rank)
    part = jnp.clip(to_float(add(rank, -below)), 0, 1)
    above = add(below, lift(jnp.where(part > 0, 1.0, 0.0).astype(jnp.float32)))
    return below, above, part


def bounds_of(
    sketch: QuantileSketch, q: float | tuple[float, ...], undefined: float | None
) -> tuple[Array, Array]:
    exact = np.asarray(q, np.float64).reshape(-1)
    high = exact.astype(np.float32)
    pair = jnp.asarray(np.stack([high, (exact - high).astype(np.float32)]))
    weight = sum_pairs(sketch.linear)
    *ranks, part = _ranks(weight, pair)
    ranks = (
        jnp.where(sketch.parts, x, y) for x, y in zip(_weights(weight, pair), ranks, strict=True)
    )
    first, second = (bracket(sketch, rank) for rank in ranks)
    # Interpolation needs the number of rows, which weights that aren't whole don't give.
    ways = (jnp.where(sketch.parts, end, part) for end in (0, 1))
    ends = ((1 - way) * x + way * y for way, x, y in zip(ways, first, second, strict=True))
    shape, empty = np.shape(q), to_float(weight) == 0
    low, high = (undefined_as(x.reshape(shape), empty, undefined) for x in ends)
    return low, high


def value_of(
    sketch: QuantileSketch, q: float | tuple[float, ...], undefined: float | None
) -> Array:
    low, high = bounds_of(sketch, q, undefined)
    return low / 2 + high / 2


@final
class Quantile(AbstractReadout, AbstractBounded):
    r"""A quantile of all values of a stream, with bounds, from a state of fixed size.

    The $q$ quantile of $n$ values lies at the rank $q (n - 1)$, between the order statistics on
    both sides, as in numpy (`method="linear"`); whole weights repeat a value. `bounds()` gives two
    numbers that the quantile lies between, and `compute()` their middle. Where both order
    statistics lie in one cell, the bounds are at most 0.39 % of the value apart, and at most 6.1e-5
    of the range of the values (or the spacing of floats at the largest).

    Such a rank needs a number of rows. If a weight isn't whole, the quantile is the inverse of the
    weighted distribution function, numpy's only method with weights (`method="inverted_cdf"`): the
    smallest value up to which the weight is at least a share $q$ of all. Where it is exactly that
    share, to $2^{-40}$, the next value is a quantile too: `bounds()` are both, and `compute()` is
    half way. The scale of such weights doesn't matter. The two definitions differ by less than the
    distance from one value to the next, and agree at the median.

    **Arguments:**

    - `q`: a number from 0 to 1, or several in a list or tuple.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the state has only the cells of the values.
    State: that of [`eqmetrics.QuantileSketch`][], 1.3 MB, shared. Undefined when: no row was
    seen. Values that aren't finite are invalid.
    Source: Hyndman and Fan, "Sample quantiles in statistical packages", 1996 (type 7).

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        quartile = eqm.Quantile(0.25).update(jnp.arange(101.0))
        low, high = quartile.bounds()
        assert low <= 25.0 <= high and high - low < 0.0062
        ```
    """

    q: float | tuple[float, ...] = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: QuantileSketch

    def __init__(self, q: float | Sequence[float], *, undefined: float | None = None):
        self.q = check_quantile(q)
        self.undefined = undefined
        self.statistic = QuantileSketch()

    def bounds(self) -> tuple[Float32[Array, "..."], Float32[Array, "..."]]:
        """Two numbers that the quantile lies between, each of the shape of `compute()`."""
        return nan_where_left_out(self, bounds_of(self.statistic, self.q, self.undefined))

    def compute(self) -> Float32[Array, "..."]:
        """The quantile: a scalar; of shape `(len(q),)` if `q` is a tuple."""
        return value_of(self.statistic, self.q, self.undefined)


@final
class Median(AbstractReadout, AbstractBounded):
    """The median of all values of a stream, with bounds, from a state of fixed size: the 0.5
    [`eqmetrics.Quantile`][]. The scale of the weights doesn't matter.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the state has only the cells of the values.
    State: that of [`eqmetrics.QuantileSketch`][], 1.3 MB, shared. Undefined when: no row was
    seen. Values that aren't finite are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        median = eqm.Median().update(jnp.array([1.0, 9.0, 2.0]))
        low, high = median.bounds()
        assert low <= 2.0 <= high and high - low < 0.0005
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: QuantileSketch

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        self.statistic = QuantileSketch()

    def bounds(self) -> tuple[Float32[Array, ""], Float32[Array, ""]]:
        """Two numbers that the median lies between."""
        return nan_where_left_out(self, bounds_of(self.statistic, 0.5, self.undefined))

    def compute(self) -> Float32[Array, ""]:
        return value_of(self.statistic, 0.5, self.undefined)
