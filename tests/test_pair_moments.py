"""`PairMoments` beside float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import agree, few, fold, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(
    batch=pairs(columns=(2,)), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)])
)
def test_float64s(way, batch, place):
    batch = moved(batch, *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    got = way(eqm.PairMoments(2), batch).compute()
    agree(got["weight"], w.sum())
    x = np.stack([t, p, p - t])
    if w.size == 0:
        assert np.all(got["mean"] == 0) and np.all(got["products"] == 0)
        return
    mean = np.average(x, axis=1, weights=w)
    agree(got["mean"], mean, rtol=1e-6, atol=1e-6 * place[0])
    d = x - mean[:, None]
    want = np.sum(d[[0, 1, 0, 2]] * d[[0, 1, 1, 2]] * w[:, None], axis=1)
    agree(got["products"], want, rtol=1e-5, atol=1e-6 * w.sum() * place[0] ** 2)


def test_by_hand():
    p, t = jnp.array([1.0, 3.0]), jnp.array([2.0, 6.0])
    value = eqm.PairMoments()(predictions=p, targets=t, weights=jnp.array([2, 2]))
    assert value["weight"] == 4.0 and value["mean"].tolist() == [4.0, 2.0, -2.0]
    assert value["products"].tolist() == [16.0, 4.0, 8.0, 4.0]


def test_the_order_of_devices_changes_no_bit():
    x = np.random.default_rng(0).normal(size=(2, 8, 50)).astype(np.float32)
    states = jax.vmap(lambda p, t: eqm.PairMoments().update(predictions=p, targets=t))(*x)
    back = jax.tree.map(lambda a: a[::-1], states)
    both = zip(jax.tree.leaves(states.reduce()), jax.tree.leaves(back.reduce()), strict=True)
    assert all(bool((a == b).all()) for a, b in both)


def test_inf_and_nan_propagate():
    for odd in (jnp.inf, jnp.nan, 1e30):
        metric = eqm.R2().update(predictions=jnp.array([1.0, 2.0]), targets=jnp.array([odd, 3.0]))
        parts = jax.vmap(lambda p, t: eqm.R2().update(predictions=p, targets=t))(
            jnp.ones((2, 3)), jnp.array([[1.0, odd, 2.0], [1.0, 2.0, 3.0]])
        )
        for value in (metric.compute(), parts.reduce().compute()):
            assert jnp.isnan(value)
