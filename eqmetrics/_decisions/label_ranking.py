import abc
from typing import final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from .._custom_types import Input, Labels, Mask, Weights
from .._rows.row_mean import AbstractRowMean
from .inputs import Inputs
from .scores import scores_of
from .task import Multilabel


def _count(x: Array) -> Float32[Array, "rows ..."]:
    return jnp.sum(x.astype(jnp.float32), axis=-1)


def _coverage(x: Array, yes: Array, no: Array) -> Float32[Array, "rows"]:
    least = jnp.min(jnp.where(yes, x, jnp.inf), axis=-1, keepdims=True)
    depth = _count((yes | no) & (x >= least))
    return jnp.where(jnp.any(yes, axis=-1), depth, 0)


def _precision(x: Array, yes: Array, no: Array) -> Float32[Array, "rows"]:
    above = x[:, None, :] >= x[:, :, None]
    right, every = (_count(above & some[:, None, :]) for some in (yes, yes | no))
    own = jnp.where(yes, right / jnp.maximum(every, 1), 0)
    both = jnp.any(yes, axis=-1) & jnp.any(no, axis=-1)
    return jnp.where(both, jnp.sum(own, axis=-1) / jnp.maximum(_count(yes), 1), 1)


def _loss(x: Array, yes: Array, no: Array) -> Float32[Array, "rows"]:
    wrong = (x[:, None, :] >= x[:, :, None]) & no[:, None, :] & yes[:, :, None]
    pairs = _count(yes) * _count(no)
    return jnp.sum(_count(wrong), axis=-1) / jnp.maximum(pairs, 1)


class AbstractLabelRanking(AbstractRowMean):
    """The mean over the rows of a score of their ranking. A subclass says which, in `of_row`."""

    task: Multilabel = eqx.field(static=True)

    def __init__(self, task: Multilabel, *, undefined: float | None = None):
        self.task = task
        AbstractRowMean.__init__(self, task.valid, undefined=undefined)

    def update(
        self,
        *,
        labels: Labels,
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits` and `probabilities`, of the shape of `labels`. `mask` and
        `weights` have the shape of the rows."""
        s = scores_of(self.task, Inputs(labels, logits, probabilities, None, mask, weights))
        values = self.of_row(s.scores, s.labels & s.taken, ~s.labels & s.taken)
        return self.plus(s.batch, values)

    @staticmethod
    @abc.abstractmethod
    def of_row(x: Array, yes: Array, no: Array) -> Float32[Array, "rows"]:
        """The score of each row, from its scores, and which labels are relevant and which not."""


@final
class CoverageError(AbstractLabelRanking, init=False):
    r"""How far down the ranking of a row one must go to find all of its relevant labels, on
    average: the number of labels scored at least as high as the lowest relevant one.

    A row without relevant labels counts 0, as in scikit-learn. The best value is the mean number
    of relevant labels.

    **Arguments:**

    - `task`: [`eqmetrics.Multilabel`][]. Ignored entries are left out of their rows.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no row was seen.
    Source: Tsoumakas, Katakis and Vlahavas, "Mining multi-label data", 2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        coverage = eqm.CoverageError(eqm.Multilabel(3))
        value = coverage(logits=jnp.array([[3.0, 2.0, 1.0]]), labels=jnp.array([[1, 0, 1]]))
        assert value == 3
        ```
    """

    @staticmethod
    def of_row(x: Array, yes: Array, no: Array) -> Float32[Array, "rows"]:
        return _coverage(x, yes, no)


@final
class LabelRankingAveragePrecision(AbstractLabelRanking, init=False):
    r"""The share of relevant labels among those ranked at least as high as a relevant label,
    averaged over the relevant labels of a row, and over the rows.

    A row in which all labels are relevant, or none, counts 1, as in scikit-learn.

    **Arguments:**

    - `task`: [`eqmetrics.Multilabel`][]. Ignored entries are left out of their rows.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no row was seen. An update compares all
    pairs of labels of a row.
    Source: Schapire and Singer, "BoosTexter: a boosting-based system for text categorization",
    2000.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        precision = eqm.LabelRankingAveragePrecision(eqm.Multilabel(3))
        value = precision(logits=jnp.array([[3.0, 2.0, 1.0]]), labels=jnp.array([[1, 0, 1]]))
        assert abs(value - (1 + 2 / 3) / 2) < 1e-6
        ```
    """

    @staticmethod
    def of_row(x: Array, yes: Array, no: Array) -> Float32[Array, "rows"]:
        return _precision(x, yes, no)


@final
class LabelRankingLoss(AbstractLabelRanking, init=False):
    r"""The share of pairs of a relevant and an irrelevant label of a row that are in the wrong
    order, averaged over the rows. Tied pairs are wrong.

    A row in which all labels are relevant, or none, counts 0, as in scikit-learn.

    **Arguments:**

    - `task`: [`eqmetrics.Multilabel`][]. Ignored entries are left out of their rows.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: 6 floats. Undefined when: no row was seen. An update compares all
    pairs of labels of a row.
    Source: Tsoumakas, Katakis and Vlahavas, "Mining multi-label data", 2010.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        loss = eqm.LabelRankingLoss(eqm.Multilabel(3))
        value = loss(logits=jnp.array([[3.0, 2.0, 1.0]]), labels=jnp.array([[1, 0, 1]]))
        assert value == 0.5
        ```
    """

    @staticmethod
    def of_row(x: Array, yes: Array, no: Array) -> Float32[Array, "rows"]:
        return _loss(x, yes, no)
