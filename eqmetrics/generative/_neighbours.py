"""Which samples of one side are near those of the other. A distribution is represented by balls
around its rows that reach to the k-th neighbour on the same side."""

import abc
import functools as ft
from typing import ClassVar, final, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.readout import AbstractReadout
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._rows.quotient import over
from .._rows.rows import undefined_as
from ._buffer import FeatureBuffer
from ._pairs import by_blocks, centred, each_block, squared_distances


class _Reach(NamedTuple):
    reached: Bool[Array, "others"]  # which other rows are in a ball
    times: Float32[Array, "others"]  # in how many balls, by their weights
    reaches: Bool[Array, "rows"]  # which balls contain another row


_LARGEST = 0x7F7FFFFF  # the bits of the largest float


def _radii(x: Array, w: Array, k: int) -> Float32[Array, "rows"]:
    """The squared distance of each row to its k-th neighbour, where a row of weight 2 is two. Found
    by bisection of its bits: sorting all distances would take longer."""

    def of_block(rows: Array) -> Array:
        squares = squared_distances(rows, x)

        def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = low + (high - low) // 2
            radius = jax.lax.bitcast_convert_type(middle, jnp.float32)
            inside = jnp.where(squares <= radius[:, None], w[None], 0)
            enough = jnp.sum(inside, axis=1) >= k + 1  # itself, too
            return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

        ends = (jnp.full(rows.shape[:1], bits, jnp.int32) for bits in (0, _LARGEST))
        return jax.lax.bitcast_convert_type(
            jax.lax.fori_loop(0, 31, halve, tuple(ends))[1], jnp.float32
        )

    return by_blocks(of_block, x)


def _reach(x: Array, w: Array, y: Array, v: Array, k: int) -> _Reach:
    """What the balls around the rows of `x` contain of `y`. Distances are computed as those of the
    radii, so that an equal one is rounded alike and counts as inside."""

    def of_block(rows: Array, radii: Array, weights: Array) -> tuple[Array, Array]:
        inside = (squared_distances(rows, y) <= radii[:, None]) & (weights > 0)[:, None]
        inside = inside & (v > 0)[None]
        times = jnp.sum(jnp.where(inside, weights[:, None], 0), axis=0)
        return times, jnp.any(inside, axis=1)

    times, reaches = each_block(of_block, x, _radii(x, w, k), w)
    times = to_float(sum_rows(times))
    return _Reach(times > 0, times, reaches.ravel()[: x.shape[0]])


@ft.partial(jax.jit, static_argnums=(1, 2))  # eager code would compile the loops at every call
def _reach_of(kept: FeatureBuffer, centre: str, k: int) -> tuple[_Reach, Array, Array]:
    """What the balls around one side contain, and the weights of that side and of the other."""
    other = {"real": "generated", "generated": "real"}[centre]
    sides = kept.rows(centre), kept.rows(other)
    x, y = (jax.lax.stop_gradient(z) for z in centred(*sides))
    (_, w), (_, v) = sides
    return _reach(x, w, y, v, k), w, v


def _share(which: Array, weights: Array) -> tuple[Array, Array]:
    total = to_float(sum_rows(weights))
    return over(to_float(sum_rows(jnp.where(which, weights, 0))), total), total


class _AbstractNeighbours(AbstractReadout):
    centre: eqx.AbstractClassVar[Literal["real", "generated"]]

    k: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: FeatureBuffer

    def __init__(self, dim: int, *, capacity: int, k: int = 5, undefined: float | None = None):
        if k < 1:
            raise ValueError(f"k={k}: expected at least one neighbour.")
        self.k = k
        self.undefined = undefined
        self.statistic = FeatureBuffer(dim, capacity=capacity)

    @abc.abstractmethod
    def of_reach(self, reach: _Reach, w: Array, v: Array) -> Float32[Array, ""]:
        """The value, for balls around rows of weights `w` and others of weights `v`."""

    def compute(self) -> Float32[Array, ""]:
        reach, w, v = _reach_of(self.statistic, self.centre, self.k)
        rows, others = to_float(sum_rows(w)), to_float(sum_rows(v))
        known = (rows >= self.k + 1) & (others > 0)
        return undefined_as(self.of_reach(reach, w, v), ~known, self.undefined)


