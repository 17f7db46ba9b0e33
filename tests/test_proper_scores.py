"""`LogLoss` and `Brier` beside scikit-learn's."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import brier_score_loss, log_loss

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import kept, scored


INNER = st.sampled_from([1e-6, 0.1, 0.25, 0.5, 0.7, 1 - 2.0**-20])


@pytest.mark.parametrize("way", [fold, spread])
def test_binary(way):
    @few
    @given(batch=scored("probabilities", elements=INNER))
    def check(batch):
        p, y, w = kept(batch, "probabilities")
        nothing = y.size == 0
        want = math.nan if nothing else log_loss(y, p, sample_weight=w, labels=[0, 1])
        got = way(eqm.LogLoss(eqm.Binary()), batch).compute()
        np.testing.assert_allclose(got, want, rtol=1e-5)
        want = math.nan if nothing else brier_score_loss(y, p, sample_weight=w, pos_label=1)
        got = way(eqm.Brier(eqm.Binary()), batch).compute()
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-12)

    check()


@few
@given(batch=scored("probabilities", classes=3, elements=INNER))
def test_multiclass(batch):
    batch["probabilities"] = batch["probabilities"] / batch["probabilities"].sum(-1, keepdims=True)
    p, y, w = kept(batch, "probabilities")
    p = p.reshape(-1, 3)
    p = p / p.sum(-1, keepdims=True)
    both = (math.nan, math.nan)
    if y.size:
        brier = brier_score_loss(y, p, sample_weight=w, labels=[0, 1, 2])
        both = log_loss(y, p, sample_weight=w, labels=[0, 1, 2]), brier
    task = eqm.Multiclass(3)
    metrics = eqm.MetricDict(log_loss=eqm.LogLoss(task), brier=eqm.Brier(task))
    got = fold(metrics, batch).compute()
    np.testing.assert_allclose(list(got.values()), both, rtol=1e-4, atol=1e-5)


def test_by_hand():
    p, y = jnp.array([0.9, 0.2]), jnp.array([1, 0])
    want = -(math.log(0.9) + math.log(0.8)) / 2
    np.testing.assert_allclose(eqm.LogLoss(eqm.Binary())(probabilities=p, labels=y), want, 1e-6)
    brier = eqm.Brier(eqm.Binary())(probabilities=p, labels=y)
    np.testing.assert_allclose(brier, (0.01 + 0.04) / 2, rtol=1e-6)
    two = jnp.stack([1 - p, p], axis=-1)
    np.testing.assert_allclose(
        eqm.Brier(eqm.Multiclass(2))(probabilities=two, labels=y), 2 * brier, rtol=1e-5
    )
    logits = jnp.array([-50.0, 50.0])
    assert eqm.LogLoss(eqm.Binary())(logits=logits, labels=jnp.array([1, 1])) == 25
    assert jnp.isinf(eqm.LogLoss(eqm.Binary())(probabilities=jnp.zeros(1), labels=jnp.ones(1, int)))


def test_averages_over_labels():
    p, y = jnp.array([[0.5, 0.0], [0.5, 0.5]]), jnp.array([[0, 0], [1, 1]])
    mean = eqm.Brier(eqm.Multilabel(2))(probabilities=p, labels=y)
    each = eqm.Brier(eqm.Multilabel(2), average=None)(probabilities=p, labels=y)
    assert each.tolist() == [0.25, 0.125] and mean == 0.1875
    with pytest.raises(ValueError, match="average"):
        eqm.LogLoss(eqm.Multilabel(2), average="micro")  # pyright: ignore[reportArgumentType]


def test_undefined():
    for metric in (eqm.LogLoss, eqm.Brier):
        assert jnp.isnan(metric(eqm.Binary()).compute())
        assert metric(eqm.Multiclass(3), undefined=0.0).compute() == 0
