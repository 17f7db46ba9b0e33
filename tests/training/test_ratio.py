"""`eqm.training.Ratio` beside `math.fsum`, and by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, cases, fold, real_rows, seeds, separate, spread, values_of


def of(batch: dict) -> dict:
    names = {"predictions": "numerator", "targets": "denominator"}
    return {names.get(k, k): v for k, v in batch.items()}


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = of(cases(seed, low=0.25))
    got = values_of(way, eqm.training.Ratio(), batch)
    for value, each in zip(got, separate(batch), strict=True):
        a, b, w = real_rows(each, "numerator", "denominator")
        agree(value, math.fsum(a * w) / math.fsum(b * w) if w.size else np.nan)


def test_by_hand():
    loss = eqm.training.Ratio().from_output("loss_sum", "tokens")
    loss = loss.update(loss_sum=30.0, tokens=10).update(loss_sum=4.0, tokens=2)
    assert abs(loss.compute() - 34 / 12) < 1e-6
    # Not the mean of 3 and 2.
    assert abs(loss.compute() - 2.5) > 0.3
    rows = {"numerator": jnp.array([1.0, 2.0, 9.0]), "denominator": jnp.array([1, 3, 5])}
    assert eqm.training.Ratio()(**rows, mask=jnp.array([True, True, False])) == 0.75


def test_integers_that_no_float_holds():
    big = np.array([2**24 + 1, 2**24 + 1], np.int32)
    ratio = eqm.training.Ratio()(big, np.array([1, 1], np.int32))
    assert ratio == np.float32(2**24 + 1)
    tokens = eqm.training.Ratio()
    for _ in range(3):
        tokens = tokens.update(big, big)
    assert tokens.compute() == 1


def test_undefined():
    assert jnp.isnan(eqm.training.Ratio().compute())
    assert jnp.isnan(eqm.training.Ratio()(1.0, 0.0))
    assert eqm.training.Ratio(undefined=0.0)(1.0, 0.0) == 0


def test_what_it_refuses():
    with pytest.raises(TypeError, match=r"float32\[4\] and `denominator` is .*jnp.sum\(loss\)"):
        eqm.training.Ratio().update(jnp.ones(4), 4)
