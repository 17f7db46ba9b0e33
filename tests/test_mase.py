"""`MASE` beside its formula in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), scale=st.sampled_from([1.0, 1e-12, 1e12]))
def test_float64s(way, batch, scale):
    batch["naive_errors"] = np.abs(batch["targets"]) + np.float32(0.5)
    batch = moved(batch, scale)
    p, t, q, w = real_rows(batch, "predictions", "targets", "naive_errors")
    want = np.average(np.abs(p - t) / q, weights=w) if w.size else np.nan
    agree(way(eqm.MASE(), batch).compute(), want)


def test_by_hand():
    train = np.array([1.0, 3.0, 2.0, 5.0])  # steps of 2, 1 and 3
    naive = np.abs(train[1:] - train[:-1]).mean()
    p, t = jnp.array([4.0, 6.0]), jnp.array([5.0, 9.0])
    assert eqm.MASE()(predictions=p, targets=t, naive_errors=jnp.full(2, naive)) == 1.0
    q = jnp.array([1.0, 3.0])  # of two series
    assert eqm.MASE()(predictions=p, targets=t, naive_errors=q) == 1.0


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.MASE().compute())
    one = jnp.ones(2)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*naive_errors > 0"):
        eqm.MASE().update(predictions=one, targets=one, naive_errors=jnp.array([0, 1.0])).check()
