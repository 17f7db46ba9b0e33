"""Squared distances of the means of two distributions in the feature space of a kernel."""

import abc
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._metric.readout import AbstractReadout
from .._reduction.pair import add, divide, lift, multiply, Pair, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.rows import undefined_as
from ._buffer import FeatureBuffer
from ._pairs import by_blocks, centred, products, squared_distances


class _AbstractKernel(AbstractReadout):
    unbiased: eqx.AbstractVar[bool]
    undefined: eqx.AbstractVar[float | None]
    statistic: eqx.AbstractVar[FeatureBuffer]

    @abc.abstractmethod
    def kernel(self, x: Array, y: Array) -> Float32[Array, "rows others"]:
        """The kernel minus 1, its value for equal rows or a row of zeros. The 1 cancels in the
        distance, and would cost digits before that."""

    @abc.abstractmethod
    def of_equal(self, x: Float32[Array, "rows dim"]) -> Float32[Array, "rows"]:
        """The same for each row and itself."""

    @abc.abstractmethod
    def prepared(self, *sides: tuple[Array, Array]) -> list[Array]:
        """The features in the form that the kernel takes."""

    def _mean(self, x: Array, w: Array, y: Array, v: Array) -> Pair:
        """The mean of the kernel over all pairs."""
        each = by_blocks(lambda x: to_float(sum_rows((self.kernel(x, y) * v[None]).T)), x)
        pairs = multiply(sum_rows(w), sum_rows(v))
        return divide(sum_rows(each * w), _safe(pairs))

    def _own_mean(self, x: Array, w: Array) -> Pair:
        """The mean of the kernel over the pairs within a side; if `unbiased`, without those of a
        row and itself. A row of weight 2 is two rows."""
        mean = self._mean(x, w, x, w)
        if not self.unbiased:
            return mean
        n, own = sum_rows(w), sum_rows(self.of_equal(x) * w)
        rest = add(n, lift(-jnp.ones((), jnp.float32)))
        # sum / (n (n - 1)), where sum = mean n^2 - own
        return divide(add(multiply(mean, n), -divide(own, _safe(n))), _safe(rest))

    def value(self) -> tuple[Array, Array]:
        """The value, and whether it is defined."""
        sides = [self.statistic.rows(name) for name in ("real", "generated")]
        (w, v), (x, y) = (w for _, w in sides), self.prepared(*sides)
        within = add(self._own_mean(x, w), self._own_mean(y, v))
        between = self._mean(x, w, y, v)
        value = to_float(add(add(within, -between), -between))
        least = 1.0 if self.unbiased else 0.0
        some = (to_float(sum_rows(w)) > least) & (to_float(sum_rows(v)) > least)
        return value, some

    def compute(self) -> Float32[Array, ""]:
        value, some = _value(self)
        return undefined_as(value, ~some, self.undefined)


@jax.jit  # eager code would compile the loop over blocks at every call
def _value(metric: _AbstractKernel) -> tuple[Array, Array]:
    return metric.value()


def _safe(x: Pair) -> Pair:
    return jnp.where(x[0] > 0, x, lift(jnp.ones((), jnp.float32)))


