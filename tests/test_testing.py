"""The kit catches metrics that are wrong on purpose, one per law."""

from typing import Self

import jax.core
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Bool, Float

import eqmetrics as eqm
from eqmetrics.testing import check_metric, check_shapes, LawError


Rows = Float[Array, "rows"]


class BatchMean(eqm.Metric):
    """Keeps a mean of batch means: not split invariant."""

    total: Float[Array, ""] = eqm.state(reduce="sum")
    batches: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total, self.batches = jnp.zeros(()), jnp.zeros(())

    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + jnp.mean(values), batches=self.batches + 1)

    def compute(self) -> Float[Array, ""]:
        return self.total / self.batches


class WrongIdentity(eqm.Metric):
    """A reset that isn't the identity of merge."""

    value: Float[Array, ""] = eqm.state(initial=1)

    def __init__(self):
        self.value = jnp.ones(())

    def update(self, values: Rows) -> Self:
        return self.replace(value=self.value + values.sum())

    def merge(self, other: Self) -> Self:
        return self.replace(value=self.value + other.value)

    def compute(self) -> Float[Array, ""]:
        return self.value


class NotCommutative(eqm.Metric):
    """Keeps what came first, and doesn't say that it is ordered."""

    value: Float[Array, ""] = eqm.state()
    seen: Bool[Array, ""] = eqm.state()

    def __init__(self):
        self.value, self.seen = jnp.zeros(()), jnp.zeros((), bool)

    def update(self, values: Rows) -> Self:
        first = values[0] if values.shape[0] else jnp.zeros(())
        new = jnp.where(self.seen, self.value, first)
        return self.replace(value=new, seen=self.seen | (values.shape[0] > 0))

    def merge(self, other: Self) -> Self:
        value = jnp.where(self.seen, self.value, other.value)
        return self.replace(value=value, seen=self.seen | other.seen)

    def compute(self) -> Float[Array, ""]:
        return self.value


class MaskByProduct(eqm.Metric):
    """Masks by multiplying: NaN under the mask comes through."""

    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total = jnp.zeros(())

    def update(self, values: Rows, mask: Bool[Array, "rows"] | None = None) -> Self:
        keep = 1.0 if mask is None else mask.astype(jnp.float32)
        return self.replace(total=self.total + jnp.sum(values * keep))

    def compute(self) -> Float[Array, ""]:
        return self.total


class WeightsIgnored(eqm.Metric):
    """Accepts weights and doesn't use them."""

    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total = jnp.zeros(())

    def update(self, values: Rows, weights: Rows | None = None) -> Self:
        return self.replace(total=self.total + jnp.sum(values))

    def compute(self) -> Float[Array, ""]:
        return self.total


class EagerOnly(eqm.Metric):
    """Another value under a transformation."""

    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total = jnp.zeros(())

    def update(self, values: Rows) -> Self:
        traced = isinstance(values, jax.core.Tracer)
        return self.replace(total=self.total + jnp.sum(values) * (2 if traced else 1))

    def compute(self) -> Float[Array, ""]:
        return self.total


BROKEN = {
    BatchMean: "split invariance",
    WrongIdentity: "identity",
    NotCommutative: "commutativity",
    MaskByProduct: "mask = removal",
    WeightsIgnored: "weights = repetition",
    EagerOnly: "eager = jit",
}


@pytest.mark.parametrize("cls", BROKEN)
def test_a_broken_metric_is_caught_by_name(cls):
    rng = np.random.default_rng(0)
    batches = [{"values": rng.normal(size=n).astype(np.float32)} for n in (3, 8, 5)]
    with pytest.raises(LawError, match=BROKEN[cls]):
        check_metric(cls(), batches)


def test_check_shapes():
    out = check_shapes(eqm.Accuracy(), logits="float32[batch, 10]", labels="int32[batch]")
    assert out.shape == ()
    with pytest.raises(TypeError, match="labels"):
        check_shapes(eqm.Accuracy(), logits="float32[batch, 10]", labels="float32[batch]")
    with pytest.raises(TypeError):
        check_shapes(eqm.Accuracy(), logits="float32[batch, 10]", labels="int32[other]")
