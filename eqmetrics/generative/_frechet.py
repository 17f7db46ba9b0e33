from collections.abc import Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32

from .._metric.field import constant
from .._metric.readout import AbstractReadout
from .._reduction.pair import add, to_float
from .._reduction.pair_sums import sum_rows
from .._rows.rows import undefined_as
from ._moments import FeatureMoments


_Matrix = Float32[Array, "dim dim"]


def _dot(x: Array, y: Array) -> Array:
    return jnp.matmul(x, y, precision="highest")


def root_of(covariance: _Matrix) -> _Matrix:
    """A matrix `a` with `a @ a.T` the covariance, whose columns are orthogonal."""
    values, vectors = jnp.linalg.eigh(covariance, symmetrize_input=False)
    # In directions without variance, rounding leaves eigenvalues of some 3e-8 of the largest, also
    # for 768 features. If there are fewer rows than features, hundreds of these would add up.
    some = values > jnp.max(values) * 2.0**-23
    return vectors * jnp.sqrt(jnp.where(some, values, 0))[None, :]


def _nearest(a: _Matrix, b: _Matrix) -> _Matrix:
    """`b` rotated so that it is nearest to `a`."""
    u, _, v = jnp.linalg.svd(_dot(b.T, a), full_matrices=False)
    return _dot(b, _dot(u, v))


@jax.custom_jvp
def between(a: _Matrix, b: _Matrix, covariance_a: Any, covariance_b: Any) -> Float32[Array, ""]:
    r"""The squared distance of two covariances from their roots: `|a - b q|^2` with the nearest
    rotation `q`.

    It is the sum of both traces minus twice the nuclear norm of `a.T @ b`, which is the trace of
    the root of their product. But a difference of traces loses all digits of a small distance, and
    this is a sum of squares: errors of the roots and of the rotation are relative to the distance
    itself, not to its square, and it is never negative.
    """
    squares = (a - _nearest(a, b)) ** 2
    return jnp.sum(to_float(sum_rows(squares)))


@between.defjvp
def _between_jvp(primals, tangents):
    # The derivative by each covariance is 1 minus the map that takes one Gaussian to the other. The
    # derivative of eigenvectors, infinite where eigenvalues are equal, isn't needed.
    a, b, *_ = primals
    near = _nearest(a, b)
    change = jnp.zeros((), jnp.float32)
    # |a - b q| = |a q.T - b|, and `a q.T` is the rotation of `a` nearest to `b`.
    for root, other, tangent in ((a, near, tangents[2]), (b, None, tangents[3])):
        if tangent is None:
            continue
        other = _nearest(b, a) if other is None else other
        slope = jnp.eye(a.shape[0], dtype=jnp.float32) - _dot(other, _inverse(root))
        change = change + jnp.sum((slope + slope.T) / 2 * tangent)
    return between(*primals), change


def _inverse(root: _Matrix) -> _Matrix:
    """The pseudoinverse, which leaves out directions without variance."""
    squares = jnp.sum(root * root, axis=0)
    some = squares > jnp.max(squares) * (root.shape[0] * 2.0**-23)
    return jnp.where(some[:, None], root.T / jnp.where(some, squares, 1)[:, None], 0)


