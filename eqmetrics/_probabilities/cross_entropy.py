from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Float32

from .._custom_types import Input, Mask, Weights
from .._decisions.inputs import Inputs, PREDICTED, says_something, scores_of
from .._decisions.task import AbstractTask, Binary, Multiclass
from .._metric.messages import describe
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.quotient import over, xlogy
from .._rows.rows import flat, Rows, rows
from .proper_scores import average_problems, check_label_average, LabelAverage


def _of_classes(x: Array, q: Array, are_logits: bool) -> Float32[Array, "rows 1"]:
    if not are_logits:
        return -jnp.sum(xlogy(q, x), axis=-1, keepdims=True)
    # Less the largest, which doesn't change the softmax; infinite logits share the probability 1.
    top = lax.stop_gradient(jnp.max(x, axis=-1, keepdims=True))
    infinite = (x == top) & jnp.isinf(top)
    less = jnp.where(infinite, 0, x - jnp.where(infinite, 0, top))
    whole = jnp.log(jnp.sum(jnp.exp(less), axis=-1, keepdims=True))
    each = jnp.where(q > 0, q * (whole - jnp.where(q > 0, less, 0)), 0)
    return jnp.sum(each, axis=-1, keepdims=True)


def _of_each(x: Array, q: Array, are_logits: bool) -> Float32[Array, "rows problems"]:
    if not are_logits:
        return -xlogy(q, x) - xlogy(1 - q, 1 - x)
    yes = jnp.where(q > 0, q * jax.nn.softplus(jnp.where(q > 0, -x, 0)), 0)
    return yes + jnp.where(q < 1, (1 - q) * jax.nn.softplus(jnp.where(q < 1, x, 0)), 0)


@final
class CrossEntropy(Metric):
    r"""The mean cross-entropy of probabilities and target probabilities, in nats: the log loss of
    soft labels.

    Multiclass $-\sum_c q_{ic} \log p_{ic}$; binary and multilabel
    $-q_i \log p_i - (1 - q_i) \log (1 - p_i)$. With targets of 0 and 1 it is
    [`eqmetrics.LogLoss`][]. A probability of 0 costs infinity where the target isn't 0.

    **Arguments:**

    - `task`: [`eqmetrics.Binary`][], [`eqmetrics.Multiclass`][] or [`eqmetrics.Multilabel`][],
        without `ignore_index`: use a mask instead.
    - `smoothing`: the label smoothing $\epsilon$, the share of each target that is first spread
        evenly over the classes.
    - `average`: for a multilabel task, `"macro"`, the mean over the labels where it is defined,
        or `None`, for each label.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats; 4 a label if the task is multilabel, and 2 for the invalid rows.
    Undefined when: no row was seen.
    Source: Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016, for
    the smoothing.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        loss = eqm.CrossEntropy(eqm.Multiclass(2))
        p = jnp.array([[0.5, 0.5], [0.25, 0.75]])
        value = loss(probabilities=p, targets=jnp.array([[0.5, 0.5], [1.0, 0.0]]))
        assert abs(value - (jnp.log(2) + jnp.log(4)) / 2) < 1e-6
        ```
    """

    task: AbstractTask = eqx.field(static=True)
    smoothing: float = eqx.field(static=True)
    average: LabelAverage = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(
        self,
        task: AbstractTask,
        *,
        smoothing: float = 0.0,
        average: LabelAverage = "macro",
        undefined: float | None = None,
    ):
        check_label_average(average)
        if not 0 <= smoothing <= 1:
            raise ValueError(f"smoothing={smoothing}: expected a share, from 0 to 1.")
        if task.ignore_index is not None:
            raise ValueError(
                f"`CrossEntropy` got {task}: targets are probabilities, of which none is a label "
                "to be ignored. Leave it out, and pass `mask=labels != ignore_index`."
            )
        self.task = task
        self.smoothing = smoothing
        self.average = average
        self.undefined = undefined
        problems = 1 if isinstance(task, Multiclass) else task.classes
        scores = "scores without NaN, probabilities and targets in [0, 1]"
        self.sums = Sums(f"{scores}, weights >= 0 and finite", loss=problems, weight=())

    def _scores(self, inputs: Inputs) -> tuple[Rows, Array, Array, bool]:
        """The rows, their scores and targets, and whether the scores are logits."""
        name, x = scores_of(inputs, PREDICTED[:2])
        q = inputs.labels
        shape = () if isinstance(self.task, Binary) else (self.task.classes,)
        if x.shape != q.shape or q.shape[q.ndim - len(shape) :] != shape:
            axes = ("*rows", *map(str, shape))
            raise TypeError(
                f"`targets` is {describe(q)} and `{name}` is {describe(x)}: expected both of the "
                f"shape ({', '.join(axes)}). Labels that are classes become targets by "
                "`jax.nn.one_hot(labels, num_classes)`."
            )
        batch = rows(q, inputs.mask, inputs.weights, shape, "targets")
        x, q = (flat(y.astype(jnp.float32), shape).reshape(-1, self.task.classes) for y in (x, q))
        good = says_something(name, x) & (q >= 0) & (q <= 1)
        return batch.without(~jnp.all(good, axis=-1)), x, q, name == "logits"

    def update(
        self,
        *,
        targets: Float[Input, "..."],
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits` and `probabilities`. They and `targets`, probabilities too,
        have the shape of the rows, for multiclass and multilabel tasks with an additional last axis
        of classes or labels. `mask` and `weights` have the shape of the rows."""
        inputs = Inputs(targets, logits, probabilities, None, mask, weights)
        batch, x, q, are_logits = self._scores(inputs)
        keep: Bool[Array, "rows 1"] = jnp.ones((x.shape[0], 1), bool)
        if batch.mask is not None:
            keep = batch.mask[:, None]
        x = jnp.where(keep, x, 0 if are_logits else 0.5)
        q = jnp.where(keep, q, 0)
        one = isinstance(self.task, Multiclass)
        if self.smoothing > 0:
            even = self.smoothing / (self.task.classes if one else 2)
            q = (1 - self.smoothing) * q + even
        loss = (_of_classes if one else _of_each)(x, q, are_logits)
        return self.replace(sums=self.sums.add(batch, loss=loss, weight=1))

    def compute(self) -> Float32[Array, "..."]:
        """A scalar; of shape `(labels,)` if `average` is `None` and the task is multilabel."""
        loss, weight = self.sums.read("loss", "weight")
        mean = over(loss, weight)
        some = jnp.broadcast_to(weight > 0, mean.shape)
        return average_problems(mean, some, self.task, self.average, self.undefined)
