"""Metrics that are wrong on purpose, with the law that each breaks."""

import abc
import sys
from typing import Any, Self

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int

import eqmetrics as eqm


Rows = Float[Array, "rows"]


class AbstractTotal(eqm.Metric):
    """A sum. The metrics below inherit from it, and define only what is wrong."""

    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total = jnp.zeros(())

    def compute(self) -> Float[Array, ""]:
        return self.total


class AbstractOwnMerge(eqm.Metric):
    total: Float[Array, ""] = eqm.state()

    def __init__(self):
        self.total = jnp.zeros(())

    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + jnp.sum(values))

    @abc.abstractmethod
    def merge(self, other: Any) -> Self: ...

    def compute(self) -> Float[Array, ""]:
        return self.total


class Grows(AbstractTotal):
    """Its state has another shape after an update."""

    def update(self, values: Rows) -> Self:
        return eqx.tree_at(lambda m: m.total, self, self.total[None] + values.sum())


class WeaklyTyped(AbstractTotal):
    def update(self, values: Rows) -> Self:
        return eqx.tree_at(lambda m: m.total, self, jnp.asarray(0.5) * values.shape[0])


class MovesToAMesh(AbstractTotal):
    """Its arrays keep shape and dtype, but their type in jax changes: it includes the mesh."""

    def update(self, values: Rows) -> Self:
        mesh = jax.make_mesh((1,), ("x",), axis_types=(AxisType.Explicit,))
        total = jax.device_put(self.total + values.sum(), NamedSharding(mesh, PartitionSpec()))
        return self.replace(total=total)


class ChangesItself(AbstractTotal):
    def update(self, values: Rows) -> Self:
        object.__setattr__(self, "total", self.total + values.sum())
        return self


class KeepsOnReset(AbstractTotal):
    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + values.sum())

    def reset(self) -> Self:
        return self


class WrongIdentity(AbstractOwnMerge):
    def __init__(self):
        self.total = jnp.ones(())

    def reset(self) -> Self:
        return self.replace(total=jnp.ones(()))

    def merge(self, other: Any) -> Self:
        return self.replace(total=self.total + other.total)


class NotAssociative(AbstractOwnMerge):
    def merge(self, other: Any) -> Self:
        a, b = self.total, other.total
        return self.replace(total=a + b + a * b * (a - b) ** 2)


class KeepsTheFirst(AbstractOwnMerge):
    """It should be declared as ordered, and isn't."""

    def merge(self, other: Any) -> Self:
        return self.replace(total=jnp.where(self.total != 0, self.total, other.total))


class ForgetsOnUpdate(AbstractTotal):
    """An update halves the previous total, and a merge doesn't."""

    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total / 2 + values.sum())


class StepOfAll(AbstractTotal):
    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + values.sum())

    def step(self, *args: Any, **kwargs: Any) -> tuple[Self, Any]:
        new = self.update(*args, **kwargs)
        return new, new.compute()


class MeanOfMeans(AbstractTotal):
    def update(self, values: Rows) -> Self:
        mean = values.sum() / max(values.shape[0], 1)
        return self.replace(total=self.total + mean)


class SkipsSingleRows(AbstractTotal):
    def update(self, values: Rows) -> Self:
        return self if values.shape[0] == 1 else self.replace(total=self.total + values.sum())


class NaNOfNoRows(AbstractTotal):
    def update(self, values: Rows) -> Self:
        count = jnp.asarray(values.shape[0], jnp.float32)
        return self.replace(total=self.total + values.sum() / count * count)


class MasksByProduct(AbstractTotal):
    """A NaN in a masked row reaches the result."""

    def update(self, values: Rows, mask: Bool[Array, "rows"] | None = None) -> Self:
        keep = 1.0 if mask is None else mask.astype(jnp.float32)
        return self.replace(total=self.total + jnp.sum(values * keep))


class NaNUnderAFullMask(AbstractTotal):
    def update(self, values: Rows, mask: Bool[Array, "rows"] | None = None) -> Self:
        if mask is None:
            return self.replace(total=self.total + values.sum())
        kept, count = jnp.sum(jnp.where(mask, values, 0)), mask.sum()
        return self.replace(total=self.total + kept / count * count)


class IgnoresWeights(AbstractTotal):
    def update(self, values: Rows, weights: Rows | None = None) -> Self:
        return self.replace(total=self.total + jnp.sum(values))


class WrongWhenTraced(AbstractTotal):
    def update(self, values: Rows) -> Self:
        factor = 2 if isinstance(values, jax.core.Tracer) else 1
        return self.replace(total=self.total + factor * jnp.sum(values))


class WrongReduction(eqm.AbstractReduction):
    """Adds over time, but takes the maximum over devices, if there are at least `from_size`."""

    def __init__(self, from_size: int = 1):
        self.from_size = from_size

    def identity(self, arrays):
        return tuple(jnp.zeros_like(x) for x in arrays)

    def merge(self, left, right):
        return tuple(x + y for x, y in zip(left, right, strict=True))

    def across(self, arrays, size):
        return tuple((yield "max" if size >= self.from_size else "sum", list(arrays)))

    def check(self, dtype):
        return None


class ReducesOtherwise(eqm.Metric):
    total: Float[Array, ""] = eqm.state(reduce=WrongReduction())

    def __init__(self):
        self.total = jnp.zeros(())

    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + values.sum())

    def compute(self) -> Float[Array, ""]:
        return self.total


