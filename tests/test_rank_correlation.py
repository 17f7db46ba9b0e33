"""`Spearman` and `Kendall` beside scipy, and weighted beside their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import kendalltau, spearmanr

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


ALL = eqm.MetricDict(
    {v: eqm.Kendall(24, variant=v) for v in ("a", "b", "c")} | {"rho": eqm.Spearman(24)}
)


def wanted(p, t, w):
    want = dict.fromkeys(ALL, np.nan)
    pair = lambda x: (w[:, None] * w * x).sum() / 2
    of_p, of_t = (np.sign(x[:, None] - x) for x in (p, t))
    difference, n = pair(of_p * of_t), w.sum()
    if n > 1:
        want["a"] = difference / (n * (n - 1) / 2)
    m = min(len(set(p)), len(set(t)))
    if m > 1:
        want["b"] = difference / np.sqrt(pair(of_p != 0) * pair(of_t != 0))
        want["c"] = difference / (n * n * (m - 1) / m / 2)
        ranks = [(w * (x[:, None] > x)).sum(1) + (w * (x[:, None] == x)).sum(1) / 2 for x in (p, t)]
        cov = np.cov(*ranks, aweights=w, ddof=0)
        want["rho"] = cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])
    return {k: np.clip(v, -1, 1) for k, v in want.items()}


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_the_definitions_and_scipys(way, seed):
    batches = cases(seed)
    kinds = np.random.default_rng(seed).integers(1, 9, 50)[:, None, None]  # many ties, and few
    for name in ("predictions", "targets"):
        batches[name] = np.where(kinds < 8, np.round(batches[name] * kinds / 4), batches[name])
    batches = moved(batches)
    got = separate(jax.device_get(values_of(way, ALL, batches)))
    seen = 0
    for value, batch in zip(got, separate(batches), strict=True):
        p, t, w = real_rows(batch, "predictions", "targets")
        want = wanted(p, t, w)
        for name in ALL:
            agree(value[name], want[name], atol=1e-6)
        if np.all(w == 1) and w.size > 1 and np.ptp(p) and np.ptp(t):
            seen += 1
            agree(value["b"], kendalltau(p, t)[0], atol=1e-6)
            agree(value["c"], kendalltau(p, t, variant="c")[0], atol=1e-6)
            agree(value["rho"], spearmanr(p, t)[0], atol=1e-6)
    assert seen > 5


def test_many_rows_at_an_offset_and_scale():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    y = x + rng.normal(size=x.shape)
    metric = eqm.MetricDict(tau=eqm.Kendall(5000), rho=eqm.Spearman(5000))
    assert len(metric.states) == 1
    for scale, offset in ((1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)):
        p, t = ((z * scale + offset).astype(np.float32) for z in (x, y))
        got = jax.jit(eqm.compute)(metric.update(predictions=p, targets=t))
        agree(got["tau"], kendalltau(p, t)[0], rtol=1e-6)
        agree(got["rho"], spearmanr(p, t)[0], rtol=1e-6)
    same = metric(predictions=p, targets=p)
    assert same["tau"] == 1.0 and abs(same["rho"] - 1) < 1e-6
    opposite = metric(predictions=p, targets=-p, weights=rng.random(p.size))
    assert abs(opposite["tau"] + 1) < 1e-6 and abs(opposite["rho"] + 1) < 1e-6


def test_by_hand():
    p, t = jnp.array([1.0, 2.0, 2.0, 3.0]), jnp.array([1.0, 3.0, 2.0, 2.0])
    # of six pairs 3 are in the same order, 1 in the opposite, 1 is tied in each
    agree(eqm.Kendall(9, variant="a")(predictions=p, targets=t), 2 / 6)
    agree(eqm.Kendall(9)(predictions=p, targets=t), 2 / 5)
    agree(eqm.Kendall(9, variant="c")(predictions=p, targets=t), 2 / (16 * 2 / 3 / 2))
    want = np.corrcoef([1, 2.5, 2.5, 4], [1, 4, 2.5, 2.5])[0, 1]
    agree(eqm.Spearman(9)(predictions=p, targets=t), want)
    zeros = eqm.Kendall(9)(predictions=jnp.array([0.0, -0.0, 1.0]), targets=jnp.arange(3.0))
    agree(zeros, 2 / np.sqrt(2 * 3))
    far = eqm.Kendall(9)(predictions=jnp.array([-jnp.inf, 1.0, jnp.inf]), targets=jnp.arange(3.0))
    assert far == 1.0
    for weight in (1e-30, 1e30):
        got = eqm.Kendall(9)(predictions=p, targets=t, weights=jnp.full(4, weight))
        agree(got, 2 / 5)


def test_undefined_and_invalid():
    one, rising = jnp.ones(3), jnp.arange(3.0)
    for metric in (eqm.Spearman(5), eqm.Kendall(5), eqm.Kendall(5, variant="c")):
        assert jnp.isnan(metric.compute())
        assert jnp.isnan(metric(predictions=one, targets=rising))
        assert jnp.isnan(metric(predictions=rising, targets=one))
        assert jnp.isnan(metric(predictions=one[:1], targets=one[:1]))
        name = type(metric).__name__
        nan = metric.update(predictions=rising, targets=jnp.array([jnp.nan, 1, 2]))
        with pytest.raises(eqm.InvalidDataError, match=f"{name}.*1 invalid row.*NaN"):
            nan.check()
        full = metric.update(predictions=jnp.arange(8.0), targets=jnp.arange(8.0))
        assert jnp.isnan(nan.compute()) and jnp.isnan(full.compute())
        with pytest.raises(eqm.InvalidDataError, match=f"{name}.*3 row.*capacity=8"):
            full.check()
    assert jnp.isnan(eqm.Kendall(5, variant="a")(predictions=one[:1], targets=one[:1]))
    assert eqm.Kendall(5, variant="a")(predictions=one, targets=rising) == 0.0
    assert eqm.Spearman(5, undefined=0.0)(predictions=one, targets=one) == 0.0
    with pytest.raises(ValueError, match="variant='d'"):
        eqm.Kendall(5, variant="d")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"`predictions` is .*\[3\] and `targets` is .*\[3, 1\]"):
        eqm.Spearman(5).update(predictions=one, targets=one[:, None])
