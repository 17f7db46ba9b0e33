"""`NormalizedEntropy`, `D2LogLoss` and `D2Brier` beside scikit-learn's."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import entropy
from sklearn.metrics import d2_brier_score, d2_log_loss_score, log_loss

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import kept, scored


INNER = st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.7, 0.99])
NAMES = {"d2": eqm.D2LogLoss, "brier": eqm.D2Brier, "entropy": eqm.NormalizedEntropy}


def expected(y, p, w, classes):
    seen = [w[y == c].sum() for c in range(classes)]
    if np.count_nonzero(seen) < 2:
        return [math.nan] * 3
    labels = list(range(classes))
    d2 = d2_log_loss_score(y, p, sample_weight=w, labels=labels)
    brier = d2_brier_score(y, p, sample_weight=w, labels=labels)
    return [d2, brier, log_loss(y, p, sample_weight=w, labels=labels) / entropy(seen)]


@pytest.mark.parametrize("way", [fold, spread])
def test_binary(way):
    @few
    @given(batch=scored("probabilities", elements=INNER))
    def check(batch):
        metrics = eqm.MetricDict({k: m(eqm.Binary()) for k, m in NAMES.items()})
        got = way(metrics, batch).compute()
        p, y, w = kept(batch, "probabilities")
        np.testing.assert_allclose(list(got.values()), expected(y, p, w, 2), rtol=1e-4, atol=1e-5)

    check()


@few
@given(batch=scored("probabilities", classes=3, elements=INNER))
def test_multiclass(batch):
    batch["probabilities"] = batch["probabilities"] / batch["probabilities"].sum(-1, keepdims=True)
    p, y, w = kept(batch, "probabilities")
    p = p.reshape(-1, 3)
    p = p / p.sum(-1, keepdims=True)
    metrics = eqm.MetricDict({k: m(eqm.Multiclass(3)) for k, m in NAMES.items()})
    got = fold(metrics, batch).compute()
    np.testing.assert_allclose(list(got.values()), expected(y, p, w, 3), rtol=1e-4, atol=1e-4)


def test_the_shares_score_nothing():
    labels = jnp.array([1, 0, 0, 0])
    shares = jnp.full(4, 0.25)
    for metric, value in ((eqm.D2LogLoss, 0), (eqm.D2Brier, 0), (eqm.NormalizedEntropy, 1)):
        got = metric(eqm.Binary())(probabilities=shares, labels=labels)
        np.testing.assert_allclose(got, value, atol=1e-6)
        labelled = metric(eqm.Multilabel(2), average=None)
        both = labelled(
            probabilities=jnp.stack([shares, shares], 1), labels=jnp.stack([labels, 0 * labels], 1)
        )
        np.testing.assert_allclose(both, [value, math.nan], atol=1e-6)
    four = jnp.broadcast_to(jnp.array([0.5, 0.25, 0.25]), (4, 3))
    got = eqm.D2Brier(eqm.Multiclass(3))(probabilities=four, labels=jnp.array([0, 0, 1, 2]))
    np.testing.assert_allclose(got, 0, atol=1e-6)


def test_undefined():
    for metric in NAMES.values():
        assert jnp.isnan(metric(eqm.Binary()).compute())
        one = metric(eqm.Binary(), undefined=0.0)
        assert one(probabilities=jnp.array([0.5, 0.7]), labels=jnp.array([1, 1])) == 0
