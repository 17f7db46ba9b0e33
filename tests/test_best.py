"""`Best`: the best value of an update, and when it was."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from jax.sharding import PartitionSpec as P

import eqmetrics as eqm

from .oracle import few
from .test_devices import mesh_of, over


def update(metric, value):
    return type(metric).update(metric, values=value)


@jax.jit
def run(metric, values):
    return jax.lax.scan(lambda m, v: (update(m, v), None), metric, values)[0]


def truth(values, mode: str) -> tuple[float, float]:
    known = [(v, i) for i, v in enumerate(values.tolist()) if not math.isnan(v)]
    if not known:
        return math.nan, math.nan
    sign = 1 if mode == "max" else -1
    return max(known, key=lambda x: (sign * x[0], -x[1]))


SOME = st.sampled_from([0.0, 1.0, -1.0, 2.5, math.nan, math.inf, -math.inf])


@pytest.mark.parametrize("mode", ["max", "min"])
@few
@given(values=arrays(np.float32, 6, elements=SOME), at=st.integers(0, 6))
def test_the_first_of_the_best(mode, values, at):
    best = eqm.Best(eqm.Average(), mode)
    want = truth(values, mode)
    got = run(best, values).compute()
    np.testing.assert_array_equal((got["value"], got["step"]), want)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_merge_joins_consecutive_parts(mode):
    step, join = jax.jit(update), jax.jit(lambda a, b: a.merge(b))
    values = np.array([1, 3, np.nan, 3, 0, 0], np.float32)
    for cut in range(7):
        parts = []
        for own in (values[:cut], values[cut:]):
            best = eqm.Best(eqm.Average(), mode)
            for v in own:
                best = step(best, v)
            parts.append(best)
        merged = join(*parts)
        got = merged.compute()
        assert (got["value"], got["step"]) == truth(values, mode) and merged.updates == 6
        # the newest update is that of the later part
        after = step(merged, np.float32(-9)).compute()
        assert (after["value"], after["step"]) == ((3, 1) if mode == "max" else (-9, 6))


def test_by_hand():
    best = eqm.Best(eqm.Accuracy())
    assert np.isnan(best.compute()["value"]) and np.isnan(best.compute()["step"])
    for right in (1, 3, 2, 3):
        labels = jnp.where(jnp.arange(4) < right, 0, 1)
        best = best.update(logits=jnp.eye(2)[jnp.zeros(4, int)], labels=labels)
    assert best.compute() == {"value": 0.75, "step": 1, "since": 2}
    assert eqm.to_host(best.update(logits=jnp.ones((0, 2)), labels=jnp.ones(0, int))) == {
        "value": 0.75, "step": 1, "since": 3
    }
    assert np.isnan(best.reset().compute()["value"])
    f1 = eqm.Compose(lambda report: report["tp"][0], eqm.StatScores(eqm.Binary()))
    assert eqm.Best(f1)(labels=jnp.ones(3, int), logits=jnp.ones(3))["value"] == 3


def test_devices_join_their_rows_before_the_value_is_taken():
    values = np.arange(16, dtype=np.float32).reshape(2, 8)[:, ::-1]
    best = eqm.Best(eqm.Average(), "min")
    across = over(lambda m, v: m.update_across("devices", values=v), mesh_of(), (P(), P("devices")))
    for step, want in enumerate((3.5, 11.5)):
        best = across(best, values[step])
        assert best.metric.compute() == want and best.updates == step + 1
    assert best.compute() == {"value": 3.5, "step": 0, "since": 1}
    # states of all devices, of the same updates
    parts = jax.vmap(lambda v: run(eqm.Best(eqm.Max()), v))(jnp.array([[1.0, 5.0], [5.0, 2.0]]))
    assert parts.reduce().compute() == {"value": 5, "step": 0, "since": 1}


def test_invalid_rows_stay_invalid():
    bad = eqm.Best(eqm.Average()).update(values=jnp.ones(2), weights=jnp.array([-1.0, 1.0]))
    good = eqm.Best(eqm.Average()).update(values=jnp.ones(2))
    for metric in (bad, bad.update(values=jnp.ones(2)), bad.merge(good), good.merge(bad)):
        assert jnp.isnan(metric.compute()["value"])
        with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row\(s\); valid are"):
            metric.check()
    assert good.merge(bad.reset()).compute() == {"value": 1, "step": 0, "since": 0}


@pytest.mark.parametrize(
    "args, error, message",
    [
        ((eqm.Average(), "most",), ValueError, "mode='most': expected 'max' or"),
        ((eqm.Average((2,)),), TypeError, r"`Average` is.*\(2,\).*eqm.Compose"),
        ((eqm.Average,), TypeError, r"`Best` got.*Build it: `Average\(\)`"),
        ((eqm.Collect("x", fn=np.sum),), TypeError, "`Collect.chunks` grows"),
    ],
)
def test_what_it_refuses(args, error, message):
    with pytest.raises(error, match=message):
        eqm.Best(*args)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_patience_counts_the_updates_since_the_best(mode):
    sign = 1 if mode == "max" else -1
    best, since = eqm.Best(eqm.Average(), mode), []
    for value in (math.nan, math.nan, 1, 2, 2, math.nan, 3):
        best = best.update(values=jnp.array(sign * value, jnp.float32))
        since.append(int(best.compute()["since"]))
    assert since == [1, 2, 0, 0, 1, 2, 0]
    assert eqm.Best(eqm.Average(), mode).compute()["since"] == 0
    assert best.merge(best.reset().update(values=jnp.zeros(1))).compute()["since"] == 1
