"""`MaxError` beside scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import max_error

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(
    batch=pairs(weighted=False),
    place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]),
)
def test_scikit_learns(way, batch, place):
    batch = moved(batch, *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    agree(way(eqm.MaxError(), batch).compute(), max_error(t, p) if w.size else np.nan, rtol=1e-7)


def test_by_hand():
    p = jnp.array([[1.0, -5.0], [jnp.nan, 2.0]])
    t = jnp.array([[0.0, -1.0], [0.0, 0.0]])
    assert eqm.MaxError()(predictions=p, targets=t, mask=jnp.array([True, False])) == 4.0
    assert jnp.isnan(eqm.MaxError()(predictions=p, targets=t))
    assert jnp.isnan(eqm.MaxError().compute()) and eqm.MaxError(undefined=0.0).compute() == 0.0
    with pytest.raises(TypeError, match=r"`targets` is float32\[2, 1\]"):
        eqm.MaxError().update(predictions=p[0], targets=jnp.ones((2, 1)))
