"""The absolute errors beside scikit-learn, or their formulas, in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


def smape(t, p, sample_weight):
    size = np.abs(p) + np.abs(t)
    each = np.where(size == 0, 0, 2 * np.abs(p - t) / np.where(size == 0, 1, size))
    return np.average(each, weights=sample_weight)


def floored_mape(t, p, sample_weight):
    return np.average(np.abs(p - t) / np.maximum(np.abs(t), 2), weights=sample_weight)


def floored_smape(t, p, sample_weight):
    size = np.maximum((np.abs(p) + np.abs(t)) / 2, 2)
    return np.average(np.abs(p - t) / size, weights=sample_weight)


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize(
    "metric, oracle",
    [
        (eqm.MeanAbsoluteError(), mean_absolute_error),
        (eqm.MeanAbsolutePercentageError(), mean_absolute_percentage_error),
        (eqm.SymmetricMAPE(), smape),
        (eqm.MeanAbsolutePercentageError(floor=2.0), floored_mape),
        (eqm.SymmetricMAPE(floor=2.0), floored_smape),
    ],
)
@many
@given(batch=pairs(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_float64s(way, metric, oracle, batch, place):
    if oracle is mean_absolute_percentage_error:
        batch["targets"] = np.where(batch["targets"] == 0, 1, batch["targets"])
    batch = moved(batch, *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    agree(way(metric, batch).compute(), oracle(t, p, sample_weight=w) if w.size else np.nan)


def test_by_hand():
    p, t = jnp.array([1.0, -2.0, 0.0]), jnp.array([2.0, 2.0, 0.0])
    assert eqm.MeanAbsoluteError()(predictions=p, targets=t) == jnp.float32(5 / 3)
    assert eqm.SymmetricMAPE()(predictions=p, targets=t) == jnp.float32((2 / 3 + 2) / 3)
    mape = eqm.MeanAbsolutePercentageError()
    assert mape(predictions=p[:2], targets=t[:2]) == 1.25
    raw = eqm.MeanAbsoluteError(outputs=3, multioutput="raw_values")
    assert raw(predictions=p[None], targets=t[None]).tolist() == [1.0, 4.0, 0.0]
    floored = eqm.MeanAbsolutePercentageError(floor=4.0)
    assert floored(predictions=p, targets=t) == jnp.float32(5 / 4 / 3)
    assert eqm.SymmetricMAPE(floor=2.0)(predictions=p, targets=t) == jnp.float32((0.5 + 2) / 3)
    large = jnp.array([3e38])
    agree(eqm.SymmetricMAPE()(predictions=large, targets=large / 3), 1.0)


def test_undefined_and_invalid():
    for cls in (eqm.MeanAbsoluteError, eqm.MeanAbsolutePercentageError, eqm.SymmetricMAPE):
        assert jnp.isnan(cls().compute()) and cls(undefined=0.0).compute() == 0.0
    seen = eqm.MeanAbsolutePercentageError().update(predictions=jnp.ones(2), targets=jnp.zeros(2))
    assert jnp.isnan(seen.compute())
    with pytest.raises(eqm.InvalidDataError, match="2 invalid row.*targets != 0"):
        seen.check()
    eqm.MeanAbsolutePercentageError(floor=1.0).update(
        predictions=jnp.ones(2), targets=jnp.zeros(2)
    ).check()
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="floor="):
            eqm.SymmetricMAPE(floor=wrong)
