from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from .._custom_types import Input, Mask, Values, Weights
from .._regression.ensemble import ensemble
from .._rows.quotient import root
from .._rows.row_mean import AbstractRowMean


def _lengths(x: Float32[Array, "... vector"]) -> Float32[Array, "..."]:
    return root(jnp.sum(x * x, axis=-1))


@final
class EnergyScore(AbstractRowMean):
    r"""The mean energy score of ensembles of vectors, the CRPS for several variables at once:
    $\frac1m \sum_j \lVert x_j - t \rVert - \frac1{2 m^2} \sum_{jk} \lVert x_j - x_k \rVert$.

    By default it scores the members as a distribution, like [`eqmetrics.CRPSEnsemble`][] (and
    scoringrules' `es_ensemble`). With `fair=True`, $m (m - 1)$ replaces $m^2$: that estimates the
    score of the distribution that the members are drawn from (scoringrules' `estimator="fair"`).

    Scale variables of different units first: large ones count more. It takes $O(m^2 d)$ operations
    a row.

    **Arguments:**

    - `fair`: whether to score the distribution that the members are drawn from.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; that of a distance of 0 is 0.
    State: 6 floats. Undefined when: no row was seen. Rows without a member, or with `fair` without
    two, are invalid.
    Source: Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation",
    2007; Ferro, "Fair scores for ensemble forecasts", 2014.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, t = jnp.array([[[0.0, 0.0], [2.0, 0.0]]]), jnp.array([[1.0, 0.0]])
        assert eqm.fields.EnergyScore()(samples=x, targets=t) == 0.5
        assert eqm.fields.EnergyScore(fair=True)(samples=x, targets=t) == 0
        ```
    """

    fair: bool = eqx.field(static=True)

    def __init__(self, *, fair: bool = False, undefined: float | None = None):
        self.fair = bool(fair)
        enough = "two members" if fair else "a member"
        valid = f"{enough} in each row, weights >= 0 and finite"
        AbstractRowMean.__init__(self, valid, undefined=undefined)

    def update(
        self,
        *,
        samples: Values,
        targets: Values,
        members: Bool[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`samples` is real, of shape `(*rows, members, variables)`, and `targets` of shape
        `(*rows, variables)`. `members`, of shape `(*rows, members)` or `(members,)`, says which
        members exist. `mask` and `weights` have the shape of the rows."""
        e = ensemble(samples, targets, members, mask, weights, least=1 + self.fair, vectors=True)
        # Divided by the largest of the row, so that squares stay in range.
        top = lax.stop_gradient(jnp.max(jnp.abs(e.x), axis=(1, 2), initial=0))
        x = e.x / jnp.where(top == 0, 1, top)[:, None, None]
        between = _lengths(x[:, :, None] - x[:, None, :])
        if e.real is not None:
            between = jnp.where(e.real[:, :, None] & e.real[:, None, :], between, 0)
        pairs = e.many * (e.many - 1 if self.fair else e.many)
        score = e.of_members(_lengths(x)) - jnp.sum(between, axis=(1, 2)) / (2 * pairs)
        return self.plus(e.valid(), top * score)
