from typing import ClassVar, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32

from .._custom_types import Input, Labels, Mask, Weights
from .._decisions.inputs import Inputs
from .._decisions.scores import Scores, scores_of
from .._decisions.softmax import has_losses, infinities, losses_of, softmax
from .._decisions.task import AbstractTask, Multiclass
from .._metric.metric import AbstractExact
from .._metric.readout import AbstractPartialStatistic, AbstractStatistic
from .._onepass.sums import Sums
from .._reduction.pair import Pair


def _log_loss(s: Scores) -> Float32[Array, "rows problems"]:
    """The loss of each yes or no; or of the label among all classes, as a column."""
    x, yes = s.scores, s.labels
    if s.labels.ndim == 1:
        label = jnp.where(s.taken, s.labels, 0)
        if s.are_logits:
            x = s.given
            return losses_of(x, label, s.taken, infinities(x))[:, None]
        return -jnp.log(jnp.take_along_axis(x, label[:, None], axis=-1))
    if s.are_logits:
        # -log sigmoid: no probability is computed, so none saturates.
        return jax.nn.softplus(jnp.where(yes, -x, x))
    return -jnp.where(yes, jnp.log(jnp.where(yes, x, 1)), jnp.log1p(-jnp.where(yes, 0, x)))


def _squared_error(s: Scores, yes: Bool[Array, "rows classes"]) -> Float32[Array, "rows problems"]:
    x = s.scores
    if s.labels.ndim == 1:
        p = softmax(s.given, s.taken) if s.are_logits else x
        return jnp.sum(jnp.where(yes, 1 - p, p) ** 2, axis=-1, keepdims=True)
    wrong = jax.nn.sigmoid(jnp.where(yes, -x, x)) if s.are_logits else jnp.where(yes, 1 - x, x)
    return wrong**2


class AbstractLosses(AbstractStatistic, AbstractExact):
    """Sums over the rows of losses of probabilities. A subclass names them."""

    names: eqx.AbstractClassVar[tuple[str, ...]]

    task: AbstractTask = eqx.field(static=True)
    sums: Sums

    def __init__(self, task: AbstractTask):
        self.task = task
        problems = 1 if isinstance(task, Multiclass) else task.classes
        shapes = {n: task.classes if n == "positives" else problems for n in self.names}
        self.sums = Sums(task.valid, **shapes)

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits` and `probabilities`; their shapes are the task's. `mask`
        and `weights` have the shape of the rows."""
        inputs = Inputs(labels, logits, probabilities, None, mask, weights)
        s = scores_of(self.task, inputs, has_losses)
        yes, taken = s.each()
        every = s.taken[:, None] if s.labels.ndim == 1 else taken
        columns = {
            "log_loss": lambda: jnp.where(every, _log_loss(s), 0),
            "squared_error": lambda: jnp.where(every, _squared_error(s, yes), 0),
            "positives": lambda: yes & taken,
            "weight": lambda: every,
        }
        return self.replace(sums=self.sums.add(s.batch, **{n: columns[n]() for n in self.names}))

    def exact(self) -> dict[str, Pair]:
        return {name: self.sums.pair(name) for name in self.names}

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of sums over the rows: `log_loss`, `squared_error` and `weight` of the task, or of
        each label; and `positives`, the weight of each class."""
        return self.sums.compute()


@final
class ProbabilityLosses(AbstractLosses, init=False):
    """The log loss and the squared error of probabilities, and how often each class occurs: the
    statistic of the scores relative to these, and, beside them in a `MetricDict`, of
    [`eqmetrics.LogLoss`][] and [`eqmetrics.Brier`][].

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].

    State: 8 floats and 2 a class; 8 a label if the task is multilabel, and 2 for the invalid rows.
    Undefined when: never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        losses = eqm.ProbabilityLosses(eqm.Binary())
        sums = losses(probabilities=jnp.array([0.5, 1.0]), labels=jnp.array([0, 1]))
        assert sums["squared_error"] == 0.25 and sums["weight"] == 2
        ```
    """

    names: ClassVar[tuple[str, ...]] = "log_loss", "squared_error", "positives", "weight"


class AbstractPartialLosses(AbstractLosses, AbstractPartialStatistic, init=False):
    """Some of the sums of [`eqmetrics.ProbabilityLosses`][]."""

    def larger(self) -> ProbabilityLosses:
        return ProbabilityLosses(self.task)

    @classmethod
    def read(cls, larger: ProbabilityLosses) -> Self:
        new, sums = cls(larger.task), {name: larger.sums.pair(name) for name in cls.names}
        return new.replace(sums=new.sums.read_from(larger.sums, **sums))


@final
class LogLosses(AbstractPartialLosses, init=False):
    """The sum of the log losses and the weight of the rows: the statistic that
    [`eqmetrics.LogLoss`][] reads.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].

    State: 6 floats; 4 a label if the task is multilabel, and 2 for the invalid rows. An
    [`eqmetrics.ProbabilityLosses`][] in the same `MetricDict` takes its place. Undefined when:
    never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        losses = eqm.LogLosses(eqm.Binary())
        sums = losses(logits=jnp.array([-50.0, 50.0]), labels=jnp.array([1, 1]))
        assert sums["log_loss"] == 50 and sums["weight"] == 2
        ```
    """

    names: ClassVar[tuple[str, ...]] = "log_loss", "weight"


@final
class BrierLosses(AbstractPartialLosses, init=False):
    """The sum of the squared errors of probabilities and the weight of the rows: the statistic that
    [`eqmetrics.Brier`][] reads.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][].

    State: 6 floats; 4 a label if the task is multilabel, and 2 for the invalid rows. An
    [`eqmetrics.ProbabilityLosses`][] in the same `MetricDict` takes its place. Undefined when:
    never; empty sums are 0.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        losses = eqm.BrierLosses(eqm.Binary())
        sums = losses(probabilities=jnp.array([0.5, 1.0]), labels=jnp.array([0, 1]))
        assert sums["squared_error"] == 0.25 and sums["weight"] == 2
        ```
    """

    names: ClassVar[tuple[str, ...]] = "squared_error", "weight"
