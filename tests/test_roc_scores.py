"""`EqualErrorRate` and `KolmogorovSmirnov` beside scipy's, and scikit-learn's ROC curve."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import brentq
from scipy.stats import ks_2samp
from sklearn.metrics import roc_curve

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import drawn_of, kept, KINDS, scored


def expected(scores, labels, weights=None):
    if np.unique(labels).size < 2:
        return math.nan, math.nan
    fpr, tpr, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    # along the curve, so that straight lines up count too
    at = np.arange(len(fpr), dtype=float)
    gap = lambda t: 1 - np.interp(t, at, tpr) - np.interp(t, at, fpr)
    root: Any = brentq(gap, 0, at[-1], xtol=1e-12)
    return np.interp(root, at, fpr), np.abs(tpr - fpr).max()


def both(**kwargs):
    task = eqm.Binary()
    metrics = {"eer": eqm.EqualErrorRate, "ks": eqm.KolmogorovSmirnov}
    return eqm.MetricDict({name: m(task, **kwargs) for name, m in metrics.items()})


@pytest.mark.parametrize("way", [fold, spread])
def test_tied_rows(way):
    @few
    @given(batch=scored())
    def check(batch):
        got = way(both(resolution=9), batch).compute()
        want = expected(*kept(batch, "logits"))
        np.testing.assert_allclose([got["eer"], got["ks"]], want, rtol=1e-4, atol=1e-5)

    check()


update = jax.jit(lambda m, batch: m.update(**batch).compute())


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "a cluster in a wide range"])
def test_many_rows(kind):
    name, scores, labels = drawn_of(kind, 20_000, 7)
    got = update(both(), {name: scores, "labels": labels})
    exact = np.clip(scores.astype(np.float64), -1e300, 1e300)
    want = expected(exact, labels)
    np.testing.assert_allclose([got["eer"], got["ks"]], want, atol=1e-3)
    test: Any = ks_2samp(exact[labels], exact[~labels], method="asymp")
    distance = test.statistic
    np.testing.assert_allclose(got["ks"], distance, atol=1e-3)
    assert got["ks"] <= distance + 1e-6


def test_by_hand():
    logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 0, 1, 1])
    got = both().update(logits=logits, labels=labels).compute()
    assert got == {"eer": 0.0, "ks": 1.0}
    got = both().update(logits=-logits, labels=labels).compute()
    assert got == {"eer": 1.0, "ks": 1.0}
    each = eqm.EqualErrorRate(eqm.Multilabel(2), average=None, resolution=9)
    value = each(logits=jnp.stack([logits, -logits], 1), labels=jnp.stack([labels, labels], 1))
    assert value.tolist() == [0, 1]
    mean = eqm.KolmogorovSmirnov(eqm.Multilabel(2), resolution=9)
    assert mean(logits=jnp.stack([logits, 0 * logits], 1), labels=jnp.stack([labels] * 2, 1)) == 0.5


def test_undefined():
    got = both(resolution=9).compute()
    assert jnp.isnan(got["eer"]) and jnp.isnan(got["ks"])
    assert both(resolution=9, undefined=0.5).compute() == {"eer": 0.5, "ks": 0.5}
