import abc
from typing import NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.nearest_quotient import quotient
from .._rows.rows import Rows, trailing, undefined_as
from .._rows.squares import nan_if_lost
from .paired import checked_multioutput, errors_of, Multioutput, over_columns, paired


class Within(NamedTuple):
    """Losses that have a domain: a row is invalid where `valid` is false."""

    losses: Float32[Array, "rows ..."]
    valid: Bool[Array, "rows ..."]


def without_invalid(batch: Rows, losses: Array | Within) -> tuple[Rows, Array]:
    if not isinstance(losses, Within):
        return batch, losses
    bad = ~losses.valid
    return batch.without(jnp.any(bad, axis=tuple(range(1, bad.ndim)))), losses.losses


class AbstractLossSums(Metric):
    """The sum of a loss for each column, and of the weights."""

    valid: eqx.AbstractVar[str]

    outputs: tuple[int, ...] = eqx.field(static=True)
    multioutput: Multioutput = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        self.outputs = trailing(outputs)
        self.multioutput = checked_multioutput(multioutput, outputs)
        self.undefined = undefined
        self.sums = Sums(self.valid.format(self=self), total=self.outputs, weight=())

    def plus(self, batch: Rows, losses: Float32[Array, "rows ..."] | Within) -> Self:
        """The metric with the losses of these rows added."""
        batch, losses = without_invalid(batch, losses)
        return self.replace(sums=self.sums.add(batch, total=losses, weight=1))

    def mean(self) -> Float32[Array, "..."]:
        """The mean loss of each column."""
        total, weight = self.sums.read("total", "weight")
        return quotient(total, weight)

    def mean_square(self) -> Float32[Array, "..."]:
        """The same for a loss that is a square near 0; NaN if it left the range of float32."""
        return nan_if_lost(self.mean(), self.sums.read("total"))

    def overall(self, values: Array) -> Float32[Array, "..."]:
        """The value of the metric from those of the columns."""
        empty = self.sums.read("weight") == 0
        return over_columns(undefined_as(values, empty, self.undefined), self.multioutput)


class AbstractPairLoss(AbstractLossSums, init=False):
    """The sum of a loss that depends on prediction, target and error."""

    @abc.abstractmethod
    def losses(
        self,
        predictions: Float32[Array, "rows ..."],
        targets: Float32[Array, "rows ..."],
        errors: Float32[Array, "rows ..."],
    ) -> Float32[Array, "rows ..."] | Within:
        """The loss of each entry. `errors` are predictions less targets, subtracted before integers
        are rounded to float32."""

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real, of shape `(*rows, *outputs)`."""
        batch, (p, t) = paired(predictions, targets, mask, weights, self.outputs)
        return self.plus(batch, self.losses(p, t, errors_of(batch, predictions, targets)))


class AbstractMeanLoss(AbstractPairLoss, init=False):
    """The mean of a loss that depends on prediction, target and error."""

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        return self.overall(self.mean())


class AbstractMeanError(AbstractMeanLoss, init=False):
    """The mean of a loss. A subclass writes only `loss`, and in `valid` which rows are valid:

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

    `loss` gets both as float32: integers beyond $2^{24}$ have been rounded.
    """

    @abc.abstractmethod
    def loss(
        self, predictions: Float32[Array, "rows ..."], targets: Float32[Array, "rows ..."]
    ) -> Float32[Array, "rows ..."] | Within:
        """The loss of each entry."""

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Array | Within:
        return self.loss(predictions, targets)
