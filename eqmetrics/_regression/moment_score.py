import abc
from collections.abc import Sequence
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.readout import AbstractReadout
from .._rows.quotient import over
from .._rows.rows import undefined_as
from .pair_moments import PairMoments, Spreads
from .paired import checked_multioutput, Multioutput, over_columns


WEIGHTED = "uniform_average", "raw_values", "variance_weighted"
WeightedMultioutput = (
    Literal["uniform_average", "raw_values", "variance_weighted"] | Sequence[float]
)


class AbstractMomentScore(AbstractReadout):
    """A score of each column that is read from its moments. A subclass writes `score`."""

    outputs: int | tuple[int, ...] = eqx.field(static=True)
    multioutput: Multioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: PairMoments

    def __init__(
        self,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        self.outputs = outputs
        self.multioutput = checked_multioutput(multioutput, outputs)
        self.undefined = undefined
        self.statistic = PairMoments(outputs)

    @abc.abstractmethod
    def score(self, s: Spreads) -> tuple[Array, Bool[Array, "..."]]:
        """The score of each column, and where it is undefined."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        values, nothing = self.score(self.statistic.spreads())
        return over_columns(undefined_as(values, nothing, self.undefined), self.multioutput)


def explained(
    unexplained: Array, s: Spreads, multioutput: WeightedMultioutput, undefined: float | None
) -> Float32[Array, "..."]:
    """1 less the unexplained share of the spread of the targets, over the columns."""
    # A spread of 0 that isn't that of a constant has left the range of float32.
    values = jnp.where(s.targets == 0, jnp.nan, 1 - over(unexplained, s.targets))
    if multioutput != "variance_weighted":
        return over_columns(undefined_as(values, s.constant_targets, undefined), multioutput)
    spread = jnp.where(s.constant_targets, 0, s.targets)
    parts = jnp.where(s.constant_targets, 0, values * over(spread, jnp.sum(spread)))
    return undefined_as(jnp.sum(parts), jnp.all(s.constant_targets), undefined)


def checked_weighted(multioutput: Any, outputs: int | tuple[int, ...]) -> Any:
    return checked_multioutput(multioutput, outputs, WEIGHTED)
