import math
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, Int

import eqmetrics as eqm


class ColumnMean(eqm.Metric):
    columns: int = eqx.field(static=True)
    total: Float[Array, "{self.columns}"] = eqm.state(reduce="sum")
    count: Int[Array, ""] = eqm.state(reduce="sum")

    def __init__(self, columns: int, shape: int | None = None):
        self.columns = columns
        self.total = jnp.zeros(columns if shape is None else shape)
        self.count = jnp.zeros((), jnp.int32)

    def update(self, values: Float[Array, "rows {self.columns}"]) -> Self:
        return self.replace(total=self.total + values.sum(0), count=self.count + values.shape[0])

    def compute(self) -> Float[Array, "{self.columns}"]:
        return self.total / self.count


def scan(metric, values):
    return jax.jit(lambda m, v: jax.lax.scan(lambda m, x: (m.update(x), None), m, v)[0])(
        metric, values
    )


def test_errors_name_what_came_and_what_was_expected():
    m = ColumnMean(2)
    with pytest.raises(TypeError, match="total"):
        ColumnMean(2, shape=3)
    with pytest.raises(TypeError, match="values"):
        m.update(jnp.ones((4, 3)))
    with pytest.raises(TypeError, match="`count` is float"):
        m.replace(count=jnp.zeros(()))
    with pytest.raises(TypeError, match="Did you mean `total`"):
        m.replace(totals=1)
    with pytest.raises(ValueError, match="`columns` is 2 here and 3 there"):
        m.merge(ColumnMean(3))


@pytest.mark.parametrize("n", [2, 8])
def test_a_stacked_state_is_told(n):
    stacked = jax.vmap(lambda x: ColumnMean(2).update(x))(jnp.ones((n, 4, 2)))
    nested = eqm.MetricDict(a=stacked)
    for f in (stacked.compute, lambda: stacked.merge(stacked), nested.compute):
        with pytest.raises(TypeError, match=f"leading axis of {n}"):
            f()
    assert stacked.reduce().compute().tolist() == [1.0, 1.0]


def test_class_errors():
    with pytest.raises(TypeError, match="doesn't say how it merges"):

        class _NoReduction(eqm.Metric):
            total: Float[Array, ""]

    with pytest.raises(ValueError, match="Unknown reduction 'summ'"):
        eqm.state(reduce="summ")
    with pytest.raises(TypeError, match="swallowed"):

        class _Swallows(eqm.Metric):
            def update(self, **kwargs) -> Self:
                return self


@pytest.mark.parametrize("rows", [1, 32, 128])
def test_average_matches_fsum(rows):
    x = np.random.default_rng(0).gamma(2.0, 3.0, 2**17).astype(np.float32)
    want = math.fsum(x.tolist()) / x.size
    assert abs(float(scan(eqm.Average(), x.reshape(-1, rows)).compute()) / want - 1) < 1e-6
    tenths = np.full((2**20 // rows, rows), 0.1, np.float32)
    assert abs(float(scan(eqm.Average(), tenths).compute()) / float(np.float32(0.1)) - 1) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 32, 128])
def test_average_of_1e8_tenths(rows):
    def step(m, _):
        return m.update(jnp.full(rows, 0.1, jnp.float32)), None

    run = jax.jit(lambda m: jax.lax.scan(step, m, None, length=10**8 // rows)[0])
    assert abs(float(run(eqm.Average()).compute()) / float(np.float32(0.1)) - 1) < 1e-6


@pytest.mark.parametrize("start", [2**31 + 3, 2**40 + 1])
def test_counts_are_exact(start):
    high = np.float32(start)
    pair = jnp.array([high, np.float32(start - int(high))])
    count = eqm.Count().replace(pair=pair).update(jnp.zeros(2))
    assert eqm.to_host(count) == start + 2
    full = eqm.Count().replace(pair=jnp.array([2.0**31, -1.0]))
    stacked = jax.tree.map(lambda x: jnp.stack([x] * 8), full)
    assert eqm.to_host(stacked.reduce()) == 8 * (2**31 - 1)


@pytest.mark.parametrize("rows", [1, 100])
def test_std_at_a_large_offset(rows):
    x = (np.random.default_rng(0).normal(size=20000) + 1e6).astype(np.float32)
    want = x.astype(np.float64).std()
    assert abs(float(scan(eqm.Std(), x.reshape(-1, rows)).compute()) / want - 1) < 1e-4
    parts = jax.vmap(lambda v: eqm.Std().update(v))(x.reshape(8, -1))
    assert abs(float(parts.reduce().compute()) / want - 1) < 1e-4


def test_bf16_and_integers():
    x = jnp.full(8000, 0.1, jnp.bfloat16)
    mean = eqm.Average().update(x)
    assert mean.total.dtype == jnp.float32
    assert abs(float(mean.compute()) / float(x[0]) - 1) < 1e-6
    big: Any = np.array([2**31 - 1, 2**31 - 1, -5], np.int32)
    assert eqm.to_host(eqm.Sum().update(big)) == 2**32 - 7
    with pytest.raises(ValueError, match="don't fit"):
        eqm.Sum()(np.array([2**32 + 1]))


def test_special_values():
    for x in ([np.inf, 1.0], [np.inf, -np.inf], [np.nan, 1.0], [-np.inf, 1.0]):
        x = np.array(x, np.float32)
        with np.errstate(invalid="ignore"):
            want = x.sum()
        np.testing.assert_equal(np.asarray(eqm.Sum()(x)), want)
        per_row = jax.vmap(lambda v: eqm.Sum().update(v))(x).reduce()
        np.testing.assert_equal(np.asarray(per_row.compute()), want)
        np.testing.assert_equal(np.asarray(eqm.Max()(x)), x.max())


def test_reduction_ignores_the_order_of_devices():
    x = np.random.default_rng(0).normal(size=(8, 100)).astype(np.float32)
    states = jax.vmap(lambda v: eqm.Std().update(v))(x)
    first = states.reduce()
    shuffled = jax.tree.map(lambda a: a[::-1], states).reduce()
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), first, shuffled))


