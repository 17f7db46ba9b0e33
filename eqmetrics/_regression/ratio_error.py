import abc
import math
from typing import ClassVar, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._reduction.pair import minus, reaches
from .._rows.nearest_quotient import quotient_or
from .._rows.rows import trailing
from .mean_error import Within, without_invalid
from .paired import checked_multioutput, Multioutput, over_columns, paired


class AbstractRatioError(Metric):
    """A sum over the rows divided by another, for each column. A subclass writes `terms`."""

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
        self.sums = Sums(self.valid, top=self.outputs, bottom=self.outputs)

    @abc.abstractmethod
    def terms(self, predictions: Array, targets: Array) -> tuple[Array, Array, Bool[Array, "..."]]:
        """What each entry adds to numerator and denominator, and which entries are valid. Both
        arguments have the type that was given, integers too."""

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real, of shape `(*rows, *outputs)`."""
        batch, _ = paired(predictions, targets, mask, weights, self.outputs)
        both = (jnp.reshape(x, batch.values.shape) for x in (predictions, targets))
        top, bottom, valid = self.terms(*both)
        batch, _ = without_invalid(batch, Within(top, valid))
        return self.replace(sums=self.sums.add(batch, top=top, bottom=bottom))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `outputs` with `multioutput="raw_values"`."""
        top, bottom = self.sums.read("top", "bottom")
        values = quotient_or(top, bottom, self.undefined)
        return over_columns(values, self.multioutput)


@final
class WeightedMAPE(AbstractRatioError, init=False):
    r"""The sum of the absolute errors relative to that of the targets:
    $\sum_i w_i |p_i - t_i| / \sum_i w_i |t_i|$.

    **Arguments:**

    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `4 * prod(outputs) + 2` floats. Undefined when: no row was seen, or all targets are
    0. Source: Kolassa and Schütz, "Advantages of the MAD/Mean ratio over the MAPE", 2007.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        wmape = eqm.WeightedMAPE()
        assert wmape(predictions=jnp.array([1.0, 1.0]), targets=jnp.array([4.0, 0.0])) == 1.0
        ```
    """

    valid: ClassVar[str] = "weights >= 0 and finite"

    def terms(self, predictions: Array, targets: Array) -> tuple[Array, Array, Array]:
        always = jnp.ones(targets.shape, bool)
        size = jnp.abs(targets.astype(jnp.float32))
        return jnp.abs(minus(predictions, targets)), size, always


@final
class CriticalSuccessIndex(AbstractRatioError):
    r"""The critical success index (threat score) of an event, a value of at least `threshold`:
    hits / (hits + misses + false alarms). Rows where the event was neither predicted nor observed
    don't count.

    **Arguments:**

    - `threshold`: values of at least this are the event.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `4 * prod(outputs) + 2` floats. Undefined when: the event was never predicted nor
    observed. Rows with NaN are invalid.
    Source: Gilbert, "Finley's tornado predictions", 1884; Schaefer, "The critical success
    index as an indicator of warning skill", 1990.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        csi = eqm.CriticalSuccessIndex(threshold=0.5)
        value = csi(predictions=jnp.array([0.9, 0.6, 0.1]), targets=jnp.array([1.0, 0.0, 0.0]))
        assert value == 0.5
        ```
    """

    valid: ClassVar[str] = "predictions and targets without NaN, weights >= 0 and finite"
    threshold: float = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        threshold: float,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        if math.isnan(threshold):
            raise ValueError(f"threshold={threshold}: expected a number.")
        AbstractRatioError.__init__(
            self, outputs=outputs, multioutput=multioutput, undefined=undefined
        )
        self.threshold = float(threshold)

    def terms(self, predictions: Array, targets: Array) -> tuple[Array, Array, Array]:
        forecast, observed = (reaches(x, self.threshold) for x in (predictions, targets))
        # Not of their sum: infinities of both signs are valid.
        valid = ~(jnp.isnan(predictions) | jnp.isnan(targets))
        return forecast & observed, forecast | observed, valid
