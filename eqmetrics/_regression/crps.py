import math
from typing import Any, ClassVar, final, Self

import jax.numpy as jnp
from jax import lax
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float32

from .._custom_types import Input, Mask, Values, Weights
from .._metric.checks import describe
from .._reduction.pair import minus
from .._rows.rows import flat, rows
from .mean_error import AbstractLossSums, Within
from .paired import errors_of, paired, together


def _score(x: Float32[Array, "rows members"], m: Any) -> Float32[Array, "rows"]:
    """Of sorted members, less the target; zeros behind the `m` of them change nothing."""
    rank = (2 * jnp.arange(x.shape[1], dtype=jnp.float32)[None] + (1 - m)) / m
    return jnp.sum((jnp.abs(x) - x * rank) / m, axis=1)


@final
class CRPSEnsemble(AbstractLossSums):
    r"""The mean continuous ranked probability score of ensembles, whose members are equally
    likely: $\frac1m \sum_j |x_j - t| - \frac1{2 m^2} \sum_{jk} |x_j - x_k|$.

    Of one member it is the absolute error. The members are sorted: $O(m \log m)$. Ensembles of
    different sizes are padded, and `members` says which are real.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats. Undefined when: the weights sum to 0. Rows without a member are invalid.
    Source: Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation",
    2007.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        crps = eqm.CRPSEnsemble()
        assert crps(samples=jnp.array([[0.0, 2.0]]), targets=jnp.array([1.0])) == 0.5
        samples, members = jnp.array([[0.0, 2.0, 9.0]]), jnp.array([True, True, False])
        assert crps(samples=samples, targets=jnp.array([1.0]), members=members) == 0.5
        ```
    """

    valid: ClassVar[str] = "a member in each row, weights >= 0 and finite"

    def __init__(self, *, undefined: float | None = None):
        AbstractLossSums.__init__(self, undefined=undefined)

    def update(
        self,
        *,
        samples: Values,
        targets: Values,
        members: Bool[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`samples` is real, of shape `(*rows, members)`, and `targets` of shape `rows`.
        `members`, of the shape of the samples or of their last axis, says which samples are
        real: the rest changes nothing, whatever it holds."""
        s, t = jnp.asarray(samples), jnp.asarray(targets)
        if s.ndim == 0 or s.shape[:-1] != t.shape or s.shape[-1] == 0:
            raise TypeError(
                f"`samples` is {describe(s)} and `targets` is {describe(t)}: the "
                "samples must have the shape of the targets and one more axis, the members."
            )
        shape = s.shape
        batch, _ = together(mask, weights, targets=t)
        rows(s, None, None, shape[-1:], "samples")  # real numbers
        # From the target, so that a large offset costs no digits.
        x = flat(minus(s, jnp.broadcast_to(t[..., None], shape)), shape[-1:])
        if members is None:
            return self.plus(batch, _score(jnp.sort(x, axis=1), x.shape[1]))
        members = jnp.asarray(members)
        if members.shape not in (shape, shape[-1:]):
            raise TypeError(
                f"`members` is {describe(members)} and `samples` has the shape {shape}: "
                "`members` has the shape of the samples, or that of their last axis."
            )
        real = jnp.broadcast_to(members, shape).reshape(x.shape)
        count = jnp.sum(real, axis=1, keepdims=True, dtype=jnp.int32)
        # Those that aren't real come last, behind a NaN that is.
        _, x = lax.sort((~real, x), dimension=1, num_keys=2)
        x = jnp.where(jnp.arange(x.shape[1])[None] < count, x, 0)
        score = _score(x, jnp.maximum(count, 1).astype(jnp.float32))
        return self.plus(batch, Within(score, count[:, 0] > 0))

    def compute(self) -> Float32[Array, ""]:
        return self.overall(self.mean())


@final
class CRPSGaussian(AbstractLossSums, init=False):
    r"""The mean continuous ranked probability score of normal distributions with the predicted
    means and standard deviations; with $z = (t - p) / \sigma$,
    $\sigma \left(z (2 \Phi(z) - 1) + 2 \varphi(z) - 1 / \sqrt\pi\right)$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, or their `"raw_values"`.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Rows with
    scales of 0 or less are invalid.
    Source: Gneiting et al., "Calibrated probabilistic forecasting using ensemble model output
    statistics and minimum CRPS estimation", 2005.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        one = jnp.ones(1)
        value = eqm.CRPSGaussian()(predictions=one, targets=one, scales=one)
        assert abs(value - (jnp.sqrt(2.0) - 1) / jnp.sqrt(jnp.pi)) < 1e-6
        ```
    """

    valid: ClassVar[str] = "scales > 0, weights >= 0 and finite"

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        scales: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions`, `targets` and `scales`, the standard deviations, are real, of shape
        `(*rows, *outputs)`."""
        batch, (_, _, s) = paired(predictions, targets, mask, weights, self.outputs, scales=scales)
        z = errors_of(batch, targets, predictions) / s
        score = z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi)
        return self.plus(batch, Within(s * score, ~(s <= 0)))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean())
