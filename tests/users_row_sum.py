"""A sum over rows as a user writes it, in a file of their own."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32

import eqmetrics as eqm


Mask = Bool[Array, "rows"] | None


class MeanSquare(eqm.AbstractRowSum):
    columns: int = eqx.field(static=True)
    total: Float32[Array, "2 {self.columns}"] = eqm.state(reduce=eqm.exact_sum)
    count: Float32[Array, "2"] = eqm.state(reduce=eqm.exact_sum)

    def __init__(self, columns: int):
        self.columns = columns
        self.total, self.count = jnp.zeros((2, columns)), jnp.zeros(2)

    @eqm.row_sum
    def update(
        self, values: Float[Array, "rows {self.columns}"], *, mask: Mask = None
    ) -> eqm.Parts:
        ones = jnp.ones(values.shape[0], bool)
        return {"total": eqm.Part(values**2, mask), "count": eqm.Part(ones, mask)}

    def compute(self) -> Float[Array, "{self.columns}"]:
        return self.total.sum(0) / self.count.sum()
