"""`Windowed`: the metric on the rows of the last updates."""

import io

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm

from .oracle import few


STEPS = 130
RNG = np.random.default_rng(0)
VALUES = RNG.integers(-99, 99, (STEPS, 2)).astype(np.float32)
MASK = RNG.random((STEPS, 2)) < 0.7  # some updates are empty


def inner() -> eqm.MetricDict:
    return eqm.MetricDict(mean=eqm.Average(), newest=eqm.LastValue())


def update(metric, batch):
    return type(metric).update(metric, values=batch[0], mask=batch[1])


@jax.jit
def run(metric, values, mask):
    """The metric after all updates, and its value after each."""

    def step(m, batch):
        m = update(m, batch)
        return m, m.compute()

    return jax.lax.scan(step, metric, (values, mask))


def truth(end: int, size: int, values=VALUES, mask=MASK) -> dict[str, float]:
    """After update number `end`, counted from 1."""
    last = slice(max(end - size, 0), end)
    x = values[last][mask[last]].astype(np.float64)
    newest = [v[m] for v, m in zip(values[last], mask[last], strict=True) if m.any()]
    return {
        "mean": x.mean() if x.size else np.nan,
        "newest": newest[-1].mean(dtype=np.float64) if newest else np.nan,
    }


def same(got, want) -> None:
    for name, x in want.items():
        np.testing.assert_allclose(got[name], x, 1e-6, err_msg=name)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_each_value_is_that_of_the_last_updates(size):
    _, values = run(eqm.Windowed(inner(), size), VALUES, MASK)
    for i in range(STEPS):
        same({k: x[i] for k, x in values.items()}, truth(i + 1, size))


@pytest.mark.slow
@pytest.mark.parametrize("size", range(1, 101))
def test_each_value_at_every_size(size):
    test_each_value_is_that_of_the_last_updates(size)


@few
@given(
    values=arrays(np.float32, (5, 2), elements=st.integers(-9, 9)),
    mask=arrays(np.bool_, (5, 2)),
)
def test_any_updates(values, mask):
    _, got = run(eqm.Windowed(inner(), 3), values, mask)
    for i in range(5):
        same({k: x[i] for k, x in got.items()}, truth(i + 1, 3, values, mask))


def test_eager_jit_and_a_checkpoint_in_the_middle_agree():
    metric = restored = eqm.Windowed(inner(), 3)
    jitted = jax.jit(update)
    for i in range(7):
        metric = update(metric, (VALUES[i], MASK[i]))
        restored = jitted(restored, (VALUES[i], MASK[i]))
        file = io.BytesIO()
        eqx.tree_serialise_leaves(file, restored)
        file.seek(0)
        restored = eqx.tree_deserialise_leaves(file, eqm.Windowed(inner(), 3))
    same(metric.compute(), truth(7, 3))
    same(restored.compute(), truth(7, 3))
    assert np.isnan(metric.reset().compute()["mean"])


@pytest.mark.parametrize("size", [1, 3])
def test_merge_joins_consecutive_parts(size):
    empty = eqm.Windowed(inner(), size)
    states = [empty]
    step = jax.jit(update)
    for i in range(7):
        states.append(step(states[-1], (VALUES[i], MASK[i])))
    join = jax.jit(lambda a, b: (a.merge(b), a.merge(b).compute()))
    for i in range(8):
        own = empty
        for k in range(7 - i):
            merged, value = join(states[i], own)
            same(value, truth(i + k, size))
            assert merged.updates == i + k
            own = step(own, (VALUES[i + k], MASK[i + k]))
        merged, value = join(states[i], own)
        same(value, truth(7, size))
        # and goes on from there
        same(step(merged, (VALUES[7], MASK[7])).compute(), truth(8, size))


def test_devices_have_rows_of_their_own_in_the_same_updates():
    metric = eqm.Windowed(inner(), 2)
    parts = jax.vmap(lambda v, m: run(metric, v, m)[0])(
        VALUES[:12].reshape(4, 3, 2), np.ones((4, 3, 2), bool)
    )
    got, x = parts.reduce().compute(), VALUES[:12].reshape(4, 3, 2)
    same(got, {"mean": x[:, 1:].mean(), "newest": x[:, 2].mean()})
    # a window that has seen updates, and then one of every device
    seen = metric.update(values=VALUES[0])
    across = jax.jit(jax.vmap(lambda v: seen.update_across("d", values=v), axis_name="d"))
    got = jax.tree.map(lambda a: a[0], across(x[:, 0])).compute()
    same(got, {"mean": np.append(x[:, 0], VALUES[0]).mean(), "newest": x[:, 0].mean()})


def test_invalid_rows_leave_with_their_update():
    metric = eqm.Windowed(eqm.Average(), 2)
    bad = metric.update(values=jnp.ones(2), weights=jnp.array([1.0, -1.0]))
    with pytest.raises(eqm.InvalidDataError, match="^Average: 1 invalid"):
        bad.check()
    bad = bad.update(values=jnp.ones(2))
    assert jnp.isnan(bad.compute())
    bad = bad.update(values=jnp.ones(2))
    bad.check()
    assert bad.compute() == 1 and eqm.to_host(bad) == 1


def test_what_it_refuses():
    with pytest.raises(ValueError, match="size=0: expected a whole number from 1 on"):
        eqm.Windowed(eqm.Average(), 0)
    with pytest.raises(TypeError, match="`Windowed` wraps states.*`Collect.chunks` grows"):
        eqm.Windowed(eqm.Collect("x"), 2)
    with pytest.raises(TypeError, match=r"Build it: `Average\(\)`"):
        eqm.Windowed(eqm.Average, 2)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`size` is 2 here and 3 there"):
        eqm.Windowed(eqm.Average(), 2).merge(eqm.Windowed(eqm.Average(), 3))
    used = eqm.Average().update(values=jnp.ones(2))
    assert jnp.isnan(eqm.Windowed(used, 2).compute())
