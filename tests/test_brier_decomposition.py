"""`BrierDecomposition` beside scikit-learn's isotonic regression and Brier score."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.isotonic import isotonic_regression
from sklearn.metrics import brier_score_loss

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import kept, scored


def parts(p, y, w):
    if not len(y):
        return dict.fromkeys(NAMES, np.nan)
    block = np.unique(p, return_inverse=True)[1]
    weight = np.bincount(block, weights=w)
    share = np.bincount(block, weights=w * y) / weight
    fit = isotonic_regression(share, sample_weight=weight)[block]
    mean = w @ y / w.sum()
    score = lambda q: w @ (q - y) ** 2 / w.sum()
    return {
        "brier": score(p),
        "miscalibration": score(p) - score(fit),
        "discrimination": score(np.full(len(y), mean)) - score(fit),
        "uncertainty": mean * (1 - mean),
    }


NAMES = "brier", "miscalibration", "discrimination", "uncertainty"


@jax.jit
def read(metric):
    return metric.compute()


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=scored("probabilities"))
def test_is_that_of_scikit_learns_regression(way, batch):
    got = read(way(eqm.BrierDecomposition(eqm.Binary(), exact=24), batch))
    p, y, w = kept(batch, "probabilities")
    for name, want in parts(p, y, w).items():
        np.testing.assert_allclose(got[name], want, rtol=1e-5, atol=1e-6)
    whole = got["miscalibration"] - got["discrimination"] + got["uncertainty"]
    np.testing.assert_allclose(whole, got["brier"], atol=1e-6)


def test_many_rows_and_logits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=5000).astype(np.float32)
    y = rng.random(5000) < 1 / (1 + np.exp(-2 * x))
    metric = eqm.BrierDecomposition(eqm.Binary(), exact=5000)
    got = jax.jit(lambda m, x, y: m(logits=x, labels=y))(metric, x, y)
    p = 1 / (1 + np.exp(-x.astype(np.float64)))
    assert abs(got["brier"] - brier_score_loss(y, p)) < 1e-6
    for name, want in parts(p, y.astype(float), np.ones(5000)).items():
        np.testing.assert_allclose(got[name], want, atol=2e-6)


def test_by_hand():
    metric = eqm.BrierDecomposition(eqm.Multiclass(2), exact=4)
    p = jnp.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    value = metric(probabilities=p, labels=jnp.array([0, 1, 1]))
    # of class 0, by its score: 0, 1, 0 at 1/4, 1/2 and 1, of which the last two are pooled
    np.testing.assert_allclose(value["discrimination"], [2 / 9 - 1 / 6] * 2, atol=1e-6)
    np.testing.assert_allclose(value["brier"][0], (0.0625 + 0.25 + 1) / 3, rtol=1e-6)
    assert all(jnp.isnan(x).all() for x in metric.compute().values())
    empty = eqm.BrierDecomposition(eqm.Binary(), exact=4, undefined=0.0).compute()
    assert all(x == 0 for x in empty.values())
