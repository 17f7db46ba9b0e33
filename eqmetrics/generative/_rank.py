"""How many directions, or different samples, there are: the entropy of a spectrum."""

import functools as ft
from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._reduction.pair import to_float
from .._rows.quotient import over, root, xlogy
from .._rows.rows import undefined_as
from ._features import clean, features_of, VALID
from ._moments import SideMoments


def _entropy_of(values: Array, power: float) -> tuple[Array, Array, Array]:
    """The entropy of the shares of eigenvalues to a power, the shares, and the sum."""
    # In directions without variance, eigenvalues are only rounding errors, up to 4e-7 of the
    # largest, but their roots would count.
    some = values > jnp.max(values) * 2.0**-21
    each = jnp.where(some, jnp.where(some, values, 1) ** power, 0)
    total = jnp.sum(each)
    shares = over(each, total[None])
    return -jnp.sum(xlogy(shares, shares)), shares, total


@ft.partial(jax.custom_jvp, nondiff_argnums=(1,))
def entropy(matrix: Float32[Array, "dim dim"], power: float) -> Float32[Array, ""]:
    """The entropy of the shares of the eigenvalues, raised to a power."""
    return _entropy_of(jnp.linalg.eigvalsh(matrix), power)[0]


@entropy.defjvp
def _entropy_jvp(power, primals, tangents):
    # The derivative of a function of eigenvalues doesn't need that of the eigenvectors, which is
    # infinite where eigenvalues are equal.
    values, vectors = jnp.linalg.eigh(primals[0])
    value, shares, total = _entropy_of(values, power)
    some = shares > 0
    logs = jnp.log(jnp.where(some, shares, 1))
    slopes = power * jnp.where(some, values, 1) ** (power - 1)
    slopes = jnp.where(some, over((-logs - value) * slopes, total[None]), 0)
    slope = jnp.matmul(vectors * slopes[None, :], vectors.T, precision="highest")
    return value, jnp.sum(slope * tangents[0])


def _second_moments(moments: SideMoments) -> tuple[Float32[Array, "dim dim"], Array]:
    """The second moments about 0, divided by their trace; and whether the trace isn't 0."""
    weight, mean = to_float(moments.weight), to_float(moments.mean)
    matrix = over(to_float(moments.products), weight) + mean[:, None] * mean[None, :]
    trace = jnp.trace(matrix)
    return over(matrix, trace), trace > 0


@final
class EffectiveRank(Metric):
    r"""The effective number of directions that the features fill: $\exp(-\sum_j s_j \log s_j)$ with
    the shares $s_j = \sigma_j / \sum_k \sigma_k$ of the singular values of the matrix of all rows.
    From 1 to `dim`; it falls when representations collapse.

    The features aren't centred, as in RankMe. Singular values below about 7e-4 of the largest,
    which may be many, count as 0.

    **Arguments:**

    - `dim`: how many features a row has.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value, in the directions that the features fill.
    State: `2 * dim * (dim + 1) + 4` floats. Undefined when: all features are 0, or no row was
    seen. A feature that is NaN or infinite is invalid.
    Source: Roy and Vetterli, "The effective rank: a measure of effective dimensionality", 2007;
    Garrido et al., "RankMe: assessing the downstream performance of pretrained self-supervised
    representations by their rank", 2023.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        rank = eqm.generative.EffectiveRank(3)
        assert abs(rank(jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])) - 2) < 1e-5
        ```
    """

    undefined: float | None = eqx.field(static=True)
    moments: SideMoments

    def __init__(self, dim: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.moments = SideMoments(dim)

    def update(self, features: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        """`features` have the shape `(*rows, dim)`, `mask` and `weights` that of the rows."""
        batch = features_of(features, self.moments.dim, mask, weights)
        return self.replace(moments=self.moments.plus(batch))

    def compute(self) -> Float32[Array, ""]:
        matrix, some = _second_moments(self.moments)
        return undefined_as(jnp.exp(entropy(matrix, 0.5)), ~some, self.undefined)


@final
class VendiScore(Metric):
    r"""The effective number of different samples: $\exp(-\sum_j \lambda_j \log \lambda_j)$ with the
    eigenvalues of $K / n$, where $K$ are the cosine similarities of all pairs of rows. From 1, if
    all are alike, to the number of orthogonal rows, at most `dim`.

    They equal the eigenvalues of the mean of $x x^\top$ over rows scaled to length 1, so that no
    pairs are computed. An eigenvalue is known to about 1e-7 of the largest.

    **Arguments:**

    - `dim`: how many features a row has.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value, in the directions that the features fill.
    State: `2 * dim * (dim + 1) + 4` floats. Undefined when: no row was seen. A row of zeros, which
    has no direction, is invalid, as is one with NaN or infinity.
    Source: Friedman and Dieng, "The Vendi Score: a diversity evaluation metric for machine
    learning", 2023.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        vendi = eqm.generative.VendiScore(2)
        assert abs(vendi(jnp.array([[1.0, 0.0], [0.0, 5.0]])) - 2) < 1e-5
        assert abs(vendi(jnp.array([[1.0, 2.0], [2.0, 4.0]])) - 1) < 1e-5
        ```
    """

    undefined: float | None = eqx.field(static=True)
    moments: SideMoments

    def __init__(self, dim: int, *, undefined: float | None = None):
        self.undefined = undefined
        self.moments = SideMoments(dim, f"a feature other than 0, {VALID}")

    def update(self, features: Values, *, mask: Mask = None, weights: Weights = None) -> Self:
        """`features` have the shape `(*rows, dim)`, `mask` and `weights` that of the rows."""
        batch = features_of(features, self.moments.dim, mask, weights)
        x = batch.values.astype(jnp.float32)
        batch = batch.without(jnp.all(x == 0, axis=1))
        x, _ = clean(batch)
        # Divided by the largest entry first, whose square may leave the range of a float.
        most = jnp.max(jnp.abs(x), axis=1, keepdims=True, initial=0)
        x = x / jnp.where(most == 0, 1, most)
        size = root(jnp.sum(x * x, axis=1, keepdims=True))
        unit = x / jnp.where(size == 0, 1, size)
        return self.replace(moments=self.moments.plus(batch._replace(values=unit)))

    def compute(self) -> Float32[Array, ""]:
        matrix, some = _second_moments(self.moments)
        return undefined_as(jnp.exp(entropy(matrix, 1.0)), ~some, self.undefined)
