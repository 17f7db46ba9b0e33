import math
from typing import Any, ClassVar, final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._custom_types import Input, Mask, Values, Weights
from .ensemble import ensemble
from .mean_error import AbstractLossSums, Within
from .paired import errors_of, paired


def _score(x: Float32[Array, "rows members"], m: Any, fair: bool) -> Float32[Array, "rows"]:
    """The CRPS of sorted members, less the target; zeros after the first `m` change nothing."""
    rank = 2 * jnp.arange(x.shape[1], dtype=jnp.float32)[None] + (1 - m)
    rank = rank / (m - 1 if fair else m)
    return jnp.sum((jnp.abs(x) - x * rank) / m, axis=1)


@final
class CRPSEnsemble(AbstractLossSums):
    r"""The mean continuous ranked probability score of ensembles, whose members are equally
    likely: $\frac1m \sum_j |x_j - t| - \frac1{2 m^2} \sum_{jk} |x_j - x_k|$.

    With one member it is the absolute error. The members are sorted: $O(m \log m)$. Ensembles of
    different sizes are padded, and `members` says which are real.

    This is the score of the members as a distribution (properscoring, xskillscore), which is too
    large for few members. With `fair=True` it is the expected score of the distribution that they
    are drawn from, whatever their number: with $m (m - 1)$ in the place of $m^2$ (WeatherBench 2,
    the training loss of ensemble models). It can be negative.

    **Arguments:**

    - `fair`: whether to score the distribution behind the members.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats. Undefined when: the weights sum to 0. Rows without a member, or with `fair`
    without two, are invalid.
    Source: Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation",
    2007; Ferro, "Fair scores for ensemble forecasts", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        crps = eqm.CRPSEnsemble()
        assert crps(samples=jnp.array([[0.0, 2.0]]), targets=jnp.array([1.0])) == 0.5
        fair = eqm.CRPSEnsemble(fair=True)
        assert fair(samples=jnp.array([[0.0, 2.0]]), targets=jnp.array([1.0])) == 0
        samples, members = jnp.array([[0.0, 2.0, 9.0]]), jnp.array([True, True, False])
        assert crps(samples=samples, targets=jnp.array([1.0]), members=members) == 0.5
        ```
    """

    valid: ClassVar[str] = "{self.least} in each row, weights >= 0 and finite"
    fair: bool = eqx.field(static=True, kw_only=True)

    def __init__(self, *, fair: bool = False, undefined: float | None = None):
        self.fair = bool(fair)
        AbstractLossSums.__init__(self, undefined=undefined)

    @property
    def least(self) -> str:
        return "two members" if self.fair else "a member"

    def update(
        self,
        *,
        samples: Values,
        targets: Values,
        members: Bool[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`samples` is real, of shape `(*rows, members)`, and `targets` of shape `(*rows,)`.
        `members`, of the shape of the samples or of their last axis, says which samples are real:
        others change nothing, whatever they hold."""
        e = ensemble(samples, targets, members, mask, weights, least=1 + self.fair)
        if e.real is None:
            return self.plus(e.batch, _score(jnp.sort(e.x, axis=1), e.many, self.fair))
        # Samples that aren't real come last, even after a real NaN.
        _, x = lax.sort((~e.real, e.x), dimension=1, num_keys=2)
        there = jnp.arange(x.shape[1])[None] < jnp.asarray(e.many)[:, None]
        score = _score(jnp.where(there, x, 0), jnp.asarray(e.many)[:, None], self.fair)
        return self.plus(e.batch, Within(score, jnp.asarray(e.enough)))

    def compute(self) -> Float32[Array, ""]:
        return self.overall(self.mean())


@final
class CRPSGaussian(AbstractLossSums, init=False):
    r"""The mean continuous ranked probability score of normal distributions with the predicted
    means and standard deviations; with $z = (t - p) / \sigma$,
    $\sigma \left(z (2 \Phi(z) - 1) + 2 \varphi(z) - 1 / \sqrt\pi\right)$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
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
        # 2 cdf(z) - 1 and 2 pdf(z) of the standard normal distribution. `jax.scipy.stats` has them,
        # and loads all its distributions, at `import eqmetrics`.
        within, density = lax.erf(z * math.sqrt(0.5)), math.sqrt(2 / math.pi) * jnp.exp(-z * z / 2)
        score = z * within + density - 1 / math.sqrt(math.pi)
        return self.plus(batch, Within(s * score, ~(s <= 0)))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean())
