import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values, Weights
from .._field import state
from .._quotient import ratio
from .._reduction import EXACT_SUM
from .._reduction.pair import to_float
from .._row_sum import AbstractRowSum, invalid_of, Parts, row_sum, total_of, weight_of
from .._rows import Rows, trailing, undefined_as
from .._squares import known
from .paired import check_multioutput, errors_of, Multioutput, over_columns, paired


class Within(NamedTuple):
    """Losses that have a domain: where `valid` is false the row is invalid."""

    losses: Float32[Array, "rows ..."]
    valid: Bool[Array, "rows ..."]


def without_invalid(batch: Rows, losses: Array | Within) -> tuple[Rows, Array]:
    if not isinstance(losses, Within):
        return batch, losses
    bad = ~losses.valid
    return batch.without(jnp.any(bad, axis=tuple(range(1, bad.ndim)))), losses.losses


class AbstractLossSums(AbstractRowSum):
    """The sum of a loss, of each column, and of the weights."""

    valid: eqx.AbstractVar[str]

    outputs: tuple[int, ...] = eqx.field(static=True)
    multioutput: Multioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    total: Float32[Array, "2 ..."] = state(reduce=EXACT_SUM)
    weight: Float32[Array, "2"] = state(reduce=EXACT_SUM)
    invalid: Float32[Array, "2"] = state(reduce=EXACT_SUM, valid="{self.valid}")

    def __init__(
        self,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        check_multioutput(multioutput)
        self.outputs = trailing(outputs)
        self.multioutput = multioutput
        self.undefined = undefined
        self.total = jnp.zeros((2, *self.outputs), jnp.float32)
        self.weight = jnp.zeros(2, jnp.float32)
        self.invalid = jnp.zeros(2, jnp.float32)

    def of(self, batch: Rows, losses: Float32[Array, "rows ..."] | Within) -> Parts:
        """What the losses of these rows add."""
        batch, losses = without_invalid(batch, losses)
        total = total_of(batch._replace(values=losses))
        return {"total": total, "weight": weight_of(batch), "invalid": invalid_of(batch)}

    def mean(self) -> Float32[Array, "..."]:
        """The mean loss of each column."""
        return ratio(to_float(self.total), to_float(self.weight))

    def mean_square(self) -> Float32[Array, "..."]:
        """The same of a loss near a square; NaN if that left the range of float32."""
        return known(self.mean(), to_float(self.total))

    def overall(self, values: Array) -> Float32[Array, "..."]:
        """The value from those of the columns."""
        empty = to_float(self.weight) == 0
        return over_columns(undefined_as(values, empty, self.undefined), self.multioutput)


class AbstractPairLoss(AbstractLossSums, init=False):
    """The sum of a loss of prediction, target and error."""

    @abc.abstractmethod
    def losses(
        self,
        predictions: Float32[Array, "rows ..."],
        targets: Float32[Array, "rows ..."],
        errors: Float32[Array, "rows ..."],
    ) -> Float32[Array, "rows ..."] | Within:
        """The loss of each entry. `errors`, of predictions less targets, are those of integers
        too, of which the floats don't tell."""

    @row_sum
    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Parts:
        """`predictions` and `targets` are real, of shape `(*rows, *outputs)`."""
        batch, (p, t) = paired(predictions, targets, mask, weights, self.outputs)
        return self.of(batch, self.losses(p, t, errors_of(batch, predictions, targets)))


class AbstractMeanLoss(AbstractPairLoss, init=False):
    """The mean of a loss of prediction, target and error."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean())


class AbstractMeanError(AbstractMeanLoss, init=False):
    """The mean of a loss. A subclass writes `loss` alone, and in `valid` says which rows are:

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        from typing import ClassVar, final

        @final
        class MeanCubedError(eqm.AbstractMeanError, init=False):
            valid: ClassVar[str] = "weights >= 0"

            def loss(self, predictions, targets):
                return jnp.abs(predictions - targets) ** 3

        assert MeanCubedError()(predictions=jnp.array([1.0, 2.0]), targets=jnp.zeros(2)) == 4.5
        ```

    Both are float32: integers beyond $2^{24}$ have been rounded.
    """

    @abc.abstractmethod
    def loss(
        self, predictions: Float32[Array, "rows ..."], targets: Float32[Array, "rows ..."]
    ) -> Float32[Array, "rows ..."] | Within:
        """The loss of each entry."""

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Array | Within:
        return self.loss(predictions, targets)
