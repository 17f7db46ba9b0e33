"""`R2` and its like beside scikit-learn in float64."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import explained_variance_score, r2_score

import eqmetrics as eqm

from .oracle import agree, few, fold, LOST, many, moved, pairs, real_rows, spread


PLACES = st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)])
ALL = eqm.MetricDict(
    r2=eqm.R2(),
    adjusted=eqm.R2(adjusted=2),
    explained=eqm.ExplainedVariance(),
    relative=eqm.RelativeSquaredError(),
    by_range=eqm.NormalizedRMSE(),
    by_std=eqm.NormalizedRMSE("std"),
    by_mean=eqm.NormalizedRMSE("mean"),
    by_norm=eqm.NormalizedRMSE("norm"),
)


def wanted(p, t, w):
    want = dict.fromkeys(ALL, np.nan)
    if w.size == 0:
        return want
    n, mean, mse = w.sum(), np.average(t, weights=w), np.average((p - t) ** 2, weights=w)
    spread = np.average((t - mean) ** 2, weights=w)
    if np.ptp(t) and spread > LOST:
        left = n - 3 if n > 3 else np.nan
        want["r2"] = 1 - mse / spread
        want["adjusted"] = 1 - mse / spread * (n - 1) / left
        want["explained"] = explained_variance_score(t, p, sample_weight=w)
        want["relative"] = mse / spread
    if mse == 0 or mse > LOST:
        want["by_range"] = np.sqrt(mse) / np.ptp(t) if np.ptp(t) else np.nan
        want["by_std"] = np.sqrt(want["relative"])
        want["by_mean"] = np.sqrt(mse) / abs(mean) if mean else np.nan
    if w.size and np.any(t):
        want["by_norm"] = np.sqrt(np.average((t - p) ** 2, weights=w) / np.average(t**2, weights=w))
    return want


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), place=PLACES)
def test_scikit_learns(way, batch, place):
    batch = moved(batch, *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    got, want = way(ALL, batch).compute(), wanted(p, t, w)
    for name in want:
        sums = "r2", "adjusted", "explained"
        size = 1 + abs(np.nan_to_num(1 - want[name])) if name in sums else 0
        if name != "by_mean" or w.size == 0 or abs(t.mean()) > 1e-2 * np.abs(t).max():
            agree(got[name], want[name], rtol=2e-5, atol=2e-5 * size)


@few
@given(batch=pairs(columns=(2,)))
def test_columns_are_scikit_learns(batch):
    batch = moved(batch)
    p, t, w = real_rows(batch, "predictions", "targets")
    # scikit-learn takes an array of weights too, and says so of neither in its types.
    kinds: tuple[Any, ...] = "raw_values", "uniform_average", "variance_weighted", (0.25, 3.0)
    for kind in kinds:
        for cls, oracle in ((eqm.R2, r2_score), (eqm.ExplainedVariance, explained_variance_score)):
            got = fold(cls(outputs=2, multioutput=kind), batch).compute()
            if w.size and np.all(np.ptp(t, axis=0) > 0):
                want = oracle(t, p, sample_weight=w, multioutput=kind)
                agree(got, want, rtol=1e-5, atol=1e-5)
            elif kind == "raw_values":
                nothing = w.size == 0 or np.ptp(t, axis=0) == 0
                assert np.array_equal(np.isnan(got), np.broadcast_to(nothing, 2))


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("place", [(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)])
def test_rows_one_by_one_and_batches_at_any_place(rows, place):
    t = np.random.default_rng(0).normal(size=2000)
    p = t + 0.5 * np.random.default_rng(1).normal(size=t.shape)
    p, t = ((x * place[0] + place[1]).astype(np.float32) for x in (p, t))
    batch = {"predictions": p.reshape(-1, rows), "targets": t.reshape(-1, rows)}
    want = wanted(p.astype(np.float64), t.astype(np.float64), np.ones(t.size))
    for way in (fold, spread):
        got = way(ALL, batch).compute()
        for name in want.keys() - ({"by_mean"} if place[1] == 0 else set()):
            agree(got[name], want[name], rtol=1e-6)


def test_by_hand():
    p, t = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0.0, 2.0, 4.0, 6.0])
    assert eqm.R2()(predictions=p, targets=t) == 0.7
    agree(eqm.R2(adjusted=1)(predictions=p, targets=t), 1 - 0.3 * 3 / 2)
    agree(eqm.ExplainedVariance()(predictions=p, targets=t), 0.75)
    agree(eqm.RelativeSquaredError()(predictions=p, targets=t), 0.3)
    agree(eqm.NormalizedRMSE("mean")(predictions=p, targets=t), np.sqrt(1.5) / 3)
    agree(eqm.NormalizedRMSE("norm")(predictions=p, targets=t), np.sqrt(6 / 56))
    two = jnp.stack([t, jnp.ones(4)], axis=1)
    weighted = eqm.R2(outputs=2, multioutput="variance_weighted")
    agree(weighted(predictions=jnp.stack([p, p], axis=1), targets=two), 0.7)
    raw = eqm.RelativeSquaredError(outputs=2, multioutput="raw_values", undefined=-1.0)
    agree(raw(predictions=jnp.stack([p, p], axis=1), targets=two), [0.3, -1.0])


def test_undefined_and_invalid():
    constant = jnp.full(7, 0.1)
    p = jnp.arange(7.0)
    for metric in (eqm.R2(), eqm.ExplainedVariance(), eqm.RelativeSquaredError()):
        assert jnp.isnan(metric.compute())
        assert jnp.isnan(metric(predictions=p[:1], targets=p[:1]))
        assert jnp.isnan(metric(predictions=p, targets=constant))
        parts = metric.update(predictions=p, targets=constant)
        parts = parts.update(predictions=p[:2], targets=constant[:2], weights=jnp.array([0.3, 7]))
        assert jnp.isnan(parts.merge(parts).compute())
        assert type(metric)(undefined=0.0)(predictions=p, targets=constant) == 0.0
        assert jnp.isnan(metric(predictions=p * 1e-20, targets=p * 1e-20))
        # Infinite squares over infinite squares.
        assert jnp.isnan(metric(predictions=p * 1e20, targets=p * 1e20))
    assert jnp.isnan(eqm.R2(adjusted=3)(predictions=p[:4], targets=p[:4]))
    for by in ("range", "std", "mean", "norm"):
        assert jnp.isnan(eqm.NormalizedRMSE(by).compute())
    assert jnp.isnan(eqm.NormalizedRMSE()(predictions=p, targets=constant))
    with pytest.raises(eqm.InvalidDataError, match="R2: 1 invalid row"):
        eqm.R2().update(predictions=p[:1], targets=p[:1], weights=jnp.array([-1.0])).check()
    with pytest.raises(TypeError, match=r"`predictions` is .*\[4\] and `targets` is .*\[4, 1\]"):
        eqm.R2().update(predictions=jnp.ones(4), targets=jnp.ones((4, 1)))
    for wrong in (
        lambda: eqm.R2(adjusted=-1),
        lambda: eqm.R2(multioutput="mean"),  # pyright: ignore[reportArgumentType]
        lambda: eqm.NormalizedRMSE("iqr"),  # pyright: ignore[reportArgumentType]
    ):
        with pytest.raises(ValueError, match="expected"):
            wrong()