def _reference(reference: Sequence[Any], dim: int) -> tuple[Array, Array]:
    """The mean as a pair, and a root of the covariance, computed once in float64 on the host."""
    if len(reference) != 2:
        raise TypeError(f"`reference` has {len(reference)} parts, expected (mean, covariance).")
    mean, covariance = (np.asarray(x, np.float64) for x in reference)
    if mean.shape != (dim,) or covariance.shape != (dim, dim):
        raise TypeError(
            f"`reference` is a mean of shape {mean.shape} and a covariance of shape "
            f"{covariance.shape}, expected ({dim},) and ({dim}, {dim})."
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError("`reference` has NaN or infinite entries.")
    if not np.allclose(covariance, covariance.T, 1e-4, 1e-4 * np.abs(covariance).max(initial=0)):
        raise ValueError("`reference` has a covariance that isn't symmetric.")
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    high = mean.astype(np.float32)
    pair = np.stack([high, (mean - high).astype(np.float32)])
    root = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    return jnp.asarray(pair), jnp.asarray(root)


@final
class FrechetDistance(AbstractReadout):
    r"""The squared Fréchet distance of two Gaussians with the means and covariances of the real and
    the generated features:
    $\lVert \mu - \mu' \rVert^2 + \mathrm{tr}\,(\Sigma + \Sigma' - 2 (\Sigma \Sigma')^{1/2})$.

    With the features of an Inception network it is the FID, with those of an audio or video network
    the FAD or the FVD. You choose the network; values are only comparable for the same network,
    preprocessing and number of rows.

    The covariances are unbiased (`ddof=1`, as in pytorch-fid and torch-fidelity), with nothing
    added to their diagonals. Fewer rows than features are no error, but the fewer rows, the more
    the value is biased upwards: compare values of equal numbers of rows. Weights are counts, so
    their scale matters. In float32 the relative error is about $10^{-5}$, and the value is never
    negative. Instead of a difference of traces it is a sum of squares, $\lVert A - B Q \rVert^2$,
    with the roots $A$ and $B$ of both covariances and the nearest rotation $Q$.

    **Arguments:**

    - `dim`: how many features a row has.
    - `reference`: `(mean, covariance)` of real features that were seen before, as NumPy or jax
        arrays; `real_features` are then neither taken nor kept. The pair is the value of
        [`eqmetrics.generative.FeatureMoments`][], `moments.compute()["real"]`, or `mu` and `sigma`
        in a file of pytorch-fid. Its root is computed once, in float64 on the host.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; for a covariance without full rank, within its range.
    State: that of [`eqmetrics.generative.FeatureMoments`][], $4 d^2$ floats and some more; with a
    reference $2 d^2$, and $d^2$ constants. Undefined when: there are fewer than two rows on a side.
    A feature that is NaN or infinite is invalid.
    Source: Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", 2017; Dowson and Landau, "The Fréchet distance between multivariate normal
    distributions", 1982.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        distance = eqm.generative.FrechetDistance(1)
        real = jnp.array([[-1.0], [0.0], [1.0]])  # of mean 0 and variance 1
        assert abs(distance(real_features=real, generated_features=1 + 2 * real) - 2) < 1e-6
        stored = eqm.generative.FrechetDistance(1, reference=([0.0], [[1.0]]))
        assert abs(stored(generated_features=1 + 2 * real) - 2) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    statistic: FeatureMoments
    reference_mean: Float32[Array, "2 dim"] | None = constant()
    reference_root: Float32[Array, "dim dim"] | None = constant()

    def __init__(
        self,
        dim: int,
        *,
        reference: Sequence[Any] | None = None,
        undefined: float | None = None,
    ):
        self.undefined = undefined
        self.statistic = FeatureMoments(dim, real=reference is None)
        stored = (None, None) if reference is None else _reference(reference, dim)
        self.reference_mean, self.reference_root = stored

    def compute(self) -> Float32[Array, ""]:
        generated, real = (self.statistic.sides.get(name) for name in ("generated", "real"))
        assert generated is not None
        covariance, known = generated.covariance(), generated.several()
        root = root_of(lax.stop_gradient(covariance))
        if real is None:
            mean, root_real = self.reference_mean, self.reference_root
            assert mean is not None and root_real is not None
            covariance_real = None
        else:
            mean, covariance_real = real.mean, real.covariance()
            root_real, known = root_of(lax.stop_gradient(covariance_real)), known & real.several()
        means = jnp.sum(to_float(add(generated.mean, -mean)) ** 2)
        spread = between(root, root_real, covariance, covariance_real)
        return undefined_as(means + spread, ~known, self.undefined)
