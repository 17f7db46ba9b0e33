from typing import final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from .._custom_types import Input, Mask, Weights
from .._metric.metric import Metric
from .._onepass.sums import Sums
from .._rows.quotient import over, xlogy
from .._rows.rows import rows, undefined_as


@final
class InceptionScore(Metric):
    r"""How certain a classifier is about each generated sample, and how much the samples differ:
    $\exp\big(\frac1n \sum_i \mathrm{KL}(p_i \,\Vert\, \bar p)\big)$, with the class probabilities
    $p_i$ and their mean $\bar p$. From 1, if all samples have the same probabilities, to the number
    of classes.

    The value is exactly that of all rows together, however they are split into batches.
    Implementations that average over ten splits of the rows give smaller values: for these use ten
    metrics, or an `eqm.PerGroup` whose group is the split.

    **Arguments:**

    - `num_classes`: how many classes there are.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is that of the value.
    State: `2 * num_classes + 6` floats. Undefined when: the weights sum to 0. A row with NaN, or a
    probability outside $[0, 1]$, is invalid.
    Source: Salimans et al., "Improved techniques for training GANs", 2016.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        score = eqm.generative.InceptionScore(2)
        assert abs(score(probabilities=jnp.eye(2)) - 2) < 1e-6
        ```
    """

    num_classes: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_classes: int, *, undefined: float | None = None):
        if num_classes < 1:
            raise ValueError(f"num_classes={num_classes}: expected at least one class.")
        self.num_classes = num_classes
        self.undefined = undefined
        valid = "logits without NaN or probabilities in [0, 1], weights >= 0 and finite"
        self.sums = Sums(valid, probabilities=num_classes, negative_entropy=(), weight=())

    def update(
        self,
        *,
        logits: Float[Input, "..."] | None = None,
        probabilities: Float[Input, "..."] | None = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """Takes exactly one of `logits` and `probabilities`, of shape `(*rows, num_classes)`;
        `mask` and `weights` have the shape of the rows."""
        if (logits is None) == (probabilities is None):
            both = "both" if logits is not None else "neither"
            raise TypeError(
                f"Exactly one of `logits` and `probabilities` says what was predicted; got {both}. "
                "Leave one out with `metric.from_output(logits=None)`."
            )
        shape = (self.num_classes,)
        if logits is not None:
            batch = rows(logits, mask, weights, shape, "logits")
            x = batch.values.astype(jnp.float32)
            # With two logits of +inf it isn't known which class has the probability.
            batch = batch.without(jnp.any(jnp.isnan(x) | (x == jnp.inf), axis=1))
            batch = batch.without(jnp.all(x == -jnp.inf, axis=1))
            logs = jax.nn.log_softmax(_of_rows(x, batch.mask), axis=1)
            p = jnp.exp(logs)
            entropy = jnp.sum(jnp.where(p > 0, p * jnp.where(p > 0, logs, 0), 0), axis=1)
        else:
            batch = rows(probabilities, mask, weights, shape, "probabilities")
            x = batch.values.astype(jnp.float32)
            batch = batch.without(~jnp.all((x >= 0) & (x <= 1), axis=1))
            p = _of_rows(x, batch.mask)
            entropy = jnp.sum(xlogy(p, p), axis=1)
        sums = self.sums.add(batch, probabilities=p, negative_entropy=entropy, weight=1)
        return self.replace(sums=sums)

    def compute(self) -> Float32[Array, ""]:
        p, entropy, weight = self.sums.read("probabilities", "negative_entropy", "weight")
        mean = over(p, weight[None])
        divergence = over(entropy, weight) - jnp.sum(xlogy(mean, mean))
        # Rounding must not take it below its minimum.
        value = jnp.exp(jnp.maximum(divergence, 0))
        return undefined_as(value, weight == 0, self.undefined)


def _of_rows(x: Array, mask: Array | None) -> Float32[Array, "rows classes"]:
    """The rows, 0 where one doesn't take part."""
    return x if mask is None else jnp.where(mask[:, None], x, 0)
