"""`eqm.uncertainty.SBCRanks` beside its definition and scipy's test, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import chisquare

import eqmetrics as eqm

from ..oracle import agree, at_once, fold, seeds, spread, values_of
from .drawn import each_case, hidden, masked, SHAPE


DRAWS, BINS = 5, 3
METRIC = eqm.uncertainty.SBCRanks(DRAWS, bins=BINS)


def drawn(seed):
    rng = np.random.default_rng(seed)
    mask, whole = masked(rng), rng.random((50, 1, 1)) < 0.5
    ties = lambda x, whole: np.where(whole, np.round(x), x)
    samples = ties(rng.normal(size=(*SHAPE, DRAWS)), whole[..., None])
    targets = ties(rng.normal(size=SHAPE) * 1.5, whole)
    return {"samples": hidden(samples, mask), "targets": hidden(targets, mask), "mask": mask}


def definition(samples, targets):
    counts = np.zeros(DRAWS + 1)
    for x, t in zip(samples, targets, strict=True):
        lowest, highest = (x < t).sum(), (x <= t).sum()
        counts[lowest : highest + 1] += 1 / (highest - lowest + 1)
    return counts.reshape(BINS, -1).sum(1)


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_scipy_agrees(way, seed):
    batch = drawn(seed)
    for got, rows in each_case(values_of(way, METRIC, batch), batch):
        want = definition(**rows)
        agree(got["counts"], want, atol=1e-6)
        if len(rows["targets"]) == 0:
            assert np.isnan(got["chi_square"]) and np.isnan(got["p_value"])
            continue
        test = chisquare(want)
        agree(got["chi_square"], test.statistic, atol=1e-5)
        agree(got["p_value"], test.pvalue, atol=1e-5)


def test_by_hand():
    ranks = eqm.uncertainty.SBCRanks(3)
    value = ranks(samples=jnp.array([[0.1, 0.2, 0.5]]), targets=jnp.array([0.3]))
    assert value["counts"].tolist() == [0, 0, 1, 0]
    assert value["chi_square"] == 3  # 3 times (1/4)^2 / (1/4), and (3/4)^2 / (1/4)
    tied = ranks(samples=jnp.array([[1.0, 2.0, 2.0]]), targets=jnp.array([2.0]))
    np.testing.assert_allclose(tied["counts"], [0, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6)
    empty = ranks.compute()
    assert empty["counts"].tolist() == [0] * 4 and jnp.isnan(empty["p_value"])


def test_a_sampler_that_is_right_and_one_that_is_not():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(2000, 19)).astype(np.float32)
    truth = rng.normal(size=2000).astype(np.float32)
    ranks = eqm.uncertainty.SBCRanks(19, bins=10)
    right = ranks(samples=samples, targets=truth)
    narrow = ranks(samples=samples * 0.8, targets=truth)
    assert right["p_value"] > 0.01 and narrow["p_value"] < 1e-4
    assert narrow["counts"][0] > 200 < narrow["counts"][-1]


def test_invalid_and_refused():
    x = jnp.array([[1.0, jnp.nan], [1.0, 3.0]])
    ranks = eqm.uncertainty.SBCRanks(2)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*without NaN"):
        ranks.update(samples=x, targets=jnp.ones(2)).check()
    with pytest.raises(TypeError, match=r"with 1 draws, expected 2: .*SBCRanks\(1\)"):
        ranks(samples=x[:, :1], targets=jnp.ones(2))
    with pytest.raises(ValueError, match="num_draws=0"):
        eqm.uncertainty.SBCRanks(0)
    with pytest.raises(ValueError, match="10 ranks, which go evenly into 2, 5, 10 bins"):
        eqm.uncertainty.SBCRanks(9, bins=3)
