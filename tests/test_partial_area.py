"""`PartialAUROC` beside scikit-learn's `roc_auc_score(max_fpr=...)`; `LogAUC` beside a fine sum."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import roc_auc_score, roc_curve

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import drawn_of, kept, KINDS, scored


def partial(scores, labels, weights=None, most=0.3):
    if np.unique(labels).size < 2:
        return math.nan
    return roc_auc_score(labels, scores, max_fpr=most, sample_weight=weights)


def log_auc(scores, labels, low, high):
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    x = np.exp(np.linspace(math.log(low), math.log(high), 400_001))
    return np.interp(x, fpr, tpr).mean()


@pytest.mark.parametrize("way", [fold, spread])
def test_tied_rows(way):
    @few
    @given(batch=scored())
    def check(batch):
        metric = eqm.PartialAUROC(eqm.Binary(), max_fpr=0.3, resolution=9)
        got = way(metric, batch).compute()
        want = partial(*kept(batch, "logits"))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)

    check()


update = jax.jit(lambda m, batch: m.update(**batch).compute())


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "a cluster in a wide range"])
def test_many_rows(kind):
    name, scores, labels = drawn_of(kind, 20_000, 7)
    task = eqm.Binary()
    metrics = eqm.MetricDict(
        partial=eqm.PartialAUROC(task, max_fpr=0.1),
        whole=eqm.PartialAUROC(task, max_fpr=1.0),
        log=eqm.LogAUC(task, min_fpr=0.01, max_fpr=0.2),
    )
    got = update(metrics, {name: scores, "labels": labels})
    exact = np.clip(scores.astype(np.float64), -1e300, 1e300)
    np.testing.assert_allclose(got["partial"], partial(exact, labels, most=0.1), atol=1e-3)
    np.testing.assert_allclose(got["whole"], roc_auc_score(labels, exact), atol=1e-3)
    np.testing.assert_allclose(got["log"], log_auc(exact, labels, 0.01, 0.2), atol=2e-3)


def test_by_hand():
    logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
    area = eqm.PartialAUROC(eqm.Binary(), max_fpr=0.5, standardized=False)
    assert area(logits=logits, labels=labels) == 0.25
    # all tied: the diagonal
    log = eqm.LogAUC(eqm.Binary())(logits=jnp.zeros(4), labels=labels)
    np.testing.assert_allclose(log, 0.099 / math.log(100), rtol=1e-5)
    perfect = eqm.LogAUC(eqm.Binary())(logits=jnp.array([1.0, 3.0, 2.0, 4.0]), labels=labels)
    np.testing.assert_allclose(perfect, 1, rtol=1e-6)


def test_undefined():
    task = eqm.Binary()
    assert jnp.isnan(eqm.PartialAUROC(task, max_fpr=0.5, resolution=9).compute())
    assert jnp.isnan(eqm.LogAUC(task, resolution=9).compute())
    assert eqm.LogAUC(task, resolution=9, undefined=0.5).compute() == 0.5
    with pytest.raises(ValueError, match="max_fpr"):
        eqm.PartialAUROC(task, max_fpr=0.0)
    with pytest.raises(ValueError, match="min_fpr"):
        eqm.LogAUC(task, min_fpr=0.2, max_fpr=0.1)
