from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Input, Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._regression.ensemble import ensemble
from .._rows.quotient import over, root
from .._rows.rows import undefined_as
from .._rows.squares import divisor, nan_if_lost, square


@final
class SpreadSkill(Metric):
    r"""The spread of ensembles relative to the error of their means: about 1 if the members scatter
    as much as the errors, below 1 if they are overconfident.

    $\sqrt{\overline{\frac{m + 1}{m} s^2} / \overline{(\bar x - t)^2}}$, where $s^2$ is the variance
    of the $m$ members of a row over $m - 1$. The factor corrects for the finite ensemble, whose
    mean is uncertain; WeatherBench 2 leaves it out. The spread is the root of the mean variance,
    not the mean of the standard deviations, which is lower.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; 0 where the spread is 0.
    State: 8 floats. Undefined when: no row was seen, or each mean equals its target. Rows with
    fewer than two members are invalid.
    Source: Fortin et al., "Why should ensemble spread match the RMSE of the ensemble mean?", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        ratio = eqm.fields.SpreadSkill()
        value = ratio(samples=jnp.array([[0.0, 2.0]]), targets=jnp.array([4.0]))
        assert abs(value - (1.5 * 2 / 9) ** 0.5) < 1e-6
        ```
    """

    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, *, undefined: float | None = None):
        self.undefined = undefined
        valid = "two members in each row, weights >= 0 and finite"
        self.sums = Sums(valid, variance=(), error=(), weight=())

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
        `members`, of the shape of the samples or of their last axis, says which samples are real.
        `weights`, such as areas, have the shape of the rows."""
        e = ensemble(samples, targets, members, mask, weights, least=2)
        # One of the members is subtracted, so that the spread of equal members is exactly 0.
        at = 0 if e.real is None else jnp.argmax(e.real, axis=1, keepdims=True).astype(jnp.int32)
        first = e.x[:, :1] if e.real is None else jnp.take_along_axis(e.x, at, axis=1)
        apart = e.x - first
        mean = e.of_members(apart)
        m = e.many
        variance = e.of_members(square(apart - mean[:, None])) * (m / (m - 1))
        sums = self.sums.add(
            e.valid(),
            variance=variance * ((m + 1) / m),
            error=square(first[:, 0] + mean),
            weight=1,
        )
        return self.replace(sums=sums)

    def compute(self) -> Float32[Array, ""]:
        variance, error, weight = self.sums.read("variance", "error", "weight")
        none = error == 0
        spread = root(nan_if_lost(over(variance, weight), variance))
        skill = root(divisor(over(error, weight)))
        return undefined_as(spread / jnp.where(none, 1, skill), none, self.undefined)
