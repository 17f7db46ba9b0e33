"""Scores of one vector against another, on the last axis: one number a row."""

import abc
from typing import ClassVar, final, Self

import jax.numpy as jnp
from jaxtyping import Array, Float32

from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._rows.quotient import xlogy
from .mean_error import AbstractLossSums, Within
from .paired import paired


class AbstractVectorScore(AbstractLossSums):
    """The mean of a score of rows that are vectors. A subclass writes `score`."""

    def __init__(self, *, undefined: float | None = None):
        AbstractLossSums.__init__(self, undefined=undefined)

    @abc.abstractmethod
    def score(
        self, predictions: Float32[Array, "rows n"], targets: Float32[Array, "rows n"]
    ) -> Within:
        """The score of each row."""

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` are real, of shape `(*rows, n)`; `mask` and `weights` have
        the shape of the rows."""
        shape = jnp.shape(predictions)[-1:]
        if not shape:
            raise TypeError(
                f"`predictions` is {describe(predictions)}, expected vectors in the last axis."
            )
        batch, both = paired(predictions, targets, mask, weights, shape)
        return self.plus(batch, self.score(*both))

    def compute(self) -> Float32[Array, ""]:
        return self.overall(self.mean())


@final
class CosineSimilarity(AbstractVectorScore, init=False):
    r"""The mean cosine of the angle between prediction and target, vectors in the last axis:
    $\frac{p \cdot t}{\lVert p \rVert \lVert t \rVert}$.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats. Undefined when: the weights sum to 0. A vector of length 0 has no
    direction: the row is invalid (scikit-learn and torchmetrics say 0).
    Source: Salton and McGill, Introduction to Modern Information Retrieval, 1983.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        cosine = eqm.CosineSimilarity()
        p, t = jnp.array([[2.0, 0.0], [1.0, 0.0]]), jnp.array([[1.0, 0.0], [0.0, 1.0]])
        assert cosine(predictions=p, targets=t) == 0.5
        ```
    """

    valid: ClassVar[str] = "vectors that aren't 0, weights >= 0 and finite"

    def score(self, predictions: Array, targets: Array) -> Within:
        # In units of the largest entries, whose squares stay in the range of float32.
        units, some = [], jnp.ones(predictions.shape[0], bool)
        for x in (predictions, targets):
            size = jnp.max(jnp.abs(x), axis=1, keepdims=True, initial=0)
            x = x / jnp.where(size == 0, 1, size)
            units.append(x / jnp.sqrt(jnp.sum(x * x, axis=1, keepdims=True)))
            some &= ~jnp.all(x == 0, axis=1)
        return Within(jnp.sum(units[0] * units[1], axis=1), some)


def _shares(x: Array) -> tuple[Array, Array]:
    """The shares of the sum of each row; and which rows have shares."""
    total = jnp.sum(x, axis=1, keepdims=True)
    outside = jnp.any(x < 0, axis=1) | (total[:, 0] == 0)
    return x / total, ~outside


@final
class KLDivergence(AbstractVectorScore, init=False):
    r"""The mean Kullback-Leibler divergence of the predicted from the true distribution, in
    nats: $\sum_k t_k \ln(t_k / p_k)$.

    The last axis holds the probabilities of a distribution; each is divided by their sum, as in
    scipy and torchmetrics. The logarithms are natural.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats. Undefined when: the weights sum to 0. Infinite where the prediction is 0
    and the target isn't. Negative numbers, and rows of sum 0, are invalid.
    Source: Kullback and Leibler, "On information and sufficiency", 1951.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        kl = eqm.KLDivergence()
        value = kl(predictions=jnp.array([[0.5, 0.5]]), targets=jnp.array([[1.0, 0.0]]))
        assert abs(value - jnp.log(2.0)) < 1e-6
        ```
    """

    valid: ClassVar[str] = "numbers >= 0 that aren't all 0, weights >= 0 and finite"

    def score(self, predictions: Array, targets: Array) -> Within:
        (p, some), (t, others) = _shares(predictions), _shares(targets)
        return Within(jnp.sum(xlogy(t, t) - xlogy(t, p), axis=1), some & others)


@final
class JensenShannon(AbstractVectorScore, init=False):
    r"""The mean Jensen-Shannon divergence between the predicted and the true distribution, in
    nats, from 0 to $\ln 2$: with $m = (p + t) / 2$,
    $\frac12 \sum_k t_k \ln(t_k / m_k) + \frac12 \sum_k p_k \ln(p_k / m_k)$.

    This is the divergence, as in torchmetrics; scipy's `jensenshannon` is its square root. The last
    axis holds the probabilities of a distribution; each is divided by their sum.

    **Arguments:**

    - `undefined`: what replaces an undefined value; NaN if not given.

    State: 6 floats. Undefined when: the weights sum to 0. Negative numbers, and rows of sum 0,
    are invalid. Source: Lin, "Divergence measures based on the Shannon entropy", 1991.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        js = eqm.JensenShannon()
        value = js(predictions=jnp.array([[0.0, 1.0]]), targets=jnp.array([[1.0, 0.0]]))
        assert abs(value - jnp.log(2.0)) < 1e-6
        ```
    """

    valid: ClassVar[str] = "numbers >= 0 that aren't all 0, weights >= 0 and finite"

    def score(self, predictions: Array, targets: Array) -> Within:
        (p, some), (t, others) = _shares(predictions), _shares(targets)
        m = (p + t) / 2
        both = sum(xlogy(x, x) - xlogy(x, m) for x in (p, t))
        return Within(jnp.sum(both, axis=1) / 2, some & others)