@final
class MaximumMeanDiscrepancy(_AbstractKernel):
    r"""The squared maximum mean discrepancy of the real and the generated features with a Gaussian
    kernel: $\mathbb{E}\,k(x, x') + \mathbb{E}\,k(y, y') - 2\,\mathbb{E}\,k(x, y)$,
    $k(x, y) = \exp(-\lVert x - y \rVert^2 / 2 \sigma^2)$.

    With CLIP features of length 1 and $\sigma = 10$ it is the CMMD without its factor of 1000. The
    authors' code averages over all pairs, as `unbiased=False` does. All pairs of rows are taken, in
    blocks: nothing is sampled. A weight repeats a row, so the scale of the weights matters if
    `unbiased`.

    **Arguments:**

    - `dim`: how many features a row has.
    - `capacity`: how many rows there is room for on each side, on all devices together.
    - `sigma`: the width of the kernel.
    - `unbiased`: whether to leave out the pairs of a row with itself. The value may then be below
        0.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: that of [`eqmetrics.generative.FeatureBuffer`][], shared. Undefined when: a side has
    fewer than two rows (if biased, none), or more than `capacity`.
    Source: Gretton et al., "A kernel two-sample test", 2012; Jayasumana et al., "Rethinking FID:
    towards a better evaluation metric for image generation", 2024.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        distance = eqm.generative.MaximumMeanDiscrepancy(
            1, capacity=10, sigma=1.0, unbiased=False
        )
        x, y = jnp.array([[0.0]]), jnp.array([[2.0]])
        value = distance(real_features=x, generated_features=y)
        assert abs(value - 2 * (1 - jnp.exp(-2.0))) < 1e-6
        ```
    """

    sigma: float = eqx.field(static=True)
    unbiased: bool = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: FeatureBuffer

    def __init__(
        self,
        dim: int,
        *,
        capacity: int,
        sigma: float = 10.0,
        unbiased: bool = True,
        undefined: float | None = None,
    ):
        if not sigma > 0:
            raise ValueError(f"sigma={sigma}: expected a width above 0.")
        self.sigma = sigma
        self.unbiased = unbiased
        self.undefined = undefined
        self.statistic = FeatureBuffer(dim, capacity=capacity)

    def kernel(self, x: Array, y: Array) -> Float32[Array, "rows others"]:
        return jnp.expm1(squared_distances(x, y) * (-0.5 / self.sigma**2))

    def of_equal(self, x: Float32[Array, "rows dim"]) -> Float32[Array, "rows"]:
        return jnp.zeros(x.shape[:1], jnp.float32)

    def prepared(self, *sides: tuple[Array, Array]) -> list[Array]:
        return centred(*sides)


@final
class KernelDistance(_AbstractKernel):
    r"""The unbiased squared maximum mean discrepancy of the real and the generated features with a
    polynomial kernel, $k(x, y) = (x \cdot y / d + 1)^p$. With Inception features it is the KID.

    All pairs of rows are taken, in blocks; the mean over random subsets, which other libraries
    compute, estimates this. It is unbiased for any number of rows, and may be below 0. A weight
    repeats a row, so the scale of the weights matters.

    **Arguments:**

    - `dim`: how many features a row has: $d$.
    - `capacity`: how many rows there is room for on each side, on all devices together.
    - `degree`: the degree $p$ of the polynomial.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: that of [`eqmetrics.generative.FeatureBuffer`][], shared. Undefined when: a side has
    fewer than two rows, or more than `capacity`.
    Source: Bińkowski et al., "Demystifying MMD GANs", 2018.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        distance = eqm.generative.KernelDistance(1, capacity=10)
        x, y = jnp.array([[1.0], [1.0]]), jnp.zeros((2, 1))
        assert distance(real_features=x, generated_features=y) == 8 + 1 - 2
        ```
    """

    degree: int = eqx.field(static=True)
    unbiased: bool = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: FeatureBuffer

    def __init__(
        self, dim: int, *, capacity: int, degree: int = 3, undefined: float | None = None
    ):
        if degree < 1:
            raise ValueError(f"degree={degree}: expected at least 1.")
        self.degree = degree
        self.unbiased = True
        self.undefined = undefined
        self.statistic = FeatureBuffer(dim, capacity=capacity)

    def _power(self, t: Array) -> Array:
        """`(1 + t)^degree - 1`, by Horner's rule, without a subtraction."""
        found = t
        for _ in range(self.degree - 1):
            found = found + t * (1 + found)
        return found

    def kernel(self, x: Array, y: Array) -> Float32[Array, "rows others"]:
        return self._power(products(x, y) / x.shape[1])

    def of_equal(self, x: Float32[Array, "rows dim"]) -> Float32[Array, "rows"]:
        return self._power(jnp.sum(x * x, axis=1) / x.shape[1])

    def prepared(self, *sides: tuple[Array, Array]) -> list[Array]:
        return [x for x, _ in sides]
