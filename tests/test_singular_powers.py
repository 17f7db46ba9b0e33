"""Families of formulas with a removable singularity, beside their definition in 60 digits."""

import decimal
import math
from decimal import Decimal
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import eqmetrics as eqm

from .oracle import agree


# At 1 and 2 the formula of the deviance has no value; at 1.5 another form of it takes over.
NEAR = [1e-14, 1e-10, 1e-7, 1e-4, 1e-2, 0.1]
POWERS = [1.0, 1.49, 1.5, 1.51, 2.0]
POWERS += [1 + e for e in NEAR] + [2 - e for e in NEAR] + [2 + e for e in NEAR]
P = np.array([1.0, 0.01, 3.0, 1e-3, 1.0, 2.0, 50.0, 7.0, 1e3], np.float32)
T = np.array([3.0, 5.0, 2.0, 1e3, 1e-6, 2.7, 49.0, 1e-3, 1e-3], np.float32)


def by_definition(power: float, prediction: Any, target: Any) -> Decimal:
    y, p, t = (Decimal(x) for x in (power, prediction, target))
    if y == 1:
        return 2 * (t * (t / p).ln() - t + p)
    if y == 2:
        return 2 * ((p / t).ln() + t / p - 1)
    a, b = 1 - y, 2 - y
    return 2 * (t**b / (a * b) - t * p**a / a + p**b / b)


@pytest.mark.parametrize("power", POWERS)
def test_tweedie(power):
    with decimal.localcontext() as context:
        context.prec = 60
        both = zip(P.tolist(), T.tolist(), strict=True)
        want = [float(by_definition(power, p, t)) for p, t in both]
    got = [eqm.Tweedie(power)(predictions=p, targets=t) for p, t in zip(P, T, strict=True)]
    np.testing.assert_allclose(got, want, rtol=2e-6)


@pytest.mark.parametrize("power", [1.0, 1 + 1e-10, 1.0001, 2 - 1e-8, 2.0, 2 + 1e-10, 2.0001])
def test_d2_tweedie(power):
    with decimal.localcontext() as context:
        context.prec = 60
        mean = sum(Decimal(t) for t in T.tolist()) / len(T)
        own = sum(by_definition(power, *x) for x in zip(P.tolist(), T.tolist(), strict=True))
        least = sum(by_definition(power, mean, t) for t in T.tolist())
        want = float(1 - own / least)
    got = eqm.D2Tweedie(power)(predictions=jnp.asarray(P), targets=jnp.asarray(T))
    agree(got, want, rtol=5e-6)


@pytest.mark.parametrize("power", [1.0, 1 + 1e-10, 1.3, 1.5, 1.7, 2 - 1e-4])
def test_tweedie_of_a_target_of_zero(power):
    want = 2 * 3.0 ** (2 - power) / (2 - power)
    agree(eqm.Tweedie(power)(predictions=jnp.float32(3), targets=jnp.float32(0)), want, rtol=2e-6)


@pytest.mark.parametrize("beta", [0.0, 1e-30, 1e-12, 1e-3, 0.5, 1.0, 2.0, 1e3, 1e12, 1e25, 1e200])
def test_f_beta_from_precision_to_recall(beta):
    said, seen = jnp.array([1, 1, 1, 0, 0, 1]), jnp.array([1, 0, 0, 1, 0, 1])
    precision, recall = 2 / 4, 2 / 3
    share = 1 / (1 + Decimal(beta) ** 2)  # of the precision, in the harmonic mean
    want = 1 / (float(share) / precision + float(1 - share) / recall)
    agree(eqm.FBeta(eqm.Binary(), beta=beta)(predicted_labels=said, labels=seen), want, rtol=2e-7)


