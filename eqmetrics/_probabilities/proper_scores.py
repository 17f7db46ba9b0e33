from typing import ClassVar, final, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._decisions.average import mean_of
from .._decisions.task import AbstractTask, Binary, Multiclass
from .._metric.readout import AbstractReadout
from .._rows.quotient import over
from .._rows.rows import undefined_as
from .probability_losses import AbstractLosses, BrierLosses, LogLosses


LabelAverage = Literal["macro"] | None


def check_label_average(average: LabelAverage) -> None:
    if average not in ("macro", None):
        raise ValueError(f"average={average!r}: expected 'macro', the mean over labels, or None.")


def average_problems(
    values: Float32[Array, "problems"],
    defined: Array,
    task: AbstractTask,
    average: LabelAverage,
    undefined: float | None,
) -> Float32[Array, "..."]:
    """The value of a task, or for a multilabel task that of each label or their mean."""
    if isinstance(task, (Binary, Multiclass)):
        return undefined_as(values, ~defined, undefined)[0]
    if average is None:
        return undefined_as(values, ~defined, undefined)
    return mean_of(values, defined.astype(jnp.float32), undefined)


class AbstractProperScore(AbstractReadout):
    """A readout of losses of probabilities. A subclass says of which (`reads`) and writes
    `compute`."""

    reads: eqx.AbstractClassVar[type[AbstractLosses]]

    task: AbstractTask = eqx.field(static=True)
    average: LabelAverage = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    statistic: AbstractLosses

    def __init__(
        self,
        task: AbstractTask,
        *,
        average: LabelAverage = "macro",
        undefined: float | None = None,
    ):
        check_label_average(average)
        self.task = task
        self.average = average
        self.undefined = undefined
        self.statistic = self.reads(task)


def _mean_loss(score: AbstractProperScore, name: str) -> Float32[Array, "..."]:
    sums = score.statistic.compute()
    weight = sums["weight"]
    return average_problems(
        over(sums[name], weight), weight > 0, score.task, score.average, score.undefined
    )


@final
class LogLoss(AbstractProperScore, init=False):
    r"""The mean negative log-probability of the label, in nats: $-\frac1n \sum_i \log p_i(y_i)$.

    Logits aren't made into probabilities, which would saturate: the loss of a logit of -50 is 50. A
    probability of 0 for what happened costs infinity (scikit-learn clips it).

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: for a multilabel task, `"macro"`, the mean over the labels where it is defined,
        or `None`, for each label.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.LogLosses`][], shared.
    Undefined when: no row was seen.
    Source: Good, "Rational decisions", 1952.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        loss = eqm.LogLoss(eqm.Binary())
        value = loss(probabilities=jnp.array([0.5, 1.0]), labels=jnp.array([0, 1]))
        assert abs(value - jnp.log(2) / 2) < 1e-6
        ```
    """

    reads: ClassVar[type[AbstractLosses]] = LogLosses

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(labels,)` if `average` is `None` and the task is multilabel."""
        return _mean_loss(self, "log_loss")


@final
class Brier(AbstractProperScore, init=False):
    r"""The mean squared error of the probabilities.

    For a binary task $(p_i - y_i)^2$, from 0 to 1; multiclass $\sum_c (p_{ic} - [y_i = c])^2$, from
    0 to 2, as Brier and scikit-learn define it; two classes give twice the binary value.
    (scikit-learn 1.7 to 1.9 halves it for two classes, also with probabilities of shape
    `(rows, 2)`, unless `scale_by_half=False`: `Multiclass(2)` gives that value, `Binary()` its
    default.)

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].
    - `average`: for a multilabel task, `"macro"`, the mean over the labels where it is defined,
        or `None`, for each label.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: that of [`eqmetrics.BrierLosses`][], shared.
    Undefined when: no row was seen.
    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        brier = eqm.Brier(eqm.Binary())
        value = brier(probabilities=jnp.array([0.5, 1.0]), labels=jnp.array([0, 1]))
        assert abs(value - 0.125) < 1e-6
        ```
    """

    reads: ClassVar[type[AbstractLosses]] = BrierLosses

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(labels,)` if `average` is `None` and the task is multilabel."""
        return _mean_loss(self, "squared_error")
