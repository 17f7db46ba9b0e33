"""A metric of sums over rows, in a user's own file."""

from typing import Self

import equinox as eqx
from jaxtyping import Array, Bool, Float

import eqmetrics as eqm


Mask = Bool[Array, "rows"] | None


class MeanSquare(eqm.Metric):
    columns: int = eqx.field(static=True)
    sums: eqm.Sums

    def __init__(self, columns: int):
        self.columns = columns
        self.sums = eqm.Sums(total=columns, rows=())

    def update(
        self, values: Float[Array, "rows {self.columns}"], *, mask: Mask = None
    ) -> Self:
        batch = eqm.rows(values, mask, None, (self.columns,))
        return self.replace(sums=self.sums.add(batch, total=values**2, rows=1))

    def compute(self) -> Float[Array, "{self.columns}"]:
        total, rows = self.sums.read("total", "rows")
        return total / rows