@pytest.mark.parametrize("alpha", [1e-30, 1e-9, 1e-4, 0.5, 1 - 1e-4, 1 - 1e-9])
def test_pinball(alpha):
    p, t = np.array([1, 2, 5, 3], np.float32), np.array([2, 2, 1, 7], np.float32)
    e = np.float64(t) - p
    want = np.mean(np.where(e < 0, (alpha - 1) * e, alpha * e))
    agree(eqm.Pinball(alpha)(predictions=p, targets=t), want, rtol=1e-6)
    # The quantile that all targets are compared with is the smallest, or the largest.
    t = np.arange(9, dtype=np.float32)
    q = 0.0 if alpha < 0.1 else 8.0 if alpha > 0.9 else 4.0
    least = np.mean(np.where(t < q, (alpha - 1) * (t - q), alpha * (t - q)))
    e = np.float64(t) - 3
    want = 1 - np.mean(np.where(e < 0, (alpha - 1) * e, alpha * e)) / least
    low, high = eqm.D2Pinball(alpha).update(predictions=jnp.full(9, 3.0), targets=t).bounds()
    assert low <= want + 1e-6 * abs(want) and want - 1e-6 * abs(want) <= high
    assert high - low < 1e-2 * abs(want) + 1e-3


@pytest.mark.parametrize("delta", [1e-20, 1e-3, 1.0, 1e3, 1e30])
def test_huber(delta):
    p, t = np.array([1, 2, 5, 3], np.float32), np.array([2, 2, 1, 7.5], np.float32)
    e = np.abs(np.float64(t) - p)
    want = np.mean(np.where(e <= delta, e * e / 2, delta * (e - delta / 2)))
    agree(eqm.Huber(delta)(predictions=p, targets=t), want, rtol=1e-6)


@pytest.mark.parametrize("p", [1.0, 1 + 1e-12, 1.0001, 2.0, 2 + 1e-9, 30.0])
def test_minkowski(p):
    e = np.array([1.0, 2.0, 0.5, 3.0])
    got = eqm.Minkowski(p)(predictions=e.astype(np.float32), targets=jnp.zeros(4))
    agree(got, np.sum(e**p) ** (1 / p), rtol=3e-6)


@pytest.mark.parametrize("low, high", [(0.1, 0.5), (0.1, 0.1001), (0.1, 0.1000001), (1e-30, 1e-20)])
def test_log_auc_of_a_narrow_range(low, high):
    logits, labels = jnp.array([3.0, 2.0, 1.0, 0.0]), jnp.array([0, 1, 0, 1])
    # Above half the negatives is half of the positives: the curve rises at 1/2 and at 1.
    got = eqm.LogAUC(eqm.Binary(), min_fpr=low, max_fpr=high)(logits=logits, labels=labels)
    agree(got, 0.0, atol=1e-6)
    # Equal scores: the curve is the diagonal, and the mean that of the rate itself.
    got = eqm.LogAUC(eqm.Binary(), min_fpr=low, max_fpr=high)(
        logits=jnp.zeros(4), labels=labels
    )
    want = (high - low) / math.log1p((high - low) / low)
    agree(got, want, rtol=2e-6)


def test_log_auc_of_a_range_without_a_float():
    with pytest.raises(ValueError, match="min_fpr=0.1 and max_fpr=0.1000000001"):
        eqm.LogAUC(eqm.Binary(), min_fpr=0.1, max_fpr=0.1000000001)


@pytest.mark.parametrize("target", [0.0, 1e-12, 1e-3, 1.0, 9.999, 10.0, 10.001, 1e4, 1e7])
@pytest.mark.parametrize("ratio", [1e-3, 0.999, 1.0, 1.001, 1e3])
def test_poisson_nll(target, ratio):
    target = np.float32(target)
    p = np.float32(max(target, 1e-6) * ratio)
    t, mean = float(target), float(p)
    want = mean - t * math.log(mean) + math.lgamma(t + 1)
    if t == round(t) and t < 1e6:
        want = -stats.poisson.logpmf(int(t), mean)
    got = eqm.PoissonNLL()(predictions=p, targets=target)
    agree(got, want, rtol=2e-6, atol=1e-6)
