"""jax's own switches, over the whole table: nothing changes type, breaks, or stops."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._metric.node import walk

from .nans import nans_of
from .table import BINARY, MULTICLASS, ROWS, SLOW


# Options that take a way of their own through a readout.
OPTIONS: dict[str, tuple[eqm.Metric, list[dict]]] = {
    f"{type(metric).__name__}, {i}": (metric, ROWS[row][1])
    for i, (row, metric) in enumerate([
        ("F1", eqm.BalancedAccuracy(MULTICLASS, adjusted=True)),
        ("BalancedAccuracy", eqm.BalancedAccuracy(BINARY, adjusted=True)),
        ("F1", eqm.F1(MULTICLASS, average="micro")),
        ("F1", eqm.Recall(MULTICLASS, average=None)),
        ("F1", eqm.CohenKappa(MULTICLASS, weights="quadratic")),
        ("F1", eqm.ClassificationReport(MULTICLASS)),
        ("AUROC of pairs", eqm.AUROC(MULTICLASS, multi_class="ovo", average="weighted")),
        ("AUROC of pairs", eqm.AUROC(MULTICLASS, average="weighted", resolution=9)),
        ("CalibrationError", eqm.CalibrationError(MULTICLASS, norm="l2", per_class=True)),
        ("CalibrationError", eqm.CalibrationError(MULTICLASS, norm="max")),
        ("ReliabilityDiagram", eqm.ReliabilityDiagram(MULTICLASS)),
        ("R2", eqm.NormalizedRMSE("mean")),
        ("R2", eqm.NormalizedRMSE("std")),
        ("R2", eqm.R2(multioutput="variance_weighted")),
        ("Kendall", eqm.Kendall(80, variant="a")),
        ("Kendall", eqm.Kendall(80, variant="c")),
    ])
}
EVERY = ROWS | OPTIONS
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in EVERY]
TYPES: dict[str, Callable[[], AbstractContextManager]] = {
    "strict promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "no promotion of ranks": lambda: jax.numpy_rank_promotion("raise"),
    "64 bits": lambda: jax.enable_x64(True),
}


@contextlib.contextmanager
def every_switch() -> Iterator[None]:
    with TYPES["strict promotion"](), TYPES["no promotion of ranks"](), TYPES["64 bits"]():
        yield


def types_of(metric: eqm.Metric, batch: dict) -> Any:
    """Of the state and the value, of shapes and dtypes."""
    def both(metric, batch):
        new = metric.update(**batch)
        return new, new.compute(), metric.merge(new)

    return eqx.filter_eval_shape(both, metric, batch)


@pytest.mark.parametrize("switch", [*TYPES.values(), every_switch], ids=[*TYPES, "all"])
def test_switches_of_types(switch):
    # Traced: some seconds for the table, where one program each would take minutes.
    wrong = {}
    for name, (metric, batches) in EVERY.items():
        try:
            with switch():
                new, value, merged = types_of(metric, batches[0])
            states = jax.tree.leaves((new, merged))
            kept = [(x.shape, x.dtype) for x in jax.tree.leaves((metric, metric))]
            assert [(x.shape, x.dtype) for x in states] == kept
            assert all(x.dtype.itemsize <= 4 for x in jax.tree.leaves(value))
        except Exception as e:
            wrong[name] = repr(e)[:200]
    assert not wrong


def test_switches_are_on():
    with every_switch(), pytest.raises(Exception, match="promotion"):
        jnp.add(jnp.zeros((2, 2), jnp.int32), jnp.zeros((2, 2), jnp.float32))
    with every_switch(), pytest.raises(ValueError, match="rank"):
        jnp.add(jnp.zeros((2, 2)), jnp.zeros(2))
    with TYPES["64 bits"]():
        assert jnp.zeros(2).dtype == jnp.float64


def test_built_under_64_bits():
    with jax.enable_x64(True):
        metrics = eqm.MetricDict(
            loss=eqm.Std(), f1=eqm.F1(MULTICLASS), area=eqm.AUROC(MULTICLASS, multi_class="ovo")
        )
        leaves = jax.tree.leaves(metrics)
        assert all(x.dtype in (jnp.float32, jnp.int32, jnp.bool_) for x in leaves)


# ---- jax_debug_nans


def never_nan(metric: eqm.Metric) -> eqm.Metric:
    """Of this configuration, with 0 for what is undefined, so that all values are finite."""
    new = metric.reset()
    for _, node, _ in walk(new):
        if "undefined" in vars(node):
            object.__setattr__(node, "undefined", 0.0)
    return new


@pytest.mark.parametrize("name", NAMES)
def test_no_nan_is_formed(name):
    """`jax_debug_nans` stops at the first operation that gives NaN: of a program, when its
    results hold one of the user's own. What is undefined is told by a constant."""
    metric, batches = EVERY[name]

    def values(metric, batch):
        return metric.update(**batch).compute(), metric.compute()

    _, formed = nans_of(values, never_nan(metric), jax.tree.map(jnp.asarray, batches[0]))
    # A user's 0/0 is theirs.
    assert not formed or name == "PerGroup of a user's metric", formed


def test_a_formed_nan_is_found():
    def formed(x):
        return jnp.where(x == 0, 0, x / x), jax.jit(lambda x: jnp.log(x - 1))(x)

    _, found = nans_of(formed, jnp.zeros(2))
    assert [where.split()[0] for where in found] == ["div", "log"]
    assert not nans_of(lambda x: jnp.where(x == 0, jnp.nan, x) + 1, jnp.zeros(2))[1]


