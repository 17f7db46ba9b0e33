"""`NashSutcliffe` and `KlingGupta` beside their definitions in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import batch_of, rows_of, WAYS


SITES = (2,)
PAIR = {"predictions": SITES, "targets": SITES}


def efficiency(p, t, w):
    mean = np.average(t, weights=w)
    return 1 - np.sum(w * (p - t) ** 2) / np.sum(w * (t - mean) ** 2) if np.ptp(t) > 0 else np.nan


def kling(variant):
    def value(p, t, w):
        a, b = np.average(p, weights=w), np.average(t, weights=w)
        if np.ptp(p) == 0 or np.ptp(t) == 0 or abs(b) < 1e-3 * np.std(t) or a == 0:
            return np.nan
        s_p, s_t = (np.sqrt(np.average((x - m) ** 2, weights=w)) for x, m in ((p, a), (t, b)))
        r = np.average((p - a) * (t - b), weights=w) / (s_p * s_t)
        spread = s_p / s_t if variant == "2009" else (s_p / a) / (s_t / b)
        return 1 - np.sqrt((r - 1) ** 2 + (spread - 1) ** 2 + (a / b - 1) ** 2)

    return value


def check(seed, metric, value):
    for way, _ in WAYS:
        batch = batch_of(seed, PAIR)
        rows = [(*(row[name] for name in PAIR), w) for row, _, w in rows_of(batch)]
        want = np.full(SITES, np.nan)
        if rows:
            p, t, w = (np.array(x) for x in zip(*rows, strict=True))
            want = np.array([value(p[:, i], t[:, i], w) for i in range(SITES[0])])
        got = way(metric, batch).compute()
        # Near a mean of 0 the float64 definition has no digits either.
        sure = np.isnan(got) | ~np.isnan(want)
        np.testing.assert_allclose(got[sure], want[sure], rtol=1e-4, atol=1e-4)


@few
@given(seed=seeds)
def test_nash_sutcliffe(seed):
    metric = eqm.fields.NashSutcliffe(outputs=SITES, multioutput="raw_values")
    check(seed, metric, efficiency)


@pytest.mark.parametrize("variant", ["2009", "2012"])
@few
@given(seed=seeds)
def test_kling_gupta(variant, seed):
    metric = eqm.fields.KlingGupta(variant, outputs=SITES, multioutput="raw_values")
    check(seed, metric, kling(variant))


def test_by_hand():
    t = jnp.array([1.0, 2.0, 4.0])
    of = lambda p, *config: eqm.fields.KlingGupta(*config)(predictions=p, targets=t)
    assert of(t) == 1
    # Twice as large: r = 1, both ratios are 2; the variation stays in 2012.
    np.testing.assert_allclose(of(2 * t), 1 - 2**0.5, rtol=1e-5)
    np.testing.assert_allclose(of(2 * t, "2012"), 0, atol=1e-6)
    # Moved by the mean: the bias alone.
    np.testing.assert_allclose(of(t + 7 / 3), 0, atol=1e-6)
    nse = eqm.fields.NashSutcliffe()
    assert nse(predictions=t, targets=t) == 1
    assert abs(nse(predictions=jnp.full(3, 7 / 3), targets=t)) < 1e-6
    assert eqm.R2()(predictions=2 * t, targets=t) == nse(predictions=2 * t, targets=t)
    both = eqm.MetricDict(nse=nse, kge=eqm.fields.KlingGupta(), r2=eqm.R2())
    size = lambda metric: sum(x.size for x in jax.tree.leaves(metric))
    assert size(both) == size(nse)


def test_undefined():
    t = jnp.array([-1.0, 1.0])
    kge = eqm.fields.KlingGupta()
    assert jnp.isnan(kge.compute()) and jnp.isnan(eqm.fields.NashSutcliffe().compute())
    assert jnp.isnan(kge(predictions=t, targets=t))  # a mean of 0
    assert jnp.isnan(kge(predictions=t, targets=jnp.ones(2)))
    assert jnp.isnan(kge(predictions=jnp.ones(2), targets=t + 2))
    assert eqm.fields.KlingGupta(undefined=-1.0).compute() == -1
    with pytest.raises(ValueError, match="variant='2013'"):
        eqm.fields.KlingGupta("2013")  # pyright: ignore[reportArgumentType]
