"""`Pinball` beside scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import mean_pinball_loss

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@many
@given(batch=pairs(), place=st.sampled_from([(1, 0), (1, 1e6), (1e-12, 0), (1e12, 0)]))
def test_scikit_learns(way, alpha, batch, place):
    batch = moved(batch, *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    want = mean_pinball_loss(t, p, sample_weight=w, alpha=alpha) if w.size else np.nan
    agree(way(eqm.Pinball(alpha), batch).compute(), want)


def test_by_hand():
    p, t = jnp.array([1.0, 1.0]), jnp.array([5.0, -1.0])
    assert eqm.Pinball(0.75)(predictions=p, targets=t) == 1.75
    assert eqm.Pinball()(predictions=p, targets=t) == 1.5
    raw = eqm.Pinball(0.75, outputs=2, multioutput="raw_values")
    assert raw(predictions=p[None], targets=t[None]).tolist() == [3.0, 0.5]


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Pinball().compute()) and eqm.Pinball(undefined=0.0).compute() == 0.0
    with pytest.raises(ValueError, match="alpha=1.5: expected a number from 0 to 1"):
        eqm.Pinball(1.5)
