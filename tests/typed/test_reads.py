# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
# A field of an abstract class is narrowed by its subclasses, as in Equinox; fields are frozen.
# pyright: reportIncompatibleVariableOverride=false
# What JAX doesn't say of its own functions.
# pyright: reportUnknownMemberType=false
"""What a reader's type checker infers. pyright reads this file; running it shows that the types
are true as well."""

from collections.abc import Callable
from typing import Any, assert_type, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, Float32

import eqmetrics as eqm


class ColumnMean(eqm.Metric):
    """A user's metric."""

    columns: int = eqx.field(static=True)
    total: Float[Array, "{self.columns}"] = eqm.state(reduce="sum")
    count: Float[Array, ""] = eqm.state(reduce="sum")

    def __init__(self, columns: int):
        self.columns = columns
        self.total = jnp.zeros(columns)
        self.count = jnp.zeros(())

    def update(self, values: Float[Array, "rows {self.columns}"]) -> Self:
        return self.replace(total=self.total + values.sum(0), count=self.count + values.shape[0])

    def compute(self) -> Float[Array, "{self.columns}"]:
        return self.total / self.count


class Losses(eqm.Collection):
    """A typed collection."""

    accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)
    spread: eqm.Std = eqx.field(default_factory=eqm.Std)


VALUES = jnp.ones((4, 2))


def test_a_users_metric_keeps_its_type():
    metric = ColumnMean(2)
    assert_type(metric.update(VALUES), ColumnMean)
    assert_type(metric.update(VALUES).merge(metric), ColumnMean)
    assert_type(metric.reset(), ColumnMean)
    assert_type(metric.replace(count=metric.count), ColumnMean)
    assert_type(metric.step(VALUES)[0], ColumnMean)
    assert_type(metric.update(VALUES).compute(), Array)
    assert_type(metric.from_output("x"), eqm.Metric)
    assert metric.update(VALUES).compute().tolist() == [1, 1]


def test_the_librarys_metrics_keep_theirs():
    average = eqm.Average().update(np.ones(2))
    assert_type(average, eqm.Average)
    assert_type(average.compute(), Array)
    low, high = eqm.Median().update(VALUES).bounds()
    assert_type(low, Array)
    assert_type(eqm.Moments().update(VALUES).compute()["mean"], Array)
    assert low <= high


def test_a_collection_knows_its_members():
    outputs = {"logits": jnp.eye(3), "labels": jnp.arange(3), "values": jnp.ones(3)}
    metrics = Losses().update(**outputs)
    assert_type(metrics, Losses)
    assert_type(metrics.accuracy, eqm.Accuracy)
    assert_type(metrics.accuracy.compute(), Array)
    assert_type(metrics.compute(), dict[str, Any])
    assert metrics.spread.compute() == 0


def test_a_dict_gives_metrics():
    metrics = eqm.MetricDict(loss=eqm.Average(), mine=ColumnMean(2).from_output(values="x"))
    assert_type(metrics, eqm.MetricDict)
    assert_type(metrics["loss"], eqm.Metric)
    assert_type(metrics["loss"].compute(), Any)
    assert_type(metrics | metrics, eqm.MetricDict)
    assert_type(dict(metrics), dict[str, eqm.Metric])
    assert list(metrics) == ["loss", "mine"]


class State(eqx.Module):
    step: Array
    metric: ColumnMean


def test_functions_of_any_tree_return_that_tree():
    state = State(jnp.zeros(()), ColumnMean(2).update(VALUES))
    assert_type(eqm.reset(state), State)
    assert_type(eqm.merge(state, state), State)
    stack: Callable[[Array], Array] = lambda x: x[None]
    stacked: State = jax.tree.map(stack, state)
    assert_type(eqm.reduce(stacked), State)
    assert_type(eqm.unreplicate(stacked), State)
    assert eqm.reduce(stacked).metric.count == 4


def test_mistakes_are_seen():
    # Where pyright saw none of these, it would say that a comment isn't needed.
    with pytest.raises(ValueError, match="makro"):
        eqm.F1(eqm.Binary(), average="makro")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        eqm.F1(eqm.Binary()).update(label=VALUES)
    with pytest.raises(TypeError):
        ColumnMean(2).update(value=VALUES)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError):
        ColumnMean(2).replace(totl=VALUES)
    with pytest.raises(AttributeError):
        assert Losses().loss  # pyright: ignore[reportAttributeAccessIssue]


class Prevalence(eqm.AbstractReadout):
    """A user's readout."""

    statistic: eqm.StatScores

    def __init__(self, task: eqm.AbstractTask):
        self.statistic = eqm.StatScores(task)

    def compute(self) -> Float32[Array, "classes"]:
        tp, _, fn, _ = self.statistic.counts().floats()
        return tp + fn


def test_a_readout_keeps_its_type():
    labels = jnp.array([0, 1])
    read = Prevalence(eqm.Multiclass(2)).update(predicted_labels=labels, labels=labels)
    assert_type(read, Prevalence)
    assert_type(read.compute(), Array)
    assert_type(read.statistic, eqm.StatScores)
    assert read.compute().tolist() == [1, 1]


def test_the_kit_and_the_host():
    assert_type(eqm.to_host(eqm.Average()), Any)
    assert_type(eqm.testing.check_metric(ColumnMean(2), [{"values": VALUES}] * 2), None)


def test_a_misspelt_name_has_no_type():
    with pytest.raises(AttributeError):
        _ = eqm.Acuracy  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
