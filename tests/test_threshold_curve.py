"""`ThresholdCurve` and `BestThreshold` beside the scores of scikit-learn at each threshold."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn import metrics as skl

import eqmetrics as eqm

from .oracle import few, fold
from .scores import kept, scored


BINARY = eqm.Binary()
SCORES = {
    "f1": (eqm.F1(BINARY), lambda y, p, w: skl.f1_score(y, p, sample_weight=w)),
    "accuracy": (eqm.Accuracy(BINARY), lambda y, p, w: skl.accuracy_score(y, p, sample_weight=w)),
    "balanced": (
        eqm.BalancedAccuracy(BINARY),
        lambda y, p, w: skl.balanced_accuracy_score(y, p, sample_weight=w),
    ),
}
METRICS = eqm.MetricDict(
    {n: eqm.ThresholdCurve(BINARY, score, resolution=9) for n, (score, _) in SCORES.items()}
    | {f"best {n}": eqm.BestThreshold(BINARY, x, resolution=9) for n, (x, _) in SCORES.items()}
)


@jax.jit
def read(metrics):
    return metrics.compute()


FINITE = st.sampled_from([-1e30, -1.0, -0.0, 0.0, 1.0, 2.0, 1e30])


@few
@given(batch=scored("logits", elements=FINITE))
def test_is_scikit_learns_at_each_threshold(batch):
    got = jax.device_get(read(fold(METRICS, batch)))
    x, y, w = kept(batch, "logits")
    for name, (_, fn) in SCORES.items():
        if not y.any():  # scikit-learn has no undefined F1, and another balanced accuracy
            continue
        tops = [np.inf, *np.unique(x)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            want = {t: fn(y, x >= t, w) for t in tops}
        curve, best = got[name], got[f"best {name}"]
        told = dict(zip(curve["thresholds"].astype(float), curve["values"], strict=True))
        for t in tops:
            np.testing.assert_allclose(told[t], want[t], rtol=1e-5, atol=1e-6)
        top = max(want.values())
        np.testing.assert_allclose(best["value"], top, rtol=1e-5, atol=1e-6)
        assert want[float(best["threshold"])] >= top - 1e-5


def test_by_hand():
    logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 1, 0, 1])
    least = eqm.BestThreshold(BINARY, eqm.Recall(BINARY), mode="min", exact=4)
    # nothing is predicted: no threshold has fewer hits, and it is the highest
    assert least(logits=logits, labels=labels) == {"value": 0, "threshold": jnp.inf}
    of_each = eqm.BestThreshold(eqm.Multilabel(2, ignore_index=-1), eqm.F1(BINARY), exact=4)
    both = jnp.stack([logits, -logits], axis=1)
    value = of_each(logits=both, labels=jnp.stack([labels, labels * 0 - 1], axis=1))
    np.testing.assert_allclose(value["value"], [0.8, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(value["threshold"], [2, np.nan])


def test_undefined():
    best = eqm.BestThreshold(BINARY, eqm.F1(BINARY), undefined=0.0, exact=4)
    value = best.compute()
    assert value["value"] == 0 and jnp.isnan(value["threshold"])


@pytest.mark.parametrize(
    "score", [eqm.F1(eqm.Multiclass(3)), eqm.AUROC(BINARY), eqm.F1(eqm.Binary(threshold=(0.1,)))]
)
def test_what_is_refused(score):
    with pytest.raises(TypeError, match="expected a score of the counts of a binary task"):
        eqm.ThresholdCurve(BINARY, score)
    with pytest.raises(TypeError, match="whose value is one number"):
        eqm.BestThreshold(BINARY, eqm.InformednessMarkedness(BINARY))
    with pytest.raises(ValueError, match="mode='most'"):
        eqm.BestThreshold(BINARY, eqm.F1(BINARY), mode="most")  # pyright: ignore[reportArgumentType]
