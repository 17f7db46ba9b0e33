import functools as ft
import itertools
from typing import Any, final, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int32

from .._collection.route import arguments_of, update_of
from .._custom_types import Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._rows.rows import flat
from .._wrap.inside import of_fixed_size
from ._signals import signals


MOST = 6  # sources: 720 permutations


def of_sources(name: str, metric: Metric) -> None:
    """Raises an error if `metric` isn't a metric of predictions and targets."""
    of_fixed_size(name, metric)
    takes = arguments_of(metric)
    if not {"predictions", "targets"} <= takes.keys():
        raise TypeError(
            f"`{name}` got a `{type(metric).__qualname__}`, which takes {', '.join(takes)}: "
            "expected a metric of `predictions` and `targets`, such as `eqm.audio.SISDR()`."
        )


@ft.cache
def _permutations(sources: int) -> np.ndarray:
    return np.array(list(itertools.permutations(range(sources))), np.int32)


def _best(values: Float32[Array, "rows sources sources"]) -> Int32[Array, "rows sources"]:
    """For each target the number of its prediction, so that the sum of the values is largest. The
    first axis of `values` after the rows is the predictions. A value that is NaN, as a silent
    target may have, counts as 0."""
    table = _permutations(values.shape[-1])
    each = values[:, table, np.arange(values.shape[-1], dtype=np.int32)[None, :]]
    infinite = jnp.isinf(each)
    # The number of infinities decides first, since other values don't change an infinite sum.
    most = jnp.sum(jnp.where(infinite, jnp.sign(each), 0), axis=-1)
    rest = jnp.sum(jnp.where(jnp.isfinite(each), each, 0), axis=-1)
    first = most == jnp.max(most, axis=-1, keepdims=True)
    return jnp.asarray(table)[jnp.argmax(jnp.where(first, rest, -jnp.inf), axis=-1)]


@ft.partial(jax.jit, static_argnames="mode")
def _chosen(metric: Any, p: Array, t: Array, mask: Any, mode: str) -> Int32[Array, "rows sources"]:
    def value(p, t, mask):
        given = {"predictions": p, "targets": t} | ({} if mask is None else {"mask": mask})
        return update_of(metric.reset(), given).compute()

    over = (0, 0, None if mask is None else 0)
    of_targets = jax.vmap(value, in_axes=(None, *over[1:]))
    of_pairs = jax.vmap(jax.vmap(of_targets, in_axes=(0, None, None)), in_axes=over)
    values = of_pairs(p, t, mask)
    if values.shape != (*p.shape[:2], p.shape[1]):
        raise TypeError(
            f"`PermutationInvariant`: the value of `{type(metric).__qualname__}` for one signal "
            f"has the shape {values.shape[3:]}, expected one number."
        )
    return _best(values if mode == "max" else -values)


@final
class PermutationInvariant(Metric):
    """The value of a metric of separated sources, if the predictions may be in any order. Those of
    each mixture are put in the best order, and then passed to the metric.

    The best order has the largest sum of the values of single sources. Each mixture has its own
    order: one order for a whole batch isn't what papers report.

    **Arguments:**

    - `metric`: a metric of one prediction and one target, such as [`eqmetrics.audio.SISDR`][]. It
        is computed for each pair of a prediction and a target, and then updated with the chosen
        pairs.
    - `sources`: how many sources there are, 1 to 6. All permutations are tried.
    - `mode`: `"max"` if larger values are better, or `"min"`, for distances.

    The gradient is that of the metric in the chosen order.
    State: that of the metric. Undefined when: the metric is undefined. Pairs without a value count
    as 0 in the sum.
    Source: Kolbæk et al., "Multitalker speech separation with utterance-level permutation invariant
    training of deep recurrent neural networks", 2017.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        metric = eqm.audio.PermutationInvariant(eqm.audio.SNR(), 2)
        targets = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])  # one mixture of two sources
        value = metric(predictions=0.9 * targets[:, ::-1], targets=targets)
        assert abs(value - 20) < 1e-4
        ```
    """

    sources: int = eqx.field(static=True)
    mode: Literal["max", "min"] = eqx.field(static=True)
    metric: Metric

    def __init__(self, metric: Metric, sources: int, *, mode: Literal["max", "min"] = "max"):
        of_sources("PermutationInvariant", metric)
        if not 1 <= sources <= MOST:
            raise ValueError(f"sources={sources}: expected 1 to {MOST}: all orders are tried.")
        if mode not in ("max", "min"):
            raise ValueError(f"mode={mode!r}: expected 'max' or 'min'.")
        self.sources = sources
        self.mode = mode
        self.metric = metric.reset()

    def update(
        self, *, predictions: Values, targets: Values, mask: Mask = None, weights: Weights = None
    ) -> Self:
        """`predictions` and `targets` have shape `(*rows, sources, time)`; a row is a mixture. A
        `mask` with the shape of the rows removes mixtures; one with the shape of the targets
        removes samples. `weights` has the shape of the rows."""
        predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
        view = signals(predictions, targets, mask, weights, ("sources", "time"))
        if view.shape[0] != self.sources:
            raise TypeError(
                f"`predictions` is {describe(predictions)}, with {view.shape[0]} sources, expected "
                f"{self.sources}: (*rows, {self.sources}, time)."
            )
        # A mask of samples is that of the targets, whichever prediction is paired with them.
        p, t = (flat(x, view.shape) for x in lax.stop_gradient((predictions, targets)))
        if view.batch.mask is not None:
            p, t = (jnp.where(view.batch.mask[:, None, None], x, 0) for x in (p, t))
        order = _chosen(self.metric, p, t, view.keep, self.mode)
        order = order.reshape(predictions.shape[:-1])[..., None]
        ordered = jnp.take_along_axis(predictions, order, axis=-2)
        given = {"predictions": ordered, "targets": targets, "mask": mask, "weights": weights}
        given = {name: x for name, x in given.items() if x is not None}
        return self.replace(metric=update_of(self.metric, given))

    def compute(self) -> Any:
        """The value of the metric."""
        return self.metric.compute()
