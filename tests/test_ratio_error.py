"""`WeightedMAPE` and `CriticalSuccessIndex` beside their formulas in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import jaccard_score

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


PLACES = st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)])


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), place=PLACES)
def test_weighted_mape(way, batch, place):
    batch = moved(batch, *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    total = np.sum(w * np.abs(t))
    want = np.sum(w * np.abs(p - t)) / total if total else np.nan
    agree(way(eqm.WeightedMAPE(), batch).compute(), want)


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs())
def test_the_critical_success_index_is_jaccards_of_events(way, batch):
    batch = moved(batch)
    p, t, w = real_rows(batch, "predictions", "targets")
    event = (p >= 0.25) | (t >= 0.25)
    want = jaccard_score(t >= 0.25, p >= 0.25, sample_weight=w) if event.any() else np.nan
    agree(way(eqm.CriticalSuccessIndex(0.25), batch).compute(), want)


def test_by_hand():
    p, t = jnp.array([[1.0, 2.0], [3.0, 0.0]]), jnp.array([[2.0, 0.0], [2.0, 0.0]])
    assert eqm.WeightedMAPE()(predictions=p, targets=t) == 1.0
    raw = eqm.WeightedMAPE(outputs=2, multioutput="raw_values", undefined=-1.0)
    assert raw(predictions=p, targets=t).tolist() == [0.5, -1.0]
    csi = eqm.CriticalSuccessIndex(2, outputs=2, multioutput="raw_values")
    assert csi(predictions=p, targets=t).tolist() == [0.5, 0.0]
    assert jnp.isnan(eqm.CriticalSuccessIndex(5)(predictions=p, targets=t))


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.WeightedMAPE().compute())
    seen = eqm.CriticalSuccessIndex(1).update(predictions=jnp.array([jnp.nan]), targets=jnp.ones(1))
    assert jnp.isnan(seen.compute())
    with pytest.raises(
        eqm.InvalidDataError, match="CriticalSuccessIndex: 1 invalid row.*without NaN"
    ):
        seen.check()
    with pytest.raises(ValueError, match="threshold=nan"):
        eqm.CriticalSuccessIndex(float("nan"))


def test_infinities_of_both_signs_are_numbers():
    inf = jnp.inf
    csi = eqm.CriticalSuccessIndex(0.0)
    p, t = jnp.array([inf, -inf, inf, -inf]), jnp.array([-inf, inf, inf, -inf])
    for dtype in (jnp.float32, jnp.float16):
        assert csi(predictions=p.astype(dtype), targets=t.astype(dtype)) == jnp.float32(1 / 3)
    assert csi(predictions=jnp.zeros(1), targets=jnp.zeros(1)) == 1  # at least the threshold
