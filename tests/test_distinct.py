"""`Distinct` beside sets."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm

from .oracle import few, fold, masks, ROWS, spread, STEPS


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(ids=arrays(np.int32, (STEPS, ROWS), elements=st.integers(-5, 2**31 - 1)), mask=masks())
def test_few_ids_are_counted(way, ids, mask):
    want = len(set(ids[mask].tolist()))
    # Two of 24 ids in one of 16384 registers: a count of 1 less.
    assert abs(float(way(eqm.Distinct(), {"ids": ids, "mask": mask}).compute()) - want) < 1.1


CHUNK = 100_000


@jax.jit
def _seen(metric, start, odd, count):
    at = start + jnp.arange(CHUNK, dtype=jnp.int32)
    return metric.update(at * odd, mask=at < count)  # an odd factor maps ids one to one


def test_within_three_standard_errors_from_10_to_1e7():
    rng = np.random.default_rng(0)
    errors = []
    for count in np.logspace(1, 7, 100).astype(np.int32):
        odd = np.int32(rng.integers(0, 2**30) * 2 + 1)
        metric = eqm.Distinct()
        for start in range(0, count, CHUNK):
            metric = _seen(metric, np.int32(start), odd, count)
        errors.append((float(metric.compute()) / count - 1) / (1.04 / math.sqrt(2**14)))
    assert np.abs(errors).max() < 3
    assert 0.5 < np.std(errors[50:]) < 1.5  # and no better than they can be


def test_what_comes_again_changes_nothing():
    ids = jnp.arange(1000, dtype=jnp.int32)
    one = eqm.Distinct().update(ids)
    assert one.update(ids[::3]).merge(one).compute() == one.compute()
    parts = jax.vmap(lambda x: eqm.Distinct().update(x))(ids.reshape(8, -1)).reduce()
    assert (parts.registers == one.registers).all()


def test_by_hand():
    assert eqm.Distinct().compute() == 0.0
    assert abs(eqm.Distinct()(jnp.array([True, False, True])) - 2) < 0.01
    assert abs(eqm.Distinct()(np.array([-1, 255], np.int16)) - 2) < 0.01
    with pytest.raises(ValueError, match="bits=3"):
        eqm.Distinct(3)
