import functools as ft
import math
from collections.abc import Sequence
from typing import Any, final, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float32, Integer, UInt32

from .._collection.ordered import plain_dicts
from .._collection.route import update_of
from .._custom_types import Input
from .._metric.checks import to_array
from .._metric.field import stacked, state
from .._metric.messages import describe
from .._metric.metric import AbstractRelay, AbstractWrapper, Metric
from .._metric.node import rebuild
from .._metric.numbers import check_whole
from .._onepass.apart import NotASum, update_replicates
from .._reduction import AbstractReduction
from .._reduction.base import zeros
from .._reduction.pair import inlined
from .._reduction.reduce import stack
from .._rows.quotient import over, root
from .inside import as_floats, is_ordered, needs, of_fixed_size, taken_by, values_of


class _OneStream(AbstractReduction):
    """A count that numbers rows. It can't be merged: two streams would have the same numbers."""

    def identity(self, arrays):
        return zeros(arrays)

    def merge(self, left, right):
        raise self._refusal()

    def across(self, arrays, size):
        raise self._refusal()
        yield  # makes this a generator

    def check(self, dtype):
        return None

    def _refusal(self):
        return TypeError(
            "A `Bootstrap` without row ids can't be merged or reduced: both sides have drawn the "
            "same weights, and their sum would show too small an error. Build it with `ids=True` "
            "and pass `ids`, a different integer for each row."
        )


class _Stream(Metric):
    """Numbers the rows of one stream in their order."""

    rows: UInt32[Array, ""] = state(reduce=_OneStream())

    def __init__(self):
        self.rows = jnp.zeros((), jnp.uint32)

    def update(self, real: Array) -> Self:
        return self.replace(rows=self.rows + jnp.sum(real, dtype=jnp.uint32))

    def compute(self) -> UInt32[Array, ""]:
        return self.rows


# The weight is k if the random bits lie in [F(k - 1), F(k)), where F is the distribution function
# of the Poisson distribution with mean 1. 16 bits take half the work of 32: the mean is wrong by
# less than 1e-5, and the largest weight is 8.
_CUMULATED = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(8)])
_STEPS = tuple(np.round(_CUMULATED * 2**16).astype(int).tolist())


@ft.partial(inlined, static_argnames="samples")
def _poisson(key: Array, ids: Array, samples: int) -> Float32[Array, "samples ..."]:
    flat = ids.ravel().astype(jnp.uint32)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(flat)
    bits = jax.vmap(lambda k: jax.random.bits(k, (samples,), jnp.uint16))(keys)
    counts = sum((bits >= step).astype(jnp.float32) for step in _STEPS if step < 2**16)
    return jnp.moveaxis(jnp.asarray(counts).reshape(*ids.shape, samples), -1, 0)


# The number of entries that are computed at once.
_AT_ONCE = 2**22


