"""`D2Pinball` and `D2AbsoluteError` beside scikit-learn: the bounds hold its value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import d2_absolute_error_score, d2_pinball_score

import eqmetrics as eqm

from .oracle import agree, at_once, cases, fold, moved, real_rows, seeds, separate, spread


ALPHAS = (0.1, 0.5, 0.9)
ALL = eqm.MetricDict(
    {str(a): eqm.D2Pinball(a) for a in ALPHAS} | {"absolute": eqm.D2AbsoluteError()}
)
PLACES = st.sampled_from([(1, 0), (1, 1e3), (1, 1e6), (1e-12, 0), (1e12, 0)])


@jax.jit
def scored(stacked):
    """Each case with both ways of seeing it: its batches in turn, and as devices. One after
    another: a state for each would be large."""

    def one(batch):
        metrics = fold(ALL, batch), spread(ALL, batch)
        bounds = [{name: m[name].bounds() for name in ALL} for m in metrics]
        return [m.compute() for m in metrics], bounds

    return jax.lax.map(one, stacked)


def wanted(p, t, w):
    if w.size < 2 or np.ptp(t) == 0:
        return dict.fromkeys(ALL, np.nan)
    want = {str(a): d2_pinball_score(t, p, alpha=a, sample_weight=w) for a in ALPHAS}
    return want | {"absolute": d2_absolute_error_score(t, p, sample_weight=w)}


@at_once
@given(seed=seeds, place=PLACES)
def test_the_bounds_hold_scikit_learns(seed, place):
    batches = moved(cases(seed), *place)
    values, bounds = jax.device_get(scored(batches))
    for way in (0, 1):
        got = separate((values[way], bounds[way]))
        for (value, bound), batch in zip(got, separate(batches), strict=True):
            want = wanted(*real_rows(batch, "predictions", "targets"))
            for name in ALL:
                low, high = bound[name]
                if np.isnan(want[name]):
                    assert np.isnan([low, high, value[name]]).all()
                    continue
                slack = 1e-6 * (1 + abs(want[name]))
                assert low - slack <= want[name] <= high + slack
                assert low <= value[name] <= high


def test_many_rows():
    rng = np.random.default_rng(0)
    for offset in (0.0, 1e3):
        t = (rng.normal(size=80_000) + offset).astype(np.float32)
        p = (t + 0.5 * rng.normal(size=t.shape)).astype(np.float32)
        batch = {"predictions": p.reshape(8, -1), "targets": t.reshape(8, -1)}
        metric = fold(ALL, batch)
        for alpha in ALPHAS:
            want = d2_pinball_score(t.astype(np.float64), p.astype(np.float64), alpha=alpha)
            low, high = metric[str(alpha)].bounds()
            assert low <= want <= high and high - low < 2e-3
            agree(metric[str(alpha)].compute(), want, rtol=0, atol=3e-5)


def test_by_hand():
    p, t = jnp.array([1.0, 1.0, 4.0]), jnp.array([0.0, 1.0, 5.0])
    agree(eqm.D2AbsoluteError()(predictions=p, targets=t), 0.6, rtol=1e-4)
    # of 0, 0, 1, 5 the quantile is 0
    weighted = eqm.D2Pinball(0.25)(predictions=p, targets=t, weights=jnp.array([2, 1, 1]))
    agree(weighted, 1 - (2 * 0.75 + 0.25) / (0.25 * 6), rtol=1e-3)
    assert eqm.OneSidedErrors()(predictions=p, targets=t) == {"below": 1.0, "above": 1.0}
    assert len(ALL.states) == 1


def test_undefined_and_invalid():
    one = jnp.full(3, 0.1)
    for metric in (eqm.D2Pinball(0.3), eqm.D2AbsoluteError()):
        assert jnp.isnan(metric.compute())
        assert jnp.isnan(metric(predictions=one + 1, targets=one))
        assert jnp.isnan(metric(predictions=one[:1], targets=one[:1] + 1))
        seen = metric.update(predictions=jnp.array([jnp.nan, 1, 2]), targets=jnp.arange(3.0))
        assert jnp.isnan(seen.compute()) and jnp.isnan(seen.bounds()[0])
        name = type(metric).__name__
        with pytest.raises(eqm.InvalidDataError, match=f"{name}.*1 invalid row.*finite"):
            seen.check()
    assert eqm.D2AbsoluteError(undefined=0.0).compute() == 0.0
    with pytest.raises(ValueError, match="alpha=1"):
        eqm.D2Pinball(1)
    with pytest.raises(TypeError, match=r"`predictions` is .*\[3\] and `targets` is .*\[3, 1\]"):
        eqm.D2Pinball().update(predictions=one, targets=one[:, None])