def test_seed():
    logits = jnp.array([[-1.0, 1.0], [1.0, -1.0]])
    one = eqm.Accuracy.from_model_output(logits=logits, labels=jnp.array([0, 0]))
    two = eqm.Accuracy.from_model_output(logits=logits, labels=jnp.array([1, 0]))
    assert one.merge(two).compute() == 0.75
    assert eqm.Average()(np.array([1, 2])) == 1.5

    class MyCollection(eqm.Collection):
        accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)
        loss: eqm.Metric = eqx.field(default_factory=lambda: eqm.Average().from_output("loss"))
        loss_std: eqm.Metric = eqx.field(default_factory=lambda: eqm.Std().from_output("loss"))

    a = MyCollection.from_model_output(loss=0.1, logits=jnp.array([0.9, 0.1]), labels=0)
    b = MyCollection.from_model_output(loss=0.7, logits=jnp.array([0.8, 0.2]), labels=1)
    got = eqm.to_host(a.merge(b))
    assert got["accuracy"] == 0.5
    np.testing.assert_allclose([got["loss"], got["loss_std"]], [0.4, 0.3], rtol=1e-6)
    assert a.accuracy.compute() == 1.0


def test_accuracy_matches_argmax():
    rng = np.random.default_rng(0)
    for classes in (1, 2, 300, 1000):
        logits = rng.integers(-2, 2, size=(3, 4, classes)).astype(np.float32)
        labels = rng.integers(0, classes, size=(3, 4)).astype(np.int16)
        want = np.mean(logits.argmax(-1) == labels)
        assert abs(eqm.Accuracy()(logits=logits, labels=labels) - want) < 1e-6


def test_invalid_rows_are_counted_and_named():
    logits = jnp.zeros((3, 2)).at[2, 0].set(jnp.nan)
    metrics = eqm.MetricDict(
        accuracy=eqm.Accuracy(undefined=0.0), rows=eqm.Count().from_output("labels")
    )
    metrics = metrics.update(logits=logits, labels=jnp.array([2, 0, 0]))
    value = metrics.compute()
    assert jnp.isnan(value["accuracy"]) and value["rows"] == 3
    with pytest.raises(eqm.InvalidDataError, match="2 invalid row"):
        metrics.check()


def test_undefined():
    for m in (eqm.Average(), eqm.Std(), eqm.Accuracy(), eqm.Min(), eqm.Max(), eqm.LastValue()):
        assert jnp.isnan(m.compute())
    for cls in (eqm.Average, eqm.Std, eqm.Variance, eqm.Accuracy):
        assert cls(undefined=0.0).compute() == 0.0
    assert eqm.Sum().compute() == 0 and eqm.Count().compute() == 0


def test_mask_shapes():
    with pytest.raises(TypeError, match="`mask` is bool"):
        eqm.Average().update(jnp.array(1.0), mask=jnp.ones(4, bool))
    mask = jnp.array([True, False])
    assert eqm.Average()(jnp.array([[1.0, 3.0], [5.0, 9.0]]), mask=mask) == 2.0


def test_last_value_is_newest_over_time_and_mean_over_devices():
    m = eqm.LastValue().update(jnp.ones(2)).update(jnp.full(2, 5.0))
    assert m.update(jnp.zeros(2), mask=jnp.zeros(2, bool)).compute() == 5.0
    both = jax.vmap(lambda x, k: m.update(x, mask=k))(
        jnp.array([[1.0, 1.0], [3.0, 3.0]]), jnp.ones((2, 2), bool)
    )
    assert both.reduce().compute() == 2.0
    # a device whose last batch is empty doesn't bring its old value in
    one = jax.vmap(lambda x, k: m.update(x, mask=k))(
        jnp.array([[1.0, 1.0], [3.0, 3.0]]), jnp.array([[False, False], [True, True]])
    )
    assert one.reduce().compute() == 3.0


def test_training_state():
    class State(eqx.Module):
        weight: Array
        metrics: list

    state = State(jnp.ones(3), [{"loss": eqm.Average()}])
    step = lambda s, x: eqx.tree_at(
        lambda s: s.metrics, s, [{"loss": s.metrics[0]["loss"].update(x)}]
    )
    states = jax.vmap(step, in_axes=(None, 0))(state, jnp.arange(8.0))
    assert eqm.reduce(states).metrics[0]["loss"].compute() == 3.5
    assert eqm.reduce(states).weight.shape == (8, 3)
    assert eqm.compute(eqm.reset(step(state, jnp.array(1.0)))).weight.tolist() == [1, 1, 1]
    assert eqm.merge(step(state, jnp.array(1.0)), step(state, jnp.array(3.0))).metrics[0][
        "loss"
    ].compute() == 2.0