@inlined
def _resampled(metric: Any, weights: Array, outputs: dict[str, Any]) -> Any:
    """A stack of metrics, each updated with these rows with its own weights."""
    samples = weights.shape[0]
    if "weights" not in outputs and weights.size <= _AT_ONCE:
        try:
            return update_replicates(update_of, metric, outputs, weights.reshape(samples, -1))
        except NotASum:
            pass
    if "weights" in outputs:
        weights = weights * outputs["weights"].astype(jnp.float32)[None]

    def one(both):
        m, w = both
        return update_of(m, outputs | {"weights": w})

    size = max(1, min(samples, _AT_ONCE * samples // max(weights.size, 1)))
    return jax.lax.map(one, (metric, weights), batch_size=size)


@final
class Bootstrap(AbstractWrapper):
    r"""A metric with its standard error and a confidence interval, by the Poisson bootstrap: in
    each of `samples` replicates every row has a random weight from the Poisson distribution with
    mean 1.

    With `ids=True`, `update` takes `ids`, a different integer for each row. The weights are a
    function of key, id and replicate only, so the result doesn't depend on batches, merges or
    devices. Without `ids`, rows are numbered in their order: for a single stream, which can't be
    merged.

    **Arguments:**

    - `metric`: any metric that takes `weights`. Only its configuration is used, not its state.
    - `samples`: the number of replicates.
    - `key`: a `jax.random.key`; the same key gives the same bits.
    - `ids`: whether `update` takes `ids`, integers of the shape of the rows.
    - `confidence`: the share of the replicates between `low` and `high`.
    - `quantiles`: probabilities; the value then also contains these `quantiles` of the replicates,
        along a leading axis.

    `replicate_values()` returns the values of all replicates, for a plot or another interval.

    State: `samples + 1` times that of the metric. Use a smaller `resolution` for a metric of
    curves: 200 times 3 MiB are 600 MiB. Undefined when: for `value`, if the metric is. Replicates
    without a value are left out and counted in `undefined`; with fewer than two there is no error.
    Source: Hanley and MacGibbon, "Creating non-parametric bootstrap samples using Poisson
    frequencies", 2006; Efron, "Bootstrap methods", 1979 (percentile interval).

    !!! example

        ```python
        import eqmetrics as eqm, jax, jax.numpy as jnp
        mean = eqm.Bootstrap(eqm.Average(), samples=100, key=jax.random.key(0), ids=True)
        value = mean(values=jnp.arange(50.0), ids=jnp.arange(50))
        assert value["low"] < value["value"] == 24.5 < value["high"]
        ```
    """

    samples: int = eqx.field(static=True)
    # Static, so that states with different keys can't be merged.
    seed: tuple[str, tuple[int, ...]] = eqx.field(static=True)
    ids: bool = eqx.field(static=True)
    confidence: float = eqx.field(static=True)
    quantiles: tuple[float, ...] = eqx.field(static=True)
    metric: Metric
    stream: _Stream | None
    replicates: Metric = stacked("samples", counted=False)

    def __init__(
        self,
        metric: Metric,
        samples: int = 200,
        *,
        key: Array,
        ids: bool = False,
        confidence: float = 0.95,
        quantiles: Sequence[float] = (),
    ):
        check_whole("samples", samples, 2)
        if not 0 < confidence < 1:
            raise ValueError(f"confidence={confidence!r}: expected a share between 0 and 1.")
        if not all(0 <= q <= 1 for q in quantiles):
            raise ValueError(f"quantiles={quantiles!r}: expected shares from 0 to 1.")
        of_fixed_size("Bootstrap", metric)
        needs("Bootstrap", metric, "weights", "gives each replicate its rows by weights")
        if is_ordered(metric):
            raise TypeError(
                f"`Bootstrap` draws rows, and `{type(metric).__qualname__}` is of moments in time."
            )
        taken_by("Bootstrap", metric, *(("ids",) if ids else ()))
        self.samples = samples
        self.seed = static_key("Bootstrap", key)
        self.ids = ids
        self.confidence = confidence
        self.quantiles = tuple(float(q) for q in quantiles)
        self.metric = metric.reset()
        self.stream = None if ids else _Stream()
        self.replicates = stack(metric, samples)

    def arguments(self) -> dict[str, bool]:
        return taken_by("Bootstrap", self.metric, *(("ids",) if self.ids else ()))

    def update(self, *args: Any, ids: Integer[Input, "..."] | None = None, **outputs: Any) -> Self:
        changes: dict[str, Any] = {"metric": update_of(self.metric, outputs)}
        if self.stream is not None:
            real = _real(self.metric, outputs)
            place = jnp.cumsum(real.ravel(), dtype=jnp.uint32).reshape(real.shape) - 1
            ids = self.stream.rows + place
            changes["stream"] = self.stream.update(real)
        if ids is None:
            raise TypeError("`Bootstrap`: `ids` is None, expected an integer for each row.")
        ids = jnp.asarray(ids)
        key = key_of(self.seed)
        weights = _poisson(key, ids, self.samples)

        def update(metric: Any, outputs: dict[str, Any]) -> Any:
            if isinstance(metric, AbstractRelay):
                return metric.relay(outputs, update)
            outputs = {name: x for name, x in outputs.items() if x is not None}
            for name in ("mask", "weights"):
                if name in outputs and jnp.shape(outputs[name]) != ids.shape:
                    raise TypeError(
                        f"`Bootstrap`: `{name}` is {describe(outputs[name])} and `ids` is "
                        f"{describe(ids)}: each row has one of both."
                    )
            return _resampled(metric, weights, {n: to_array(n, x) for n, x in outputs.items()})

        changes["replicates"] = update(self.replicates, outputs)
        return rebuild(self, changes)

    def compute(self) -> dict[str, Any]:
        """A dict of `value`, `standard_error`, `low`, `high` and `undefined`, each with the
        structure of the metric's value; and of `quantiles` if they were given, along a leading
        axis."""
        values = values_of(self.replicates)
        tail = (1 - self.confidence) / 2

        def read(fn: Any) -> Any:
            return plain_dicts(jax.tree.map(lambda x: fn(as_floats(x)), values))

        found = {
            "value": self.metric.compute(),
            "standard_error": read(_spread),
            "low": read(lambda x: jnp.nanquantile(x, tail, axis=0)),
            "high": read(lambda x: jnp.nanquantile(x, 1 - tail, axis=0)),
            "undefined": read(lambda x: jnp.sum(jnp.isnan(x), axis=0).astype(jnp.float32)),
        }
        if self.quantiles:
            q = jnp.array(self.quantiles, jnp.float32)
            found["quantiles"] = read(lambda x: jnp.nanquantile(x, q, axis=0))
        return found

    def replicate_values(self) -> Any:
        """The value of each replicate, along a leading axis of `samples`; NaN if undefined."""
        return plain_dicts(values_of(self.replicates))


def _spread(x: Float32[Array, "samples ..."]) -> Array:
    known = ~jnp.isnan(x)
    some = jnp.sum(known, axis=0).astype(x.dtype)
    mean = over(jnp.sum(jnp.where(known, x, 0), axis=0), some)
    squares = jnp.where(known, x - mean[None], 0) ** 2
    variance = over(jnp.sum(squares, axis=0), jnp.maximum(some - 1, 0))
    return jnp.where(some > 1, root(variance), jnp.nan)


def static_key(wrapper: str, key: Any) -> tuple[str, tuple[int, ...]]:
    if isinstance(key, Tracer) or not isinstance(key, jax.Array):
        raise TypeError(
            f"`{wrapper}` got key={key!r}: expected a `jax.random.key(0)`, made outside of `jit`."
        )
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    data = jax.random.key_data(key) if typed else key
    name = str(jax.random.key_impl(key)) if typed else "threefry2x32"
    return name, tuple(np.asarray(data).tolist())


def key_of(seed: tuple[str, tuple[int, ...]]) -> Array:
    return jax.random.wrap_key_data(jnp.array(seed[1], jnp.uint32), impl=seed[0])


def _real(metric: Metric, outputs: dict[str, Any]) -> Array:
    """Which rows are counted: they have the shape of the mask or the weights, or of the output with
    the fewest axes."""
    for name in ("mask", "weights"):
        if (x := outputs.get(name)) is not None:
            return x if name == "mask" else jnp.ones(x.shape, bool)
    shapes = [jnp.shape(x) for x in jax.tree.leaves(outputs)]
    return jnp.ones(min(shapes, key=len), bool)