UNDEFINED = {
    "average": eqm.Average(),
    "std": eqm.Std(),
    "recall": eqm.Recall(MULTICLASS, average=None),
    "error": eqm.CalibrationError(MULTICLASS),
    "r2": eqm.R2(),
    "kappa": eqm.CohenKappa(BINARY),
}


def test_readouts_say_nan_without_raising():
    with jax.debug_nans(True):
        for metric in UNDEFINED.values():
            value = np.asarray(metric.compute())
            assert np.isnan(value).all()
            np.testing.assert_array_equal(eqm.to_host(metric), value)
            np.testing.assert_array_equal(eqm.compute({"m": metric})["m"], value)
        low, high = eqm.AUROC(BINARY).bounds()
        assert np.isnan(low) and np.isnan(high)
        _, value = eqm.Average().step(jnp.array([1.0]), mask=jnp.array([False]))
        assert np.isnan(value)
        invalid = eqm.Average().update(jnp.array([1.0]), weights=jnp.array([-1.0]))
        assert np.isnan(invalid.compute())
        assert jax.config.jax_debug_nans  # pyright: ignore[reportAttributeAccessIssue]


def test_programs_of_users_still_stop():
    with jax.debug_nans(True):
        with pytest.raises(FloatingPointError):
            jax.jit(lambda metric: metric.compute())(eqm.Average())
        with pytest.raises(FloatingPointError):
            eqm.Average().update(jnp.zeros(2) / jnp.zeros(2))
        groups = eqm.Recall(MULTICLASS)
        seen = groups.update(predicted_labels=jnp.array([1]), labels=jnp.array([1]))
        assert jax.jit(lambda metric: metric.compute())(seen) == 1.0


# ---- no `jit`


def without_jit() -> tuple[eqm.MetricDict, dict[str, Any]]:
    loss = jnp.array([1.0, 2.0, 4.0, 9.0])
    labels, predicted = jnp.array([0, 1, 0, 0]), jnp.array([0, 0, 0, 1])
    of_loss = {
        "mean": eqm.Average(),
        "std": eqm.Std(),
        "lately": eqm.Windowed(eqm.Average(), 3),
        "drawn": eqm.Bootstrap(eqm.Average(), samples=5, key=jax.random.key(0), ids=True),
    }
    metrics = eqm.MetricDict(
        {name: metric.from_output("loss") for name, metric in of_loss.items()},
        f1=eqm.F1(eqm.Multiclass(3)),
        groups=eqm.PerGroup(eqm.Average(), 2).from_output("loss", group="labels"),
    )
    return metrics, {
        "loss": loss, "labels": labels, "predicted_labels": predicted, "ids": jnp.arange(4)
    }  # fmt: skip


def test_disable_jit_changes_no_value():
    """Operations leave marks where they are gathered, and a mark is a `jit` itself."""
    metrics, batch = without_jit()
    want = eqm.to_host(metrics.update(**batch))
    assert want["mean"] == 4.0
    with jax.disable_jit():
        got = eqm.to_host(metrics.update(**batch))
        traced = jax.vmap(lambda m, x: m.update(values=x), in_axes=(None, 0))(
            eqm.MetricDict(a=eqm.Average(), b=eqm.Sum()), jnp.array([[1.0, 3.0]])
        )
    for x, y in zip(*map(jax.tree.leaves, (got, want)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)
    assert eqm.to_host(traced.reduce()) == {"a": 2.0, "b": 4.0}


def test_disable_jit_shows_the_numbers_to_a_function():
    seen = []
    metrics = eqm.MetricDict(
        a=eqm.Average().from_fun(lambda loss: seen.append(float(loss[0])) or loss),
        b=eqm.Sum().from_output("loss"),
    )
    with jax.disable_jit():
        assert metrics(loss=jnp.array([2.0, 4.0])) == {"a": 3.0, "b": 6.0}
    assert seen == [2.0]


# ---- a state that was cast


def cast(metric: eqm.Metric, dtype: Any) -> eqm.Metric:
    return jax.tree.map(
        lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, metric
    )


def test_a_cast_state_is_refused():
    for name, (metric, batches) in ROWS.items():
        if not any(jnp.issubdtype(x.dtype, jnp.floating) for x in jax.tree.leaves(metric)):
            continue
        other = cast(metric, jnp.bfloat16)
        stacked = jax.tree.map(lambda x: jnp.stack([x, x]), other)
        for use in (
            lambda m=other, b=batches[0]: jax.eval_shape(lambda m, b: m.update(**b), m, b),
            lambda m=other: jax.eval_shape(lambda m: m.compute(), m),
            lambda m=metric, n=other: m.merge(n),
            lambda m=metric, n=other: n.merge(m),
            lambda m=other: eqm.to_host(m),
            lambda m=stacked: m.reduce(),
        ):
            with pytest.raises(TypeError, match="bfloat16.*float32.*mixed-precision") as told:
                use()
            assert "Casting back" in str(told.value), name


def test_a_policy_over_a_training_state():
    state = {"params": jnp.ones(2), "loss": eqm.Average()}
    low = jax.tree.map(lambda x: x.astype(jnp.float16), state)

    @jax.jit
    def step(state):
        return state["loss"].update(jnp.ones(3))

    field = r"`Average.sums.pairs` is float16\[2, 2\].*built as float32\[2, 2\]"
    with pytest.raises(TypeError, match=field):
        step(low)
