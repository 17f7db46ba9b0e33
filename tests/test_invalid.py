"""Rows that are invalid are counted; the value is NaN and the host raises."""

from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from jaxtyping import Array, Float, Float32

import eqmetrics as eqm

from .oracle import few, fold, ROWS, spread, STEPS


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(rows=arrays(np.bool_, (STEPS, ROWS)))
def test_invalid_is_the_number_of_rows(way, rows):
    assert way(eqm.Invalid("x > 0"), {"invalid": rows}).compute() == rows.sum()


class Logs(eqm.Metric):
    """Counts in a field of its own what it leaves out."""

    floor: float = eqx.field(static=True)
    total: Float[Array, ""] = eqm.state(reduce="sum")
    bad: Float32[Array, "2"] = eqm.state(
        reduce=eqm.exact_sum, valid="values > {self.floor}"
    )

    def __init__(self, floor: float):
        self.floor = floor
        self.total, self.bad = jnp.zeros(()), jnp.zeros(2)

    def update(self, values: Float[Array, "rows"]) -> Self:
        valid = values > self.floor
        total = jnp.sum(jnp.where(valid, values, 0))
        count = jnp.sum(~valid).astype(jnp.float32)
        return self.replace(total=self.total + total, bad=self.bad.at[0].add(count))

    def compute(self) -> dict[str, Any]:
        return {"total": self.total, "twice": 2 * self.total}


class Nests(eqm.Metric):
    """Holds an `Invalid`."""

    invalid: eqm.Invalid
    total: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total, self.invalid = jnp.zeros(()), eqm.Invalid("values >= 0")

    def update(self, values: Float[Array, "rows"]) -> Self:
        bad = values < 0
        total = self.total + jnp.sum(jnp.where(bad, 0, values))
        return self.replace(total=total, invalid=self.invalid.update(bad))

    def compute(self) -> Float[Array, ""]:
        return self.total


def test_a_field_that_says_what_is_valid():
    good = Logs(0.5).update(jnp.array([1.0, 2.0]))
    assert eqm.to_host(good) == {"total": 3.0, "twice": 6.0}
    good.check()
    bad = good.update(jnp.array([0.5, 4.0, 0.0]))
    assert all(jnp.isnan(x) for x in bad.compute().values())
    with pytest.raises(eqm.InvalidDataError, match="Logs.*2 invalid row.*valid are values > 0.5"):
        bad.check()
    with pytest.raises(eqm.InvalidDataError, match="values > 0.5"):
        eqm.to_host({"state": [bad]})
    assert jnp.isnan(good.merge(bad).compute()["total"])
    assert eqm.to_host(bad.reset().update(jnp.array([1.0])))["total"] == 1.0


def test_a_nested_count():
    bad = jax.jit(lambda m, x: m.update(x))(Nests(), jnp.array([1.0, -1.0]))
    assert jnp.isnan(bad.compute())
    said = r"^\.invalid \(Nests\): 1 invalid row.*values >= 0"
    with pytest.raises(eqm.InvalidDataError, match=said):
        bad.check()
    stacked = jax.vmap(Nests().update)(jnp.array([[1.0], [-1.0]]))
    assert jnp.isnan(stacked.reduce().compute())
    assert jax.jit(lambda m: m.compute())(Nests().update(jnp.array([1.0]))) == 1.0


def test_one_member_of_a_dict_does_not_touch_the_others():
    logits = jnp.zeros((3, 2)).at[2, 0].set(jnp.nan)
    metrics = eqm.MetricDict(
        accuracy=eqm.Accuracy(undefined=0.0), rows=eqm.Count().from_output("labels")
    )
    metrics = metrics.update(logits=logits, labels=jnp.array([2, 0, 0]))
    value = metrics.compute()
    assert jnp.isnan(value["accuracy"]) and value["rows"] == 3
    with pytest.raises(eqm.InvalidDataError, match="accuracy.*2 invalid row"):
        metrics.check()


def test_members_that_share_a_statistic_are_named_together():
    metrics = eqm.MetricDict(std=eqm.Std(), variance=eqm.Variance())
    bad = metrics.update(values=jnp.ones(2), weights=jnp.array([1.0, -1.0]))
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row") as told:
        bad.check()
    assert "std" in str(told.value) and "variance" in str(told.value)


def test_the_count_itself_stays_readable():
    counted = eqm.Invalid("x > 0").update(jnp.array([True, True]))
    assert counted.compute() == 2
    with pytest.raises(eqm.InvalidDataError, match="2 invalid row.*valid are x > 0"):
        counted.check()
