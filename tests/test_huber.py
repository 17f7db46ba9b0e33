"""`Huber` beside `scipy.special.huber`."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.special import huber

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(batch=pairs(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_scipys(way, batch, place):
    batch = moved(batch, *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    want = np.average(huber(0.5, p - t), weights=w) if w.size else np.nan
    agree(way(eqm.Huber(0.5), batch).compute(), want)


def test_by_hand():
    huber = eqm.Huber(2)
    p = jnp.array([1.0, 2.0, -4.0])
    assert huber(predictions=p, targets=jnp.zeros(3)) == jnp.float32((0.5 + 2 + 6) / 3)
    # the square that isn't used may be infinite
    assert eqm.Huber()(predictions=jnp.array([1e30]), targets=jnp.zeros(1)) == 1e30


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Huber().compute()) and eqm.Huber(undefined=0.0).compute() == 0.0
    for delta in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="delta=.*positive finite"):
            eqm.Huber(delta)
    with pytest.raises(ValueError, match="`delta` is 1.0 here and 2.0 there"):
        eqm.Huber().merge(eqm.Huber(2))
