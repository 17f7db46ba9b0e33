"""`eqm.uncertainty.AURC` and `eqm.uncertainty.SelectiveRisk`, read from an
`eqm.uncertainty.ConfidenceBuffer`, beside the mean over the orders of tied rows, in float64, and by
hand."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, fold, seeds, spread, values_of
from .drawn import each_case, hidden, masked, SHAPE


u = eqm.uncertainty
COVERAGE = (0.1, 0.5, 0.8, 1.0)
METRICS = eqm.MetricDict(
    aurc=u.AURC(24), risk=u.SelectiveRisk(COVERAGE, capacity=24), rows=u.ConfidenceBuffer(24)
)


def drawn(seed):
    rng = np.random.default_rng(seed)
    mask, kinds = masked(rng), rng.choice([1, 3, 1000], (50, 1, 1))
    confidence = rng.integers(0, kinds, SHAPE) / kinds
    confidence = np.where(rng.random(SHAPE) < 0.05, -np.inf, confidence)
    loss = np.where(rng.random((50, 1, 1)) < 0.5, rng.integers(0, 2, SHAPE), rng.normal(size=SHAPE))
    return {"confidence": hidden(confidence, mask), "loss": hidden(loss, mask), "mask": mask}


def risks(confidence, loss):
    """The risk of the first k: each tied row is among them with one probability."""
    found = []
    for k in range(1, len(loss) + 1):
        least = np.sort(confidence)[-k]
        sure, tied = confidence > least, confidence == least
        found.append((loss[sure].sum() + (k - sure.sum()) * loss[tied].mean()) / k)
    return np.array(found)


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = drawn(seed)
    for got, rows in each_case(values_of(way, METRICS, batch), batch):
        n = len(rows["loss"])
        assert got["rows"] == n
        if n == 0:
            assert np.isnan(got["aurc"]) and np.isnan(got["risk"]).all()
            continue
        want = risks(**rows)
        agree(got["aurc"], want.mean(), atol=1e-6)
        agree(got["risk"], [want[int(np.ceil(c * n - 1e-9)) - 1] for c in COVERAGE], atol=1e-6)


def test_the_mean_over_all_orders():
    confidence = np.array([0.5, 0.9, 0.5, 0.5, 0.1], np.float32)
    loss = np.array([1.0, 0.0, 0.0, 4.0, 1.0], np.float32)
    each = []
    for order in permutations(range(5)):
        order = sorted(order, key=lambda i: -confidence[i])  # stable: ties in this order
        each.append(np.cumsum(loss[order]) / np.arange(1, 6))
    agree(u.AURC(5)(confidence=confidence, loss=loss), np.mean(each))
    for k in range(1, 6):
        risk = u.SelectiveRisk(k / 5, capacity=5)
        agree(risk(confidence=confidence, loss=loss), np.mean(each, 0)[k - 1], atol=1e-7)


def test_by_hand():
    confidence, loss = jnp.array([0.9, 0.5, 0.7]), jnp.array([0.0, 1.0, 1.0])
    agree(u.AURC(9)(confidence=confidence, loss=loss), (0 + 1 / 2 + 2 / 3) / 3)
    agree(u.AURC(9)(confidence=jnp.ones(3), loss=loss), 2 / 3)
    value = u.SelectiveRisk((0.3, 0.34, 1.0), capacity=9)(confidence=confidence, loss=loss)
    np.testing.assert_allclose(value, [0, 0.5, 2 / 3], rtol=1e-6)
    # Of 9 rows 7 are 7/9, which is no float; of 10 rows 0.7 are 7.
    ones = jnp.arange(10.0)
    agree(u.SelectiveRisk(0.7, capacity=10)(confidence=-ones, loss=ones), 3)
    agree(u.SelectiveRisk(7 / 9, capacity=9)(confidence=-ones[:9], loss=ones[:9]), 3)


def test_the_gradient_is_that_of_the_losses():
    confidence = jnp.array([0.9, 0.5, 0.7])
    value = lambda c, x: u.AURC(5)(confidence=c, loss=x)
    of_confidence, of_loss = jax.jit(jax.grad(value, (0, 1)))(confidence, jnp.ones(3))
    assert of_confidence.tolist() == [0, 0, 0]
    np.testing.assert_allclose(of_loss, [11 / 18, 2 / 18, 5 / 18], rtol=1e-6)


def test_they_share_a_buffer():
    assert len(METRICS.states.all()) == 1


def test_undefined_invalid_and_refused():
    assert u.AURC(3, undefined=0.0).compute() == 0
    nan, one = jnp.array([jnp.nan, 1.0]), jnp.ones(2)
    for c, x in ((nan, one), (one, nan), (one, jnp.array([jnp.inf, 0.0]))):
        with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*finite losses"):
            u.AURC(3).update(confidence=c, loss=x).check()
    with pytest.raises(eqm.InvalidDataError, match=r"1 row\(s\) too many.*capacity=3"):
        u.AURC(2).update(confidence=jnp.ones(3), loss=jnp.ones(3)).check()
    with pytest.raises(TypeError, match="must have the same shape"):
        u.AURC(3).update(confidence=jnp.ones(3), loss=one)
    for coverage in (0.0, 1.1, (), (0.5, 2.0)):
        with pytest.raises(ValueError, match="coverage="):
            u.SelectiveRisk(coverage, capacity=3)
