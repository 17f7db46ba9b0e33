"""`D2Tweedie` beside scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import d2_tweedie_score

import eqmetrics as eqm

from .oracle import (
    agree,
    at_once,
    cases,
    fold,
    moved,
    real_rows,
    seeds,
    separate,
    spread,
    values_of,
)


POWERS = (0, 1, 1.5, 2, 3)
ALL = eqm.MetricDict({str(power): eqm.D2Tweedie(power) for power in POWERS})


def wanted(power, p, t, w):
    if w.size == 0 or np.ptp(t) == 0:
        return np.nan
    return d2_tweedie_score(t, p, sample_weight=w, power=power)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds, scale=st.sampled_from([1.0, 1e-8, 1e8]))
def test_scikit_learns(way, seed, scale):
    stacked = moved(cases(seed, 1 / 1024), scale)
    got = separate(jax.device_get(values_of(way, ALL, stacked)))
    for value, batch in zip(got, separate(stacked), strict=True):
        p, t, w = real_rows(batch, "predictions", "targets")
        for power in POWERS:
            want = wanted(power, p, t, w)
            size = 1 + abs(np.nan_to_num(1 - want))
            agree(value[str(power)], want, rtol=2e-5, atol=2e-5 * size)


@pytest.mark.parametrize("rows", [1, 100])
def test_rows_one_by_one_and_batches_at_any_place(rows):
    x = np.random.default_rng(0).normal(size=2000)
    y = x + 0.5 * np.random.default_rng(1).normal(size=x.shape)
    metric = eqm.D2Tweedie(1)
    for scale, offset in ((1, 10), (1, 1e6), (1e-12, 1e-11), (1e12, 1e13)):
        p, t = ((z * scale + offset).astype(np.float32) for z in (y, x))
        batch = {"predictions": p.reshape(-1, rows), "targets": t.reshape(-1, rows)}
        want = by_definition(1, p.astype(np.float64), t.astype(np.float64))
        for way in (fold, spread):
            agree(way(metric, batch).compute(), want, rtol=2e-5)


def by_definition(power, p, t):
    """By the second derivative: scikit-learn's differences cancel at an offset."""
    x, w = np.polynomial.legendre.leggauss(20)

    def loss(m):
        u = (x[:, None] + 1) / 2
        return (t - m) ** 2 * (w[:, None] * (1 - u) * (m + u * (t - m)) ** -power).sum(0)

    return 1 - loss(p).sum() / loss(t.mean()).sum()


def test_columns_with_zeros():
    p = jnp.array([[1.0, 2.0], [2.0, 2.0], [3.0, 2.0], [1.0, 1.0]])
    t = jnp.array([[0.0, 5.0], [0.0, 5.0], [4.0, 5.0], [0.0, 5.0]])
    for power in (1, 1.5):
        d2 = eqm.D2Tweedie(power, outputs=2, multioutput="raw_values", undefined=-1.0)
        want = d2_tweedie_score(t[:, 0], p[:, 0], power=power)  # pyright: ignore[reportArgumentType]
        parts = d2.update(predictions=p[:2], targets=t[:2])  # zeros alone: a mean of 0
        parts = parts.merge(d2.update(predictions=p[2:], targets=t[2:]))
        agree(parts.compute(), [want, -1.0])
        agree(d2(predictions=p, targets=t), [want, -1.0])


def test_by_hand():
    p, t = jnp.array([1.0, 2.0]), jnp.array([0.0, 2.0])
    assert eqm.D2Tweedie()(predictions=p, targets=t) == 0.5
    # 2 over 2 * (1 + 2 log 2 - 1)
    agree(eqm.D2Tweedie(1)(predictions=p, targets=t), 1 - 1 / (2 * np.log(2)))


def test_undefined_and_invalid():
    one = jnp.full(3, 0.1)
    for power in POWERS:
        d2 = eqm.D2Tweedie(power)
        assert jnp.isnan(d2.compute()) and eqm.D2Tweedie(power, undefined=0.0).compute() == 0.0
        constant = d2.update(predictions=one * 2, targets=one, weights=jnp.array([0.3, 7, 1]))
        assert jnp.isnan(constant.merge(constant).compute())
        assert jnp.isnan(d2(predictions=one[:1], targets=one[:1] * 2))
        nan = jnp.array([jnp.nan, 1.0, 2.0])
        assert jnp.isnan(d2.update(predictions=one, targets=nan).merge(constant).compute())
        assert jnp.isnan(d2(predictions=nan, targets=one * jnp.arange(1.0, 4)))
    tiny = 1e-37 * jnp.arange(1.0, 4)
    assert jnp.isnan(eqm.D2Tweedie(1)(predictions=tiny[::-1], targets=tiny))
    with pytest.raises(eqm.InvalidDataError, match="D2Tweedie: 1 invalid row.*targets > 0"):
        eqm.D2Tweedie(2).update(predictions=one, targets=jnp.array([0.0, 1, 2])).check()
    for power in (0.5, -1, np.nan):
        with pytest.raises(ValueError, match="power="):
            eqm.D2Tweedie(power)
    with pytest.raises(TypeError, match=r"`predictions` is .*\[3\] and `targets` is .*\[3, 1\]"):
        eqm.D2Tweedie().update(predictions=one, targets=one[:, None])
