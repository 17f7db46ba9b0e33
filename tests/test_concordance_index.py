"""`ConcordanceIndex` beside its definition, which is that of lifelines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import (
    agree,
    at_once,
    cases,
    fold,
    moved,
    real_rows,
    seeds,
    separate,
    spread,
    values_of,
)


def index(p, t, e, w):
    known = e[:, None] & ((t[:, None] < t) | ((t[:, None] == t) & ~e))
    pairs = known * w[:, None] * w
    right = (p[:, None] < p) + (p[:, None] == p) / 2
    return (pairs * right).sum() / pairs.sum() if pairs.sum() else np.nan


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_the_definition(way, seed):
    batches, rng = cases(seed), np.random.default_rng(seed)
    kinds = rng.integers(1, 9, 50)[:, None, None]
    for name in ("predictions", "targets"):
        batches[name] = np.where(kinds < 8, np.round(batches[name] * kinds / 4), batches[name])
    events = rng.random(batches["mask"].shape) < rng.random((50, 1, 1)) * 1.2
    batches = moved(batches) | {"events": events}
    got = jax.device_get(values_of(way, eqm.ConcordanceIndex(24), batches))
    for value, batch in zip(got, separate(batches), strict=True):
        p, t, e, w = real_rows(batch, "predictions", "targets", "events")
        agree(value, index(p, t, e.astype(bool), w), atol=2e-7)


def test_lifelines_agrees():
    lifelines = pytest.importorskip("lifelines.utils")
    rng = np.random.default_rng(0)
    for kinds in (10, 1000):
        p, t = rng.integers(0, kinds, (2, 300)).astype(np.float32)
        e = rng.random(300) < 0.6
        got = eqm.ConcordanceIndex(300)(predictions=p, targets=t, events=e)
        agree(got, lifelines.concordance_index(t, p, e))


def test_by_hand():
    p, t = jnp.array([1.0, 2.0, 2.0, 0.0]), jnp.array([1.0, 2.0, 2.0, 3.0])
    e = jnp.array([True, True, False, True])
    # known of 0 with each, 1 with 2 and 3: right, right, wrong; a half, wrong
    metric = eqm.ConcordanceIndex(9)
    agree(metric(predictions=p, targets=t, events=e), 2.5 / 5)
    twice = metric(predictions=p, targets=t, events=e, weights=jnp.array([2, 1, 1, 1]))
    agree(twice, 4.5 / 8)
    assert metric(predictions=t, targets=t, events=jnp.ones(4, bool)) == 1.0


def test_undefined_and_invalid():
    metric, rising = eqm.ConcordanceIndex(4), jnp.arange(3.0)
    none, all_of = jnp.zeros(3, bool), jnp.ones(3, bool)
    assert jnp.isnan(metric.compute())
    assert jnp.isnan(metric(predictions=rising, targets=rising, events=none))
    assert jnp.isnan(metric(predictions=rising, targets=jnp.ones(3), events=all_of))
    assert eqm.ConcordanceIndex(4, undefined=0.5).compute() == 0.5
    nan = metric.update(predictions=rising / 0, targets=rising, events=all_of)
    with pytest.raises(eqm.InvalidDataError, match="ConcordanceIndex: 1 invalid row.*NaN"):
        nan.check()
    five = jnp.arange(5.0)
    full = metric.update(predictions=five, targets=five, events=five < 9)
    assert jnp.isnan(full.compute())
    with pytest.raises(eqm.InvalidDataError, match="1 row.*capacity=5"):
        full.check()
    with pytest.raises(TypeError, match=r"`predictions` is .*\[3\] and `events` is .*\[2\]"):
        metric.update(predictions=rising, targets=rising, events=all_of[:2])


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint8, np.bool_])
def test_events_of_ones_and_zeros(kind):
    p, t = jnp.array([1.0, 3.0, 2.0]), jnp.array([5.0, 7.0, 9.0])
    events = np.array([1, 1, 0])
    metric = eqm.ConcordanceIndex(8)
    agree(metric(predictions=p, targets=t, events=events.astype(kind)), 2 / 3)
    if kind is not np.bool_:  # a code that is neither is no event and no censoring
        bad = metric.update(predictions=p, targets=t, events=(2 * events).astype(kind))
        with pytest.raises(eqm.InvalidDataError, match="2 invalid row.*events 0 or 1"):
            bad.check()
        mask = jnp.array([False, False, True])
        metric.update(predictions=p, targets=t, events=(2 * events).astype(kind), mask=mask).check()