class WrongIn(AbstractTotal):
    """Wrong only inside one function of the test kit, so that it breaks only one law."""

    function: str = eqx.field(static=True, default="")

    def __init__(self, function: str):
        self.total = jnp.zeros(())
        self.function = function

    def update(self, values: Rows) -> Self:
        frame, factor = sys._getframe(), 1
        while isinstance(values, jax.core.Tracer) and frame is not None:
            factor = 2 if frame.f_code.co_name == self.function else factor
            frame = frame.f_back
        return self.replace(total=self.total + factor * jnp.sum(values))


class SharesABuffer(eqm.Metric):
    low: Float[Array, ""] = eqm.state(reduce="sum")
    high: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.low, self.high = jnp.zeros(()), jnp.zeros(())

    def update(self, values: Rows) -> Self:
        return self.replace(low=self.low + values.sum(), high=self.high + values.sum())

    def reset(self) -> Self:
        zero = jnp.zeros(())
        return self.replace(low=zero, high=zero)

    def compute(self) -> Float[Array, ""]:
        return self.low + self.high


class KeepsALowHalfAside(AbstractTotal):
    """A compensated sum whose compensation is neither in the pytree nor in a file."""

    def update(self, values: Rows) -> Self:
        _, low = _aside.get(id(self), (None, 0.0))
        new = self.replace(total=self.total + (values.sum() + low))
        if not isinstance(values, jax.core.Tracer):
            _aside[id(new)] = new, 1e-6
        return new


_aside: dict[int, tuple[eqm.Metric, float]] = {}  # the metric, too, so that no other gets its id


BROKEN: dict[str, eqm.Metric] = {
    "static state": Grows(),
    "strong types": WeaklyTyped(),
    "one compilation": MovesToAMesh(),
    "purity": ChangesItself(),
    "reset": KeepsOnReset(),
    "identity": WrongIdentity(),
    "associativity": NotAssociative(),
    "commutativity": KeepsTheFirst(),
    "merge = update": ForgetsOnUpdate(),
    "step": StepOfAll(),
    "split invariance (batches)": MeanOfMeans(),
    "split invariance (single rows)": SkipsSingleRows(),
    "split invariance (empty batch)": NaNOfNoRows(),
    "mask = removal": MasksByProduct(),
    "mask = removal (all rows)": NaNUnderAFullMask(),
    "weights = repetition": IgnoresWeights(),
    "eager = jit": WrongWhenTraced(),
    "eager = filter_jit": WrongIn("_filter_jit"),
    "eager = vmap": WrongIn("_vmap"),
    "eager = scan": WrongIn("_scan"),
    "reduce = merge": ReducesOtherwise(),
    "eager = shard_map": WrongIn("by_shard_map"),
    "eager = sharded jit": WrongIn("by_sharded_jit"),
    "eager = explicit axes": WrongIn("by_explicit_axes"),
    "eager = pmap": WrongIn("by_pmap"),
    "donation": SharesABuffer(),
    "checkpoint": KeepsALowHalfAside(),
}


class MergesInPlace(AbstractOwnMerge):
    def merge(self, other: Any) -> Self:
        object.__setattr__(other, "total", self.total + other.total)
        return other


class WritesIntoItsArgument(AbstractTotal):
    def update(self, values: Any) -> Self:
        if isinstance(values, np.ndarray):
            values[:] = 0
        return self


class StartsElsewhere(AbstractOwnMerge):
    """It starts with another state than `reset` gives: `eqm.state(initial=...)` is missing."""

    def __init__(self):
        self.total = jnp.full((), -jnp.inf)

    def merge(self, other: Any) -> Self:
        return self.replace(total=jnp.maximum(self.total, other.total))


class CountsItsPastOnEveryDevice(AbstractTotal):
    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + values.sum())

    def update_across(self, axis_name: Any, *args: Any, **kwargs: Any) -> Self:
        return self.update(*args, **kwargs).all_reduce(axis_name)


class ReducesTwoButNotEight(eqm.Metric):
    total: Float[Array, ""] = eqm.state(reduce=WrongReduction(from_size=3))

    def __init__(self):
        self.total = jnp.zeros(())

    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + values.sum())

    def compute(self) -> Float[Array, ""]:
        return self.total


class OffByOneInAMillion(eqm.Metric):
    """Integers are compared exactly, so this must be found."""

    count: Int[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.count = jnp.zeros((), jnp.int32)

    def update(self, values: Rows) -> Self:
        traced = isinstance(values, jax.core.Tracer)
        return self.replace(count=self.count + 1000000 * values.shape[0] + traced)

    def compute(self) -> Int[Array, ""]:
        return self.count


class SpoiltByMaskedWeights(AbstractTotal):
    def update(
        self, values: Rows, mask: Bool[Array, "rows"] | None = None, weights: Rows | None = None
    ) -> Self:
        values = values if mask is None else jnp.where(mask, values, 0)
        values = values if weights is None else values * weights
        return self.replace(total=self.total + jnp.sum(values))


class NotAssociativeInTime(AbstractOwnMerge):
    """Ordered, but even an ordered merge must be associative."""

    ordered = True

    def merge(self, other: Any) -> Self:
        a, b = self.total, other.total
        return self.replace(total=a + b + a * b * (a - b) ** 2)


ALSO_BROKEN: list[tuple[str, eqm.Metric]] = [
    ("purity", MergesInPlace()),
    ("purity", WritesIntoItsArgument()),
    ("reset", StartsElsewhere()),
    ("eager = shard_map", CountsItsPastOnEveryDevice()),
    ("eager = pmap", ReducesTwoButNotEight()),
    ("eager = jit", OffByOneInAMillion()),
    ("mask = removal (all rows)", SpoiltByMaskedWeights()),
    ("associativity", NotAssociativeInTime()),
]
