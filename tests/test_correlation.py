"""`Pearson` and `Concordance` beside numpy in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import agree, fold, LOST, many, moved, pairs, real_rows, spread


BOTH = eqm.MetricDict(pearson=eqm.Pearson(), concordance=eqm.Concordance())


def wanted(p, t, w):
    want = {"pearson": np.nan, "concordance": np.nan}
    if w.size == 0:
        return want
    a, b = (x - np.average(x, weights=w) for x in (p, t))
    pp, tt, tp = (np.average(x, weights=w) for x in (a * a, b * b, a * b))
    gap = np.average(p - t, weights=w)
    if np.ptp(p) > 0 and np.ptp(t) > 0 and min(pp, tt) > LOST:
        want["pearson"] = tp / np.sqrt(pp * tt)
    if (np.ptp(p) > 0 or np.ptp(t) > 0) and pp + tt > LOST:
        want["concordance"] = 2 * tp / (pp + tt + gap**2)
    return want


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_float64s(way, batch, place):
    batch = moved(batch, *place)
    got, want = way(BOTH, batch).compute(), wanted(*real_rows(batch, "predictions", "targets"))
    for name in want:
        agree(got[name], want[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("place", [(1, 1e6), (1e-12, 0), (1e12, 0)])
def test_rows_one_by_one_and_batches_at_any_place(rows, place):
    t = np.random.default_rng(0).normal(size=2000)
    p = t + np.random.default_rng(1).normal(size=t.shape)
    p, t = ((x * place[0] + place[1]).astype(np.float32) for x in (p, t))
    batch = {"predictions": p.reshape(-1, rows), "targets": t.reshape(-1, rows)}
    want = wanted(p.astype(np.float64), t.astype(np.float64), np.ones(t.size))
    for way in (fold, spread):
        for name, value in way(BOTH, batch).compute().items():
            agree(value, want[name])


def test_by_hand():
    p, t = jnp.array([1.0, 2.0, 3.0]), jnp.array([4.0, 2.0, 0.0])
    agree(eqm.Pearson()(predictions=p, targets=t), -1.0)
    agree(eqm.Concordance()(predictions=p, targets=t), -2 * 4 / 3 / (2 / 3 + 8 / 3))
    agree(eqm.Concordance()(predictions=p, targets=p), 1.0)
    raw = eqm.Pearson(outputs=2, multioutput="raw_values")
    got = raw(predictions=jnp.stack([p, p], 1), targets=jnp.stack([t, p], 1))
    agree(got, [-1.0, 1.0])


def test_undefined_and_invalid():
    x, constant = jnp.arange(5.0), jnp.full(5, 0.3)
    for metric in (eqm.Pearson(), eqm.Concordance()):
        assert jnp.isnan(metric.compute())
        assert jnp.isnan(metric(predictions=constant, targets=constant))
        assert type(metric)(undefined=0.0)(predictions=constant, targets=constant) == 0.0
        assert jnp.isnan(metric(predictions=x * 1e-20, targets=x * 1e-20))
        assert jnp.isnan(metric(predictions=x * 1e20, targets=x * 1e20))
    for p, t in ((x, constant), (constant, x)):
        assert jnp.isnan(eqm.Pearson()(predictions=p, targets=t))
        agree(eqm.Concordance()(predictions=p, targets=t), 0.0, atol=1e-7)
