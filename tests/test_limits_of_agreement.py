"""`LimitsOfAgreement` beside numpy in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


def wanted(p, t, w):
    if w.size == 0:
        return {"bias": np.nan, "lower": np.nan, "upper": np.nan}
    bias = np.average(p - t, weights=w)
    squares = np.sum(w * (p - t - bias) ** 2)
    width = 1.96 * np.sqrt(squares / (w.sum() - 1)) if w.sum() > 1 else np.nan
    return {"bias": bias, "lower": bias - width, "upper": bias + width}


@pytest.mark.parametrize("way", [fold, spread])
@many
@given(
    batch=pairs(),
    place=st.sampled_from([(1, 0), (1, 1e6), (1e-6, 0), (1e12, 0)]),
)
def test_numpys(way, batch, place):
    batch = moved(batch, *place)
    got = way(eqm.LimitsOfAgreement(), batch).compute()
    want = wanted(*real_rows(batch, "predictions", "targets"))
    assert got.keys() == want.keys()
    for name in want:
        agree(got[name], want[name], rtol=1e-5, atol=1e-6 * place[0])


def test_by_hand():
    # Errors 0, 1, 2, 3 and one that is masked: the mean is 1.5, the variance 5 / 3.
    p, t = jnp.array([5.0, 1.0, 3.0, 3.0, jnp.nan]), jnp.array([5.0, 0.0, 1.0, 0.0, 1.0])
    value = eqm.LimitsOfAgreement(3.0)(predictions=p, targets=t, mask=~jnp.isnan(p))
    agree(value["bias"], 1.5)
    agree(value["lower"], 1.5 - 15**0.5)
    agree(value["upper"], 1.5 + 15**0.5)
    # All errors are equal.
    value = eqm.LimitsOfAgreement()(predictions=t + 2, targets=t)
    assert value == {"bias": 2.0, "lower": 2.0, "upper": 2.0}


def test_undefined():
    one = jnp.ones(1)
    value = eqm.LimitsOfAgreement()(predictions=3 * one, targets=one)
    assert value["bias"] == 2.0 and jnp.isnan(value["lower"]) and jnp.isnan(value["upper"])
    value = eqm.LimitsOfAgreement(undefined=-1.0)(predictions=3 * one, targets=one)
    assert value == {"bias": 2.0, "lower": -1.0, "upper": -1.0}
    assert all(jnp.isnan(x) for x in eqm.LimitsOfAgreement().compute().values())
    with pytest.raises(ValueError, match=r"factor=0\.0: expected a positive number"):
        eqm.LimitsOfAgreement(0.0)