@final
class GenerativePrecision(_AbstractNeighbours, init=False):
    """The share of generated samples that are near a real one: inside the ball around a real sample
    that reaches to its `k`-th nearest real neighbour. A measure of fidelity.

    Balls are closed, so that equal sets score 1. A row of weight 2 is two rows, so the scale of the
    weights matters. All scores of this kind depend on the number of rows.

    **Arguments:**

    - `dim`: how many features a row has.
    - `capacity`: how many rows there is room for on each side, on all devices together.
    - `k`: which neighbour a ball reaches to: 3 in the paper, and 5 in prdc.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.generative.FeatureBuffer`][], shared. Undefined when: there are at
    most `k` real rows, or no generated one; or more than `capacity` on a side.
    Source: Kynkäänniemi et al., "Improved precision and recall metric for assessing generative
    models", 2019.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        precision = eqm.generative.GenerativePrecision(1, capacity=10, k=1)
        real, generated = jnp.array([[0.0], [1.0], [5.0]]), jnp.array([[1.8], [3.0], [9.5]])
        value = precision(real_features=real, generated_features=generated)
        assert abs(value - 2 / 3) < 1e-6  # 5 reaches to 1, and to 9
        ```
    """

    centre: ClassVar[Literal["real", "generated"]] = "real"

    def of_reach(self, reach: _Reach, w: Array, v: Array) -> Float32[Array, ""]:
        return _share(reach.reached, v)[0]


@final
class GenerativeRecall(_AbstractNeighbours, init=False):
    """The share of real samples that are near a generated one: inside the ball around a generated
    sample that reaches to its `k`-th nearest generated neighbour. A measure of variety.

    See [`eqmetrics.generative.GenerativePrecision`][] for balls and weights.

    **Arguments:**

    - `dim`: how many features a row has.
    - `capacity`: how many rows there is room for on each side, on all devices together.
    - `k`: which neighbour a ball reaches to.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.generative.FeatureBuffer`][], shared. Undefined when: there are at
    most `k` generated rows, or no real one; or more than `capacity` on a side.
    Source: Kynkäänniemi et al., "Improved precision and recall metric for assessing generative
    models", 2019.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        recall = eqm.generative.GenerativeRecall(1, capacity=10, k=1)
        real, generated = jnp.array([[0.2], [1.5], [5.0]]), jnp.array([[1.0], [2.0], [2.5]])
        value = recall(real_features=real, generated_features=generated)
        assert abs(value - 2 / 3) < 1e-6
        ```
    """

    centre: ClassVar[Literal["real", "generated"]] = "generated"

    def of_reach(self, reach: _Reach, w: Array, v: Array) -> Float32[Array, ""]:
        return _share(reach.reached, v)[0]


@final
class Density(_AbstractNeighbours, init=False):
    r"""The mean number of balls around real samples that contain a generated sample, divided by
    $k$: the mean of $\frac1k \sum_i 1(y \in B_i)$. A precision that single outliers among the real
    samples hardly raise. It may be above 1.

    See [`eqmetrics.generative.GenerativePrecision`][] for balls and weights.

    **Arguments:**

    - `dim`: how many features a row has.
    - `capacity`: how many rows there is room for on each side, on all devices together.
    - `k`: which neighbour a ball reaches to.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.generative.FeatureBuffer`][], shared. Undefined when: there are at
    most `k` real rows, or no generated one; or more than `capacity` on a side.
    Source: Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        density = eqm.generative.Density(1, capacity=10, k=1)
        real, generated = jnp.array([[0.0], [1.0], [5.0]]), jnp.array([[0.9], [2.5], [3.0]])
        value = density(real_features=real, generated_features=generated)
        assert abs(value - 4 / 3) < 1e-6  # in 2 balls, in 1 and in 1
        ```
    """

    centre: ClassVar[Literal["real", "generated"]] = "real"

    def of_reach(self, reach: _Reach, w: Array, v: Array) -> Float32[Array, ""]:
        return over(to_float(sum_rows(reach.times * v)), to_float(sum_rows(v))) / self.k


@final
class Coverage(_AbstractNeighbours, init=False):
    """The share of real samples with a generated sample in their ball, which reaches to their
    `k`-th nearest real neighbour. A recall that outliers among the generated samples don't raise.

    See [`eqmetrics.generative.GenerativePrecision`][] for balls and weights.

    **Arguments:**

    - `dim`: how many features a row has.
    - `capacity`: how many rows there is room for on each side, on all devices together.
    - `k`: which neighbour a ball reaches to.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: that of [`eqmetrics.generative.FeatureBuffer`][], shared. Undefined when: there are at
    most `k` real rows, or no generated one; or more than `capacity` on a side.
    Source: Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coverage = eqm.generative.Coverage(1, capacity=10, k=1)
        real, generated = jnp.array([[0.0], [1.0], [5.0]]), jnp.array([[-0.5]])
        coverage = coverage.update(real_features=real).update(generated_features=generated)
        value = coverage.compute()
        assert abs(value - 1 / 3) < 1e-6
        ```
    """

    centre: ClassVar[Literal["real", "generated"]] = "real"

    def of_reach(self, reach: _Reach, w: Array, v: Array) -> Float32[Array, ""]:
        return _share(reach.reaches, w)[0]
