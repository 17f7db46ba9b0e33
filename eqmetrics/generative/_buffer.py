from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.field import state
from .._metric.readout import AbstractStatistic
from .._onepass.sums import plus_invalid
from .._reduction import EXACT_SUM
from .._reduction.pair import to_float
from .._reduction.pair_sums import sum_rows
from .._wrap.buffer import Buffer
from ._features import check_dim, clean, SIDES, sides_of, VALID


@final
class FeatureBuffer(AbstractStatistic):
    """The features of up to `capacity` real and as many generated rows, and their weights: the
    statistic of distances that need every pair of rows, which share it in a `MetricDict`.

    Each update takes both sides, or one of them. See [`eqmetrics.Buffer`][].

    **Arguments:**

    - `dim`: how many features a row has.
    - `capacity`: how many rows there is room for on each side, on all devices together.

    The gradient is 0: the weights of the rows don't depend on their features.
    State: `2 * capacity * (dim + 1) + 14` numbers. Undefined when: a side had more than `capacity`
    rows. A feature that is NaN or infinite is invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kept = eqm.generative.FeatureBuffer(2, capacity=10)
        kept = kept.update(real_features=jnp.ones((3, 2)))
        features, weights = kept.rows("real")
        assert features.shape == (10, 2) and weights.tolist() == [1] * 3 + [0] * 7
        ```
    """

    dim: int = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    kept: dict[str, Buffer]
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid=VALID)

    def __init__(self, dim: int, *, capacity: int):
        check_dim(dim)
        self.dim = dim
        self.capacity = capacity
        row = jax.ShapeDtypeStruct((dim,), jnp.float32)
        self.kept = {k: Buffer(capacity, features=row, weights=jnp.float32) for k in SIDES}
        self.invalid = jnp.zeros(2, jnp.float32)

    def update(
        self,
        *,
        real_features: Values | None = None,
        generated_features: Values | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Features have the shape `(*rows, dim)`; `mask` and `weights` have that of the rows, and
        apply to both sides if both are given."""
        kept, invalid = dict(self.kept), self.invalid
        given = sides_of(real_features, generated_features, self.dim, mask, weights)
        for name, batch in given.items():
            x, taken = clean(batch)
            w = jnp.ones(len(x), jnp.float32) if batch.weights is None else batch.weights
            kept[name] = kept[name].update(features=x, weights=w, mask=taken)
            invalid = plus_invalid(invalid, batch)
        return self.replace(kept=kept, invalid=invalid)

    def rows(
        self, side: str
    ) -> tuple[Float32[Array, "{self.capacity} {self.dim}"], Float32[Array, "{self.capacity}"]]:
        """The features of a side (`"real"`, `"generated"`) and their weights, 0 where there is no
        row."""
        columns, mask = self.kept[side].rows()
        features = jnp.where(mask[:, None], columns["features"], 0)
        return features, jnp.where(mask, columns["weights"], 0)

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict of scalars: the weight of each side, `real` and `generated`."""
        return {k: to_float(sum_rows(self.rows(k)[1])) for k in SIDES}
