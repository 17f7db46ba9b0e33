from typing import Any, final, Self

import jax.numpy as jnp

from .._collection.route import update_of
from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from ._permutation import of_sources, PermutationInvariant


@final
class Improvement(Metric):
    """How much better the predictions are than the mixture: the value of a metric, minus its value
    if the mixture replaces each prediction. With [`eqmetrics.audio.SDR`][] it is SDRi, and with
    [`eqmetrics.audio.SISDR`][] it is SI-SDRi.

    **Arguments:**

    - `metric`: a metric of `predictions` and `targets`, or an
        [`eqmetrics.audio.PermutationInvariant`][], which orders only the predictions.

    The gradient is that of the value.
    State: twice that of the metric. Undefined when: the metric is undefined.
    Source: Luo and Mesgarani, "Conv-TasNet: surpassing ideal time-frequency magnitude masking for
    speech separation", 2019.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        targets = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
        metric = eqm.audio.Improvement(eqm.audio.SNR())
        value = metric(predictions=0.9 * targets, targets=targets, mixture=targets.sum(axis=1))
        assert abs(value - 20) < 1e-4  # the mixture has 0 dB
        ```
    """

    metric: Metric
    mixture: Metric

    def __init__(self, metric: Metric):
        of_sources("Improvement", metric)
        self.metric = metric.reset()
        inner = metric.metric if isinstance(metric, PermutationInvariant) else metric
        self.mixture = inner.reset()

    def update(
        self,
        *,
        predictions: Values,
        targets: Values,
        mixture: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`predictions`, `targets`, `mask` and `weights` are those of the metric. `mixture` has the
        shape of the targets; the axis of sources, the last but one, may be missing."""
        mixture, targets = jnp.asarray(mixture), jnp.asarray(targets)
        if mixture.shape == (*targets.shape[:-2], *targets.shape[-1:]) and targets.ndim > 1:
            mixture = jnp.broadcast_to(mixture[..., None, :], targets.shape)
        if mixture.shape != targets.shape:
            raise TypeError(
                f"`mixture` is {describe(mixture)} and `targets` is {describe(targets)}: a mixture "
                f"has their shape, or {(*targets.shape[:-2], *targets.shape[-1:])}, without the "
                "sources."
            )
        given = {"targets": targets, "mask": mask, "weights": weights}
        given = {name: x for name, x in given.items() if x is not None}
        return self.replace(
            metric=update_of(self.metric, {"predictions": predictions, **given}),
            mixture=update_of(self.mixture, {"predictions": mixture, **given}),
        )

    def compute(self) -> Any:
        """The difference of the two values, of the shape of the metric's value."""
        return self.metric.compute() - self.mixture.compute()
