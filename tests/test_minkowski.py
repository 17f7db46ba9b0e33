"""`Minkowski` beside scipy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.spatial.distance import minkowski

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("p", [1, 2, 3.5])
@many
@given(batch=pairs(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-7, 0), (1e7, 0)]))
def test_scipys(way, p, batch, place):
    batch = moved(batch, *place)
    x, y, w = real_rows(batch, "predictions", "targets")
    small = (np.abs(x - y) ** p).mean() < 1e-30 if w.size else True
    got = way(eqm.Minkowski(p), batch).compute()
    if w.size and (not small or np.all(x == y)):
        agree(got, minkowski(x, y, p=p, w=w), rtol=2e-5)
    elif w.size == 0 or (np.average(np.abs(x - y) ** p, weights=w) < 2.0**-101):
        assert np.isnan(got)


def test_by_hand():
    x, y = jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])
    assert eqm.Minkowski(1)(predictions=x, targets=y) == 7.0
    assert eqm.Minkowski(2)(predictions=x, targets=y) == 5.0
    raw = eqm.Minkowski(2, outputs=2, multioutput="raw_values")
    assert raw(predictions=x[None], targets=y[None]).tolist() == [3.0, 4.0]
    assert jnp.isinf(eqm.Minkowski(2)(predictions=x * 1e20, targets=y))
    assert jnp.isnan(eqm.Minkowski(2)(predictions=x * 1e-20, targets=y * 1e-20))


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Minkowski(2).compute())
    assert eqm.Minkowski(2, undefined=0.0).compute() == 0.0
    for p in (0.5, np.inf, np.nan):
        with pytest.raises(ValueError, match="expected a finite number of at least 1"):
            eqm.Minkowski(p)
