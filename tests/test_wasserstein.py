"""`Wasserstein1D` beside scipy: the bounds hold its value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import wasserstein_distance

import eqmetrics as eqm

from .oracle import agree, at_once, cases, fold, moved, real_rows, seeds, separate, spread


@jax.jit
def scored(stacked):
    def one(batch):
        metrics = fold(eqm.Wasserstein1D(), batch), spread(eqm.Wasserstein1D(), batch)
        return [(*m.bounds(), m.compute()) for m in metrics]

    return jax.lax.map(one, stacked)


@at_once
@given(
    seed=seeds,
    place=st.sampled_from([(1, 0), (1, 1e3), (1, 1e6), (1e-12, 0), (1e12, 0)]),
)
def test_the_bounds_hold_scipys(seed, place):
    batches = moved(cases(seed), *place)
    for way in jax.device_get(scored(batches)):
        for (low, high, value), batch in zip(separate(way), separate(batches), strict=True):
            p, t, w = real_rows(batch, "predictions", "targets")
            if w.size == 0:
                assert np.isnan([low, high, value]).all()
                continue
            want = wasserstein_distance(p, t, w, w)
            reach = np.ptp(np.concatenate([p, t]))
            slack = 2e-7 * (want + reach)  # scipy's own rounding at an offset, and ours
            assert low - slack <= want <= high + slack and low <= value <= high
            # the moves of both distributions, each at most a cell
            spacing = np.spacing(np.float32(np.abs(np.concatenate([p, t])).max()))
            assert high - low <= 4 * max(6.2e-5 * reach, spacing) + 2 * slack


def test_many_rows_and_any_pairing():
    rng = np.random.default_rng(0)
    t = rng.normal(size=80_000).astype(np.float32)
    for offset, scale in ((0.0, 1.1), (0.3, 1.0), (0.0, 1.0)):
        p = (rng.normal(size=t.size) * scale + offset).astype(np.float32)
        batch = {"predictions": p.reshape(8, -1), "targets": t.reshape(8, -1)}
        metric = fold(eqm.Wasserstein1D(), batch)
        want = wasserstein_distance(p, t)
        low, high = metric.bounds()
        assert low <= want <= high and high - low < 2e-3
        agree(metric.compute(), want, rtol=0, atol=1e-4)
    low, high = eqm.Wasserstein1D().update(predictions=t[::-1], targets=t).bounds()
    assert low == 0.0 and high < 2e-3


def test_by_hand():
    p, t = jnp.array([0.0, 10.0]), jnp.array([5.0, 1.0])
    agree(eqm.Wasserstein1D()(predictions=p, targets=t), 3.0, rtol=1e-3)  # 0 to 1 and 10 to 5
    weights = jnp.array([3, 1])
    got = eqm.Wasserstein1D()(predictions=p, targets=t, weights=weights)  # 0, 0, 0, 10; 1, 5, 5, 5
    agree(got, (1 + 5 + 5 + 5) / 4, rtol=1e-3)
    one = jnp.full(3, 0.1)
    assert eqm.Wasserstein1D()(predictions=one, targets=one) == 0.0


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Wasserstein1D().compute())
    assert eqm.Wasserstein1D(undefined=0.0).compute() == 0.0
    seen = eqm.Wasserstein1D().update(predictions=jnp.array([jnp.inf, 1]), targets=jnp.ones(2))
    assert jnp.isnan(seen.compute()) and jnp.isnan(seen.bounds()[1])
    with pytest.raises(eqm.InvalidDataError, match="Wasserstein1D.*1 invalid row.*finite"):
        seen.check()
    with pytest.raises(TypeError, match=r"`predictions` is .*\[2\] and `targets` is .*\[2, 1\]"):
        eqm.Wasserstein1D().update(predictions=jnp.ones(2), targets=jnp.ones((2, 1)))
