"""The mean over rows of a score that some rows may lack."""

from collections.abc import Sequence
from typing import Any, get_args, Literal, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32

from .._metric.metric import Metric
from .._onepass.sums import Sums
from .nearest_quotient import quotient_or
from .rows import as_column, Rows, trailing


Empty = Literal["skip", "zero", "one"]  # what a row without a score counts as


def check_empty(empty: str) -> None:
    if empty not in get_args(Empty):
        raise ValueError(
            f"`empty` is {empty!r}, expected 'skip' (a row without a value is left out), 'zero' "
            "or 'one' (it counts as 0, or as 1)."
        )


class AbstractRowMean(Metric):
    """The mean over rows of a score, or of several scores of shape `shape`, such as one for each
    `k`.

    A subclass defines `update`, which ends with `self.plus(batch, scores, defined)`.

    **Arguments:**

    - `valid`: which rows are valid, in words.
    - `shape`: the shape of the scores of one row.
    - `empty`: what a row with an undefined score counts as: `"skip"` leaves out the row and its
        weight, `"zero"` and `"one"` count it with this score.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 4 floats for each score, and 2 for the invalid rows. Undefined when: no row has a score.
    """

    empty_as: Empty = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        valid: str = "weights >= 0 and finite",
        *,
        shape: int | Sequence[int] = (),
        empty: Empty = "skip",
        undefined: float | None = None,
    ):
        check_empty(empty)
        self.empty_as = empty
        self.undefined = undefined
        self.sums = Sums(valid, total=trailing(shape), weight=trailing(shape))

    def plus(
        self,
        batch: Rows,
        scores: Float[Array, "rows ..."],
        defined: Bool[Array, "rows ..."] | None = None,
    ) -> Self:
        """Adds the scores of these rows. `defined` has the shape of the scores, or of the rows; if
        it isn't given, all are defined. An undefined score may be any number, even NaN."""
        counted: Any = 1 if scores.ndim == 1 else jnp.ones(scores.shape, bool)
        if defined is not None:
            full = defined if defined.ndim > 1 else as_column(defined, scores)
            full = jnp.broadcast_to(full, scores.shape)
            instead = jnp.asarray(1 if self.empty_as == "one" else 0, scores.dtype)
            scores = jnp.where(full, scores, instead)
            counted = full if self.empty_as == "skip" else counted
        return self.replace(sums=self.sums.add(batch, total=scores, weight=counted))

    def compute(self) -> Float32[Array, "..."]:
        """The mean score: a scalar, or an array of shape `shape`."""
        total, weight = self.sums.read("total", "weight")
        return quotient_or(total, weight, self.undefined)
