"""`LastValue`: the newest over time, the mean over devices."""

import math

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, rows_of, spread, STEPS


@few
@given(batch=batches(floats(1e6)))
def test_over_time_the_newest_batch_counts(batch):
    want, bound = math.nan, 0.0
    for i in range(STEPS):
        x, w = rows_of({name: a[i] for name, a in batch.items()})
        if w.size:
            want = math.fsum(x * w) / math.fsum(w)
            bound = 1e-6 * math.fsum(abs(x * w)) / math.fsum(w) + 1e-37
    got = eqm.to_host(fold(eqm.LastValue(), batch))
    assert math.isnan(got) == math.isnan(want)
    assert math.isnan(want) or abs(got - want) <= bound


@few
@given(batch=batches(floats(1e6)))
def test_over_devices_the_weighted_mean_counts(batch):
    x, w = rows_of(batch)
    got = eqm.to_host(spread(eqm.LastValue(), batch))
    if w.size == 0:
        assert math.isnan(got)
    else:
        bound = 1e-6 * math.fsum(abs(x * w)) / math.fsum(w) + 1e-37
        assert abs(got - math.fsum(x * w) / math.fsum(w)) <= bound


def test_newest_over_time_and_mean_over_devices():
    m = eqm.LastValue().update(jnp.ones(2)).update(jnp.full(2, 5.0))
    assert m.update(jnp.zeros(2), mask=jnp.zeros(2, bool)).compute() == 5.0
    update = jax.vmap(lambda x, k: m.update(x, mask=k))
    both = update(jnp.array([[1.0, 1.0], [3.0, 3.0]]), jnp.ones((2, 2), bool))
    assert both.reduce().compute() == 2.0
    # A device whose last batch is empty doesn't bring its old value in.
    one = update(jnp.array([[1.0, 1.0], [3.0, 3.0]]), jnp.array([[False] * 2, [True] * 2]))
    assert one.reduce().compute() == 3.0
    # and if all are, the old value stays
    none = update(jnp.zeros((2, 2)), jnp.zeros((2, 2), bool))
    with pytest.warns(UserWarning, match="equal to the bit"):
        assert none.reduce().compute() == 5.0


def test_merge_joins_consecutive_parts():
    a, b = eqm.LastValue().update(jnp.array(1.0)), eqm.LastValue().update(jnp.array(2.0))
    assert a.merge(b).compute() == 2.0 and b.merge(a).compute() == 1.0
    skipped = eqm.LastValue().update(jnp.zeros(0))
    assert a.merge(skipped).compute() == 1.0 and skipped.merge(a).compute() == 1.0
    assert eqm.LastValue.ordered


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.LastValue().compute())
    assert eqm.LastValue(undefined=0.0)(jnp.zeros(0)) == 0.0
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row"):
        eqm.LastValue().update(jnp.ones(2), weights=jnp.array([1.0, -1.0])).check()
