"""`Quantile` and `Median` beside numpy: the bounds hold its value, always."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import eqmetrics as eqm

from .oracle import fold, moved, pairs, real_rows, spread


QS = (0.0, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0)
AT = eqm.Quantile(QS)
PLACES = st.sampled_from([(1, 0), (1, 1e3), (1, 1e6), (1e-12, 0), (1e12, 0), (1e37, 0)])


def held(low, high, want):
    """Up to the rounding of the bounds' own interpolation."""
    slack = 2e-7 * np.abs(want)
    return np.all((low - slack <= want) & (want <= high + slack))


@pytest.mark.parametrize("way", [fold, spread])
@settings(deadline=None, max_examples=250, derandomize=True)
@given(batch=pairs(weighted=False), place=PLACES)
def test_the_bounds_hold_the_quantile(way, batch, place):
    batch["values"] = batch.pop("targets")
    del batch["predictions"]
    batch = moved(batch, *place)
    x, _ = real_rows(batch, "values")
    low, high = (np.asarray(v, np.float64) for v in way(AT, batch).bounds())
    if x.size == 0:
        assert np.isnan(low).all() and np.isnan(high).all()
        return
    assert held(low, high, np.quantile(x, QS))
    spacing = np.spacing(np.float32(np.abs(x).max()))
    assert np.all(high - low <= np.maximum(1e-4 * np.ptp(x), 2 * spacing) * (1 + 1e-6))
    assert np.all(high - low <= 5e-3 * np.abs(x).max())


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_many_rows_in_batches_and_on_devices(offset):
    x = (np.random.default_rng(0).normal(size=80_000) + offset).astype(np.float32)
    want = np.quantile(x.astype(np.float64), QS)
    ends = [way(AT, {"values": x.reshape(8, -1)}).bounds() for way in (fold, spread)]
    for low, high in ends:
        assert held(np.asarray(low), np.asarray(high), want)
        assert np.all(np.asarray(high) - np.asarray(low) <= 1e-4 * np.ptp(x))
    np.testing.assert_array_equal(ends[0][0], ends[1][0])


def test_a_growing_range_moves_the_cells():
    x = np.float32(1.7) ** np.arange(-40, 40, dtype=np.float32)
    metric = fold(eqm.Median(), {"values": np.concatenate([x, -x])[:, None]})
    low, high = metric.bounds()
    assert low <= 0.0 <= high and high - low < 2e-9
    again = spread(eqm.Median(), {"values": np.concatenate([-x, x]).reshape(8, -1)})
    np.testing.assert_array_equal(again.bounds(), (low, high))
    total = eqm.to_host(metric.statistic.compute()["weight"])
    assert total == 160


def test_by_hand():
    x = jnp.array([1.0, 9.0, 2.0])
    low, high = eqm.Median().update(x).bounds()
    assert low <= 2.0 < high + 1e-6 and high - low < 5e-4
    weighted = eqm.Median().update(x, weights=jnp.array([5, 1, 1]))
    assert abs(weighted.compute() - 1.0) < 5e-4
    between = eqm.Quantile(0.25).update(jnp.array([0.0, 100.0])).compute()
    assert abs(between - 25.0) < 0.01
    assert eqm.Quantile(1.0)(x) == 9.0 and abs(eqm.Quantile(0.0)(x) - 1.0) < 5e-4
    assert eqm.Median()(jnp.full(5, 0.1)) == jnp.float32(0.1)
    d = eqm.MetricDict(median=eqm.Median(), tail=eqm.Quantile(0.9))
    assert len(d.states) == 1
    seen = jax.jit(lambda d, x: d.update(values=x))(d, x).compute()
    assert abs(seen["tail"] - np.quantile(x, 0.9)) < 0.01


@pytest.mark.parametrize("way", [fold, spread])
@settings(deadline=None, max_examples=100, derandomize=True)
@given(batch=pairs(), scale=st.sampled_from([0.37, 2.0**-60, 1e-20, 1e16]))
def test_weights_that_are_not_whole_invert_their_distribution(way, batch, scale):
    batch["values"] = batch.pop("targets")
    del batch["predictions"]
    batch = moved(batch)
    batch["weights"] = (batch["weights"] * scale).astype(np.float32)
    x, w = real_rows(batch, "values")
    low, high = (np.asarray(v, np.float64) for v in way(AT, batch).bounds())
    if x.size == 0:
        assert np.isnan(low).all() and np.isnan(high).all()
        return
    # Whichever side of a share that is met exactly float64 finds it on.
    near = [np.clip(np.array(QS) + d, 0, 1) for d in (-1e-12, 1e-12)]
    least, most = (np.quantile(x, q, weights=w, method="inverted_cdf") for q in near)
    rounding = 2e-7 * np.abs(x).max()
    assert np.all(low <= least + rounding) and np.all(most <= high + rounding)
    slack = 1e-4 * np.ptp(x) + rounding
    assert np.all(high - low <= most - least + 2 * slack)


def test_no_scale_of_weights_moves_a_median():
    x = jnp.array([1.0, 2, 3, 4, 5])
    for n in (4, 5):
        for w in (0.2, 0.9, 1.0, 2.0, 1e-20, 1e16):
            got = eqm.Median()(x[:n], weights=jnp.full(n, w))
            assert abs(got - (n + 1) / 2) < 5e-4, (n, w)
    low, high = eqm.Median().update(x, weights=jnp.full(5, 0.2)).bounds()
    assert low <= 3 <= high < 3.0005
    assert eqm.Quantile(1.0)(x, weights=jnp.full(5, 0.9)) == 5.0
    assert abs(eqm.Quantile(0.0)(x, weights=jnp.full(5, 0.9)) - 1.0) < 5e-4
    rng = np.random.default_rng(0)
    many = rng.normal(size=100_000).astype(np.float32)
    w = rng.random(100_000).astype(np.float32)
    w /= w.sum()
    qs = 0.05, 0.5, 0.84
    low, high = eqm.Quantile(qs).update(jnp.asarray(many), weights=jnp.asarray(w)).bounds()
    want = np.quantile(many, qs, weights=w.astype(np.float64), method="inverted_cdf")
    assert np.all(low <= want) and np.all(want <= high) and np.all(high - low < 2e-3)
    # Whole weights repeat, in one batch and over several; one that isn't whole is remembered.
    parts = [eqm.Quantile(0.25).update(x[i : i + 1], weights=jnp.array([i + 1])) for i in (0, 1)]
    both = parts[0].merge(parts[1])
    assert abs(both.compute() - np.quantile([1, 2, 2], 0.25)) < 5e-4
    assert abs(both.update(x[:1], weights=jnp.array([0.5])).compute() - 1.0) < 5e-4


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Median().compute()) and eqm.Median(undefined=0.0).compute() == 0.0
    assert eqm.Quantile((0.1, 0.2), undefined=0.0).compute().tolist() == [0.0, 0.0]
    for odd in (jnp.inf, jnp.nan):
        seen = eqm.Median().update(jnp.array([odd, 1.0]))
        assert jnp.isnan(seen.compute()) and jnp.isnan(seen.bounds()[0])
        with pytest.raises(eqm.InvalidDataError, match="Median: 1 invalid row.*finite"):
            seen.check()
    with pytest.raises(ValueError, match="q=1.5"):
        eqm.Quantile(1.5)
