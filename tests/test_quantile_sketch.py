"""`QuantileSketch` beside numpy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, few, fold, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=pairs())
def test_weight_and_ends(way, batch):
    batch["values"] = batch.pop("targets")
    del batch["predictions"]
    batch = moved(batch)
    x, w = real_rows(batch, "values")
    got = way(eqm.QuantileSketch(), batch).compute()
    agree(got["weight"], w.sum())
    agree(got["smallest"], x.min() if x.size else np.nan)
    agree(got["largest"], x.max() if x.size else np.nan)


def test_by_hand():
    one = eqm.QuantileSketch().update(jnp.array([1.0, 2.0]))
    two = one.merge(eqm.QuantileSketch().update(jnp.array([-3e5])))
    assert two.compute() == {"weight": 3.0, "smallest": -3e5, "largest": 2.0}
    assert jnp.isnan(eqm.QuantileSketch().compute()["smallest"])
