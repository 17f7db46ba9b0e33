"""The kit catches metrics that are wrong on purpose, one per law, and names the law."""

from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import eqmetrics as eqm
from eqmetrics.testing import check_metric, LawError
from eqmetrics.testing._laws import LAWS, OF_UNORDERED

from .broken import AbstractOwnMerge, AbstractTotal, ALSO_BROKEN, BROKEN, Rows
from .users_metric import ColumnMean


def batches():
    rng = np.random.default_rng(0)
    return [{"values": rng.normal(size=n).astype(np.float32)} for n in (3, 8, 5)]


def test_every_law_has_a_metric_that_breaks_it_and_is_documented():
    assert BROKEN.keys() == LAWS.keys() and LAWS.keys() >= set(OF_UNORDERED)
    doc = " ".join((check_metric.__doc__ or "").split())
    assert [law for law in LAWS if f"`{law}`" not in doc] == []


@pytest.mark.parametrize(
    ("law", "metric"),
    [*BROKEN.items(), *ALSO_BROKEN],
    ids=lambda x: x if isinstance(x, str) else type(x).__name__,
)
def test_a_broken_metric_is_caught_by_name(law, metric):
    with pytest.raises(LawError) as told:
        check_metric(metric, batches())
    start = f"`{type(metric).__qualname__}` breaks the law of {law}: "
    assert str(told.value).startswith(start), told.value


class RaisesOnNoRows(AbstractTotal):
    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + jnp.sum(values) + 0 * jnp.max(values))


class RaisesUnderATrace(AbstractTotal):
    def update(self, values: Rows) -> Self:
        return self.replace(total=self.total + float(jnp.sum(values)))


@pytest.mark.parametrize(
    ("metric", "law", "cause"),
    [
        (RaisesOnNoRows(), "split invariance (empty batch)", ValueError),
        (RaisesUnderATrace(), "one compilation", jax.errors.ConcretizationTypeError),
        (eqm.Sum((5,)), "static state", TypeError),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, eqm.Metric) else "",
)
def test_an_exception_inside_a_law_is_named(metric, law, cause):
    with pytest.raises(LawError) as told:
        check_metric(metric, batches())
    start = f"`{type(metric).__qualname__}` breaks the law of {law}: it raised "
    assert str(told.value).startswith(start), told.value
    assert isinstance(told.value.__cause__, cause)


def test_a_good_metric_passes():
    rng = np.random.default_rng(0)
    rows = [{"values": rng.normal(size=(n, 2)).astype(np.float32)} for n in (3, 8, 5)]
    check_metric(ColumnMean(2), rows)
    check_metric(ColumnMean(2).update(jnp.ones((3, 2))), rows)  # starts from its reset


class Newest(AbstractOwnMerge):
    """Breaks what an ordered metric doesn't promise: commutativity, splits of a batch."""

    ordered = True

    def update(self, values: Rows) -> Self:
        return self.replace(total=values.sum() + 1.0)

    def merge(self, other: Any) -> Self:
        return self.replace(total=jnp.where(other.total != 0, other.total, self.total))

    def update_across(self, axis_name: Any, *args: Any, **kwargs: Any) -> Self:
        batch = self.reset().update(*args, **kwargs)
        return batch.replace(total=jax.lax.psum(batch.total - 1.0, axis_name) + 1.0)

    def all_reduce(self, axis_name: Any) -> Self:
        return self.replace(total=jax.lax.psum(self.total - 1.0, axis_name) + 1.0)


def test_an_ordered_metric_is_asked_only_for_what_it_promises():
    check_metric(Newest(), batches())


def test_what_the_caller_gets_wrong_is_told():
    with pytest.raises(TypeError, match=r"Build it: add `\(\)`"):
        check_metric(eqm.Average, batches())  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="at least two batches"):
        check_metric(eqm.Average(), batches()[:1])
    nothing = [{"values": np.full(3, np.nan, np.float32)}] * 3
    with pytest.raises(ValueError, match="`Average` on these batches is NaN"):
        check_metric(eqm.Average(), nothing)
    with pytest.raises(TypeError, match="a list of dicts, the arguments of `update` by name"):
        check_metric(eqm.Average(), [(np.ones(3),)] * 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="a list of dicts"):
        check_metric(eqm.Average(), batches()[0])  # pyright: ignore[reportArgumentType]


class LargestFromZero(eqm.Metric):
    """A maximum of negative values is 0."""

    largest: Float[Array, ""] = eqm.state(reduce="max")

    def __init__(self):
        self.largest = jnp.zeros(())

    def update(self, values: Rows) -> Self:
        return self.replace(largest=jnp.maximum(self.largest, jnp.max(values, initial=-jnp.inf)))

    def compute(self) -> Float[Array, ""]:
        return self.largest


def test_a_state_that_starts_elsewhere_is_named():
    with pytest.raises(LawError, match=r"`largest` is -inf after `reset`, and 0.0 in a new metric"):
        check_metric(LargestFromZero(), batches())
