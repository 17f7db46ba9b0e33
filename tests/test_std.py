"""`Std` and `Variance` beside float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, rows_of, spread


def variance(x: np.ndarray, w: np.ndarray, ddof: int) -> float:
    if math.fsum(w) <= ddof:
        return math.nan
    mean = math.fsum(x * w) / math.fsum(w)
    return math.fsum(w * (x - mean) ** 2) / (math.fsum(w) - ddof)


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("ddof", [0, 1])
@few
@given(batch=batches(floats(2.0)), offset=st.sampled_from([0.0, 1.0, -1e3, 1e6]))
def test_variance_and_std_are_float64s(way, ddof, batch, offset):
    batch["values"] = (batch["values"] + offset).astype(np.float32)
    x, w = rows_of(batch)
    want = variance(x, w, ddof)
    # The second term: two values that float32 can't tell apart at this offset.
    bound = 1e-4 * want + 1e-12 * (offset * offset + 1) * w.sum() / (w.sum() - ddof or 1)
    for metric, wanted in (
        (eqm.Variance(ddof=ddof), want),
        (eqm.Std(ddof=ddof), math.sqrt(want) if want == want else want),
    ):
        got = eqm.to_host(way(metric, batch))
        squared = got * got if isinstance(metric, eqm.Std) else got
        assert math.isnan(wanted) == math.isnan(got)
        assert math.isnan(wanted) or abs(squared - want) <= bound


@pytest.mark.parametrize("rows", [1, 32, 100])
@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_at_a_large_offset(rows, offset):
    x = (np.random.default_rng(0).normal(size=20000) + offset).astype(np.float32)
    x = x[: x.size // rows * rows]
    want = x.astype(np.float64).std()
    got = fold(eqm.Std(), {"values": x.reshape(-1, rows)}).compute()
    assert abs(float(got) / want - 1) < 1e-4
    parts = spread(eqm.Std(), {"values": x[: x.size // 8 * 8].reshape(8, -1)}).compute()
    assert abs(float(parts) / x[: x.size // 8 * 8].astype(np.float64).std() - 1) < 1e-4


def test_the_order_of_devices_changes_no_bit():
    x = np.random.default_rng(0).normal(size=(8, 100)).astype(np.float32)
    states = jax.vmap(lambda v: eqm.Std().update(v))(x)
    first = states.reduce()
    shuffled = jax.tree.map(lambda a: a[::-1], states).reduce()
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), first, shuffled))


def test_by_hand():
    x = jnp.array([1.0, 3.0, 100.0])
    mask = jnp.array([True, True, False])
    assert eqm.Variance()(x, mask=mask) == 1.0 and eqm.Std()(x, mask=mask) == 1.0
    assert eqm.Variance(ddof=1)(x, mask=mask) == 2.0
    assert eqm.Std(ddof=1)(x, weights=jnp.array([1.0, 1.0, 0.0])) == jnp.sqrt(2.0)
    assert eqm.Variance()(jnp.array([0.0, 4.0]), weights=jnp.array([3.0, 1.0])) == 3.0
    assert eqm.Std()(jnp.full(5, 0.1)) == 0.0
    parts = eqm.Std().update(jnp.array([0.0])).merge(eqm.Std().update(jnp.array([2.0])))
    assert parts.compute() == 1.0


def test_undefined_and_invalid():
    for cls in (eqm.Std, eqm.Variance):
        assert jnp.isnan(cls().compute())
        assert cls()(jnp.ones(1)) == 0.0
        assert jnp.isnan(cls(ddof=1)(jnp.ones(1)))
        assert cls(ddof=1, undefined=0.0)(jnp.ones(1)) == 0.0
        assert jnp.isnan(cls(undefined=0.0)(jnp.array([jnp.nan, 1.0])))
        with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
            cls().update(jnp.ones(2), weights=jnp.array([1.0, -1.0])).check()


def test_spreads_beyond_the_range_are_never_plausible():
    x = jnp.array([1.0, 2.0, 4.0])
    for cls in (eqm.Std, eqm.Variance):
        for offset in (0.0, 1e-15):
            metric = cls().update(x * 1e-21 + offset)
            for seen in (metric, metric.merge(metric), cls().update(x[:1]).reset().merge(metric)):
                # at 1e-15 floats are 1e-22 apart
                assert jnp.isnan(seen.compute())
        one = cls().update(x[:1] * 1e-21)
        assert one.compute() == 0.0 and one.merge(one).compute() == 0.0
        assert jnp.isnan(one.merge(cls().update(x[1:2] * 1e-21)).compute())
        assert not jnp.isfinite(cls()(x * 1e25))
        small = float(cls()(x * 1e-12))
        assert abs(small / np.float32(cls()(x) * (1e-12 if cls is eqm.Std else 1e-24)) - 1) < 1e-5
