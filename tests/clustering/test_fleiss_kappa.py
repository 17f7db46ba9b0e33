"""`FleissKappa` beside its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .ratings import cases_of, CATEGORIES


def definition(rows: list[np.ndarray]) -> float:
    if len({x for row in rows for x in row}) < 2:
        return float("nan")
    counts = np.stack([np.bincount(row, minlength=CATEGORIES) for row in rows])
    n = counts.sum(1)
    seen = ((counts * (counts - 1)).sum(1) / (n * (n - 1))).mean()
    chance = ((counts.sum(0) / counts.sum()) ** 2).sum()
    return (seen - chance) / (1 - chance)


@at_once
@given(seed=seeds)
def test_is_its_definition(seed):
    for got, rows in cases_of(eqm.clustering.FleissKappa(CATEGORIES), seed):
        np.testing.assert_allclose(got, definition(rows), rtol=1e-5, atol=1e-6)


def test_many_rows_near_chance():
    """As statsmodels' `fleiss_kappa` of the same counts; seen and chance agree to six digits."""
    counts = np.random.default_rng(0).multinomial(5, [0.2, 0.3, 0.5], 1_000_000)
    ratings = (np.arange(5)[None, :, None] >= counts.cumsum(1)[:, None, :]).sum(2)
    kappa = eqm.clustering.FleissKappa(3)
    got = jax.jit(lambda x: kappa(ratings=x))(ratings.astype(np.int8))
    seen = (counts * (counts - 1)).sum() / (20 * len(counts))
    chance = ((counts.sum(0) / counts.sum()) ** 2).sum()
    np.testing.assert_allclose(got, (seen - chance) / (1 - chance), rtol=0, atol=1e-7)


def test_by_hand():
    # Fleiss' own example: 10 rows, 14 raters, 5 categories: 0.210.
    table = """0 0 0 0 14, 0 2 6 4 2, 0 0 3 5 6, 0 3 9 2 0, 2 2 8 1 1, 7 7 0 0 0, 3 2 6 3 0,
        2 5 3 2 2, 6 5 2 1 0, 0 2 2 3 7"""
    counts = np.array([row.split() for row in table.split(",")], int)
    ratings = jnp.asarray(np.stack([np.repeat(np.arange(5), row) for row in counts]))
    kappa = eqm.clustering.FleissKappa(5)
    np.testing.assert_allclose(kappa(ratings=ratings), 0.20993, atol=1e-5)
    one = jnp.zeros_like(ratings)
    assert jnp.isnan(kappa(ratings=one)) and jnp.isnan(kappa.compute())
    assert eqm.clustering.FleissKappa(5, undefined=1.0)(ratings=one) == 1
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*ratings in \[0, 5\)"):
        kappa.update(ratings=ratings.at[0, 0].set(5)).check()
    with pytest.raises(ValueError, match="num_classes=0"):
        eqm.clustering.FleissKappa(0)
    with pytest.raises(TypeError, match="expected the shape"):
        kappa.update(ratings=jnp.array(1))
