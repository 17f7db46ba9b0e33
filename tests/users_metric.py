"""A metric in a user's own file: no decorator or registration is needed."""

from typing import Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

import eqmetrics as eqm


class ColumnMean(eqm.Metric):
    columns: int = eqx.field(static=True)
    total: Float[Array, "{self.columns}"] = eqm.state(reduce="sum")
    count: Int[Array, ""] = eqm.state(reduce="sum")

    def __init__(self, columns: int):
        self.columns = columns
        self.total = jnp.zeros(columns)
        self.count = jnp.zeros((), jnp.int32)

    def update(self, values: Float[Array, "rows {self.columns}"]) -> Self:
        total = self.total + values.sum(0)
        return self.replace(total=total, count=self.count + values.shape[0])

    def compute(self) -> Float[Array, "{self.columns}"]:
        return self.total / self.count
