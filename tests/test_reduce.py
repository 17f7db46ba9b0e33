"""The pytree functions; stacked states; and what `shard_map` allows."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec as P
from jaxtyping import Array

import eqmetrics as eqm
from eqmetrics._metric.node import walk
from eqmetrics._reduction.reduce import _has_own_merge
from eqmetrics.testing._subject import Subject

from .table import APART, ROWS
from .users_metric import ColumnMean


class State(eqx.Module):
    weight: Array
    metrics: list


def state():
    return State(jnp.ones(3), [{"loss": eqm.Average(), "rows": eqm.Count()}])


def step(s: State, x: Any) -> State:
    seen = {name: m.update(x) for name, m in s.metrics[0].items()}
    return eqx.tree_at(lambda s: s.metrics, s, [seen])


def over(f, in_specs):
    mesh = jax.make_mesh((8,), ("devices",), axis_types=(AxisType.Auto,))
    return jax.jit(jax.shard_map(f, mesh=mesh, in_specs=in_specs, out_specs=P()))


def test_functions_touch_only_the_metrics_of_a_training_state():
    one, two = step(state(), jnp.array(1.0)), step(state(), jnp.array(3.0))
    two = eqx.tree_at(lambda s: s.weight, two, jnp.zeros(3))
    merged = eqm.merge(one, two)
    assert merged.weight.tolist() == [1, 1, 1]  # the left one's
    assert eqm.compute(merged).metrics == [{"loss": 2.0, "rows": 2.0}]
    empty = eqm.reset(merged)
    assert empty.weight.tolist() == [1, 1, 1] and empty.metrics[0]["rows"].compute() == 0
    assert eqm.to_host(merged).metrics == [{"loss": 2.0, "rows": 2}]


def test_reduce_and_unreplicate_leave_the_rest_stacked():
    states = jax.vmap(step, in_axes=(None, 0))(state(), jnp.arange(8.0))
    reduced = eqm.reduce(states)
    assert eqm.compute(reduced).metrics == [{"loss": 3.5, "rows": 8.0}]
    assert reduced.weight.shape == (8, 3)
    first = eqm.unreplicate(states)
    assert first.metrics[0]["loss"].compute() == 0.0 and first.weight.shape == (8, 3)


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_reduce_is_the_merge_of_all(n):
    x = np.random.default_rng(n).normal(size=(n, 5, 2)).astype(np.float32)
    stacked = jax.vmap(lambda v: ColumnMean(2).update(v))(x)
    np.testing.assert_allclose(stacked.reduce().compute(), x.mean((0, 1)), rtol=1e-5, atol=1e-6)


def test_what_is_not_stacked_is_not_reduced():
    with pytest.raises(TypeError, match=r"`ColumnMean.reduce\(\)`.*nothing to reduce"):
        ColumnMean(2).reduce()
    x = jnp.arange(120.0).reshape(3, 4, 5, 2)
    twice = jax.vmap(jax.vmap(lambda v: ColumnMean(2).update(v)))(x)
    with pytest.raises(TypeError, match="leading axis of 4"):
        twice.reduce().compute()


def test_a_replicated_state_that_saw_data_is_not_all_reduced():
    seen = eqm.Average().update(jnp.ones(4))
    with pytest.raises(TypeError, match="Average.*8 times.*update_across.*eqm.vary"):
        over(lambda m: m.all_reduce("devices"), P())(seen)
    nested = eqm.MetricDict(a=seen, b=eqm.Count())
    with pytest.raises(TypeError, match="update_across.*eqm.vary"):
        over(lambda m: eqm.all_reduce(m, "devices"), P())({"in a state": nested})
    # said to hold other data on each device, it is summed
    varied = over(lambda m: eqm.vary(m, "devices").all_reduce("devices"), P())(seen)
    assert varied.sums.read("weight") == 32
    # and a fresh one has nothing that could count twice
    empty = over(lambda _: eqm.Count().all_reduce("devices"), P("devices"))(jnp.ones(8))
    assert empty.compute() == 0


def test_vary_makes_a_fresh_metric_a_scan_carry():
    x = jnp.arange(32.0).reshape(4, 8)

    def scanned(start, x):
        metric = jax.lax.scan(lambda m, v: (m.update(v), None), start, x)[0]
        return metric.all_reduce("devices")

    spec = P(None, "devices")
    with pytest.raises(TypeError, match="carry"):
        over(lambda x: scanned(eqm.Average(), x), spec)(x)
    varied = over(lambda x: scanned(eqm.vary(eqm.Average(), "devices"), x), spec)(x)
    assert varied.compute() == 15.5 and varied.sums.read("weight") == 32
    tree = over(lambda x: scanned(eqm.vary([eqm.Std()], "devices")[0], x), spec)(x)
    np.testing.assert_allclose(tree.compute(), np.arange(32.0).std(), rtol=1e-6)


def test_a_count_counts_every_device_once():
    # Its state after an update is the same on all devices, and still each saw other rows.
    def update(x):
        return eqm.Count().update(x).all_reduce("devices")

    assert over(update, P("devices"))(jnp.ones(24)).compute() == 24
    across = over(lambda m, x: m.update_across("devices", x), (P(), P("devices")))
    count = eqm.Count()
    for rows in (24, 8, 16):
        count = across(count, jnp.ones(rows))
    assert count.compute() == 48


def test_all_reduce_under_vmap_and_pmap():
    x = jnp.arange(16.0).reshape(8, 2)
    update = lambda v: eqm.Average().update(v).all_reduce("i")
    for mapped in (jax.vmap(update, axis_name="i"), jax.pmap(update, axis_name="i")):
        assert eqm.unreplicate(mapped(x)).compute() == 7.5
    seen = eqm.Average().update(jnp.array([100.0]))
    across = jax.pmap(lambda m, v: m.update_across("i", v), axis_name="i", in_axes=(None, 0))
    assert eqm.unreplicate(across(seen, x)).compute() == np.float32((120 + 100) / 17)


def test_axes_may_be_a_list():
    inner = lambda x: eqm.Sum().update(x).all_reduce(["a", "b"]).compute()  # pyright: ignore
    both = jax.vmap(jax.vmap(inner, axis_name="b"), axis_name="a")
    assert both(jnp.ones((2, 3))).tolist() == [[6.0] * 3] * 2


OWN = [n for n in ROWS if any(_has_own_merge(m) for _, m, _ in walk(ROWS[n][0])) and n not in APART]


@pytest.mark.parametrize("outer", ["vmap", "pmap"])
def test_a_merge_of_its_own_reduces_over_two_axes(outer):
    # In one program: each has its price. Of three parts the last has no pair at first.
    assert {"Moments", "Buffer", "Reservoir", "Spearman"} <= set(OWN)
    shape = {"vmap": (2, 3), "pmap": (2, 2)}[outer]
    metrics = {n: ROWS[n][0] for n in OWN}
    join = lambda *parts: jnp.asarray(np.concatenate(parts)[:24])
    rows = {n: jax.tree.map(join, *ROWS[n][1]) for n in OWN}
    parts = jax.tree.map(lambda x: x.reshape(*shape, -1, *x.shape[1:]), rows)

    def reduced(batches):
        updated = {n: m.update(**batches[n]) for n, m in metrics.items()}
        return eqm.all_reduce(updated, ("a", "b"))

    inner = jax.vmap(reduced, axis_name="b")
    mapped = {"vmap": lambda f: jax.jit(jax.vmap(f, axis_name="a")),
              "pmap": lambda f: eqx.filter_pmap(f, axis_name="a")}[outer](inner)  # fmt: skip
    got = jax.device_get(mapped(parts))
    for n, m in metrics.items():
        # Every place has the bits of the first.
        for x in jax.tree.leaves(got[n]):
            assert (np.asarray(x) == np.asarray(x)[:1, :1]).all() or np.isnan(x).any(), n
        first = jax.tree.map(lambda x: jnp.asarray(x[0, 0]), got[n])
        Subject(m, ROWS[n][1], 1e-5).equal(first, m.update(**rows[n]), n)


@pytest.mark.long
def test_what_is_reduced_is_known_to_be_the_same_on_all_devices():
    """`shard_map` asks it of a result that it returns once, constants of the metric included."""
    reduced = over(lambda m, b: m.update(**b).all_reduce("devices"), (P(), P("devices")))
    failed = []
    for name, (metric, batches) in ROWS.items():
        batch = {k: np.concatenate([v] * 8) for k, v in batches[0].items()}
        try:
            reduced.trace(metric.reset(), batch)
        except ValueError as e:
            failed.append((name, e))
    assert not failed
