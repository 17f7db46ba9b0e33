from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Input, Mask, Values, Weights
from .._reduction.pair import minus
from .._regression.ensemble import ensemble
from .._rows.row_mean import AbstractRowMean


def _apart(
    x: Float32[Array, "... variables"], p: float
) -> Float32[Array, "... variables variables"]:
    size = jnp.abs(x[..., :, None] - x[..., None, :])
    # No power of 0, whose gradient may be infinite.
    return jnp.where(size == 0, 0, jnp.where(size == 0, 1, size) ** p)


@final
class VariogramScore(AbstractRowMean):
    r"""The mean variogram score of ensembles of vectors, which tells whether variables (places,
    lead times) depend on each other as in the target:
    $\sum_{ij} \left(\lvert t_i - t_j \rvert^p
    - \frac1m \sum_k \lvert x_{ki} - x_{kj} \rvert^p\right)^2$.

    Each pair counts twice, as $ij$ and $ji$, and all pairs count equally, as in scoringrules'
    `vs_ensemble` and in the paper with weights of 1. A common bias of all variables doesn't change
    it. It takes $O(m d^2)$ operations a row.

    **Arguments:**

    - `p`: the order, above 0; 0.5 in the paper.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value; that of two equal variables is 0.
    State: 6 floats. Undefined when: no row was seen. Rows without a member are invalid.
    Source: Scheuerer and Hamill, "Variogram-based proper scoring rules for probabilistic forecasts
    of multivariate quantities", 2015.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        x, t = jnp.array([[[0.0, 1.0], [0.0, 9.0]]]), jnp.array([[0.0, 16.0]])
        value = eqm.fields.VariogramScore()(samples=x, targets=t)
        assert abs(value - 2 * (4 - 2) ** 2) < 1e-5
        ```
    """

    p: float = eqx.field(static=True)

    def __init__(self, p: float = 0.5, *, undefined: float | None = None):
        if not 0 < p < float("inf"):
            raise ValueError(f"p={p}: expected a number above 0, and finite.")
        self.p = float(p)
        valid = "a member in each row, weights >= 0 and finite"
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
        e = ensemble(samples, targets, members, mask, weights, vectors=True)
        # One variable is subtracted, so that integers and large offsets keep their digits.
        t = e.batch.values
        t = minus(t, jnp.broadcast_to(t[:, :1], t.shape))
        of_members = _apart(e.x + t[:, None, :], self.p)
        if e.real is not None:
            of_members = jnp.where(e.real[:, :, None, None], of_members, 0)
        mean = jnp.sum(of_members, axis=1) / jnp.reshape(
            jnp.asarray(e.many, jnp.float32), (-1, 1, 1)
        )
        return self.plus(e.valid(), jnp.sum((_apart(t, self.p) - mean) ** 2, axis=(1, 2)))
