"""`eqm.uncertainty.IPCWBrier`, `eqm.uncertainty.IntegratedBrier` and
`eqm.uncertainty.TimeDependentAUC`, read from an `eqm.uncertainty.SurvivalBuffer`, beside the
definitions of scikit-survival 0.28, in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, fold, seeds, spread, values_of
from .drawn import each_case
from .survival import drawn, left_until, SIZE, TIMES


u = eqm.uncertainty
METRICS = eqm.MetricDict(
    brier=u.IPCWBrier(**SIZE),
    integrated=u.IntegratedBrier(**SIZE),
    auc=u.TimeDependentAUC(**SIZE),
    rows=u.SurvivalBuffer(**SIZE),
)


def definition(predictions, targets, events):
    events = events == 1
    censoring = lambda x: left_until(x, events, targets, reverse=True)
    own = np.array([censoring(t) for t in targets])
    inverse = np.divide(1, own, out=np.zeros_like(own), where=own > 0)
    brier, auc = [], []
    for p, t in zip(predictions.T, TIMES, strict=True):
        case, control = events & (targets <= t), targets > t
        w = case * inverse
        if not control.any():
            brier.append(np.nan)
            auc.append(np.nan)
            continue
        brier.append(np.mean(p**2 * w + (1 - p) ** 2 * control / censoring(t)))
        below = (p[:, None] < p[control]) + (p[:, None] == p[control]) / 2
        total = w.sum() * control.sum()
        auc.append((w[:, None] * below).sum() / total if total else np.nan)
    died = -np.diff([1.0, *(left_until(t, events, targets) for t in TIMES)])
    died = np.where(np.isnan(auc), 0, died)
    mean = np.nansum(auc * died) / died.sum() if died.sum() else np.nan
    width = TIMES[-1] - TIMES[0]
    integrated = np.trapezoid(brier, TIMES) / width
    return {"brier": brier, "integrated": integrated, "auc": {"auc": auc, "mean": mean}}


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = drawn(seed)
    for got, rows in each_case(values_of(way, METRICS, batch), batch):
        want = definition(**rows)
        assert got["rows"] == len(rows["targets"])
        for name in ("brier", "integrated"):
            agree(got[name], want[name], atol=1e-6)
        for name in ("auc", "mean"):
            agree(got["auc"][name], want["auc"][name], atol=1e-6)


def test_they_share_a_buffer():
    assert len(METRICS.states.all()) == 1


def test_by_hand():
    given = {
        "predictions": jnp.array([[0.5, 0.4], [0.8, 0.6], [0.9, 0.7], [0.2, 0.1]]),
        "targets": jnp.array([1.0, 2.0, 3.0, 4.0]),
        "events": jnp.array([True, False, True, True]),
    }
    two = {"times": (1.5, 3.0), "capacity": 9}
    # At 3 half of what is left at 2, of three, is known: G is 2/3 from then on.
    late = (0.16 + 0 + 0.49 * 1.5 + 0.81 * 1.5) / 4
    early = (0.25 + 0.04 + 0.01 + 0.64) / 4
    agree(u.IPCWBrier(**two)(**given), [early, late], rtol=1e-6)
    agree(u.IntegratedBrier(**two)(**given), (early + late) / 2, rtol=1e-6)
    value = u.TimeDependentAUC(**two)(**given)
    # The one who died first is above one of three; at 3 both who died are above the one who lives.
    agree(value["auc"], [2 / 3, 0])
    # 1/4 die at 1, and half of the 3/4 at 3.
    agree(value["mean"], (1 / 4 * 2 / 3) / (1 / 4 + 3 / 8), rtol=1e-6)
    beyond = u.IPCWBrier((1.5, 4.0), capacity=9)(**given)
    assert jnp.isnan(beyond).tolist() == [False, True]
    none = u.TimeDependentAUC(**two, undefined=0.5).compute()
    assert none["auc"].tolist() == [0.5, 0.5] and none["mean"] == 0.5


def test_of_many_rows():
    """The product of 20 000 shares that are left has no error that grows with their number."""
    rng, n = np.random.default_rng(0), 20_000
    t, e = rng.exponential(size=n).astype(np.float32), rng.random(n) < 0.5
    p = np.full((n, 1), 0.5, np.float32)
    got = u.IPCWBrier((1.0,), capacity=n)(predictions=p, targets=t, events=e)
    order = np.argsort(t)
    at_risk = n - np.arange(n)
    left = np.cumprod(np.where(e[order], 1, 1 - 1 / at_risk))
    case, control = (t[order] <= 1) & e[order], t[order] > 1
    common = left[np.sum(t <= 1) - 1]
    agree(got, [0.25 * (np.sum(case / np.where(case, left, 1)) + control.sum() / common) / n],
          rtol=1e-6)  # fmt: skip


def test_invalid_and_refused():
    p, t, e = jnp.full((2, 2), 0.5), jnp.array([1.0, 3.0]), jnp.array([1, 0])
    brier = u.IPCWBrier((1.0, 2.0), capacity=2)
    bad = (p.at[0, 1].set(1.5), t, e), (p, t.at[0].set(jnp.inf), e), (p, t, e.at[0].set(2))
    for predictions, targets, events in bad:
        with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*predictions in \[0, 1\]"):
            brier.update(predictions=predictions, targets=targets, events=events).check()
    once = brier.update(predictions=p, targets=t, events=e)
    with pytest.raises(eqm.InvalidDataError, match=r"2 row\(s\) too many.*capacity=4"):
        once.update(predictions=p, targets=t, events=e).check()
    with pytest.raises(TypeError, match=r"expected \(\*rows, 2\), the probability to live"):
        brier(predictions=p[:, :1], targets=t, events=e)
    for times in ((), (2.0, 1.0), (1.0, 1.0), (jnp.nan,)):
        with pytest.raises(ValueError, match="times="):
            u.IPCWBrier(times, capacity=2)
    with pytest.raises(ValueError, match="at least 2 increasing"):
        u.IntegratedBrier((1.0,), capacity=2)
