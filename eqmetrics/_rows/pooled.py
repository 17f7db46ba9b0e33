"""A mean over the entries inside rows: for each row and then over rows, or over all together."""

import abc
import math
from typing import get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32

from .._metric.metric import Metric
from .._onepass.sums import Sums
from .nearest_quotient import quotient
from .quotient import over
from .rows import Rows, undefined_as


Per = Literal["row", "pooled"]


def check_per(per: str) -> None:
    if per not in get_args(Per):
        raise ValueError(
            f"`per` is {per!r}, expected 'row' (the value of each row, then their mean) or "
            "'pooled' (all that is in the rows, together)."
        )


class AbstractPooled(Metric):
    """A value that is computed from the mean over the entries of rows (pixels, windows, keypoints).
    With `per="row"` it is computed for each row, and the result is the mean over the rows that have
    entries; with `per="pooled"` it is computed from one mean over the entries of all rows.

    A subclass defines `of_mean`, and an `update` that ends with `self.plus(batch, entries, keep)`.

    State: 6 floats. Undefined when: no row has an entry.
    """

    per: Per = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, valid: str, per: Per, undefined: float | None):
        check_per(per)
        self.per = per
        self.undefined = undefined
        self.sums = Sums(valid, total=(), weight=())

    @abc.abstractmethod
    def of_mean(self, mean: Float32[Array, "..."]) -> Float32[Array, "..."]:
        """The value, computed from the mean over entries."""

    def plus(
        self,
        batch: Rows,
        entries: Float[Array, "rows ..."],
        keep: Bool[Array, "rows ..."] | None = None,
    ) -> Self:
        """Adds the entries of these rows. `keep`, if given, is broadcast to the entries and selects
        them; entries that aren't kept may contain anything."""
        total, count = sums_of(entries, keep)
        if self.per == "pooled":
            return self.replace(sums=self.sums.add(batch, total=total, weight=count))
        some = count > 0
        score = jnp.where(some, self.of_mean(over(total, count)), 0)
        return self.replace(sums=self.sums.add(batch, total=score, weight=some))

    def compute(self) -> Float32[Array, ""]:
        total, weight = self.sums.read("total", "weight")
        mean = quotient(total, weight)
        value = self.of_mean(mean) if self.per == "pooled" else mean
        return undefined_as(value, weight == 0, self.undefined)


def sums_of(
    entries: Float[Array, "rows ..."], keep: Bool[Array, "rows ..."] | None
) -> tuple[Float32[Array, "rows"], Float32[Array, "rows"]]:
    """The sum of the entries of each row, and their number."""
    axes = tuple(range(1, entries.ndim))
    if keep is None:
        size = math.prod(entries.shape[1:])
        return jnp.sum(entries, axes), jnp.full(entries.shape[:1], size, jnp.float32)
    keep = jnp.broadcast_to(keep, entries.shape)
    return jnp.sum(jnp.where(keep, entries, 0), axes), jnp.sum(keep.astype(jnp.float32), axes)
