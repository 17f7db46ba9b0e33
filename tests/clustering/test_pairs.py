"""Scores of pairs of rows beside scikit-learn, and in whole numbers."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl
from sklearn.metrics.cluster import pair_confusion_matrix

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .tables import at_each, big, cases_of, close, groups


@at_once
@given(seed=seeds)
def test_scikit_learn_agrees(seed):
    for got, y, p in cases_of(seed):
        n, nan = len(y), np.nan
        pairs = pair_confusion_matrix(y, p) if n else np.zeros((2, 2))
        np.testing.assert_array_equal(got["pairs"], pairs)
        close(got["rand"], skl.rand_score(y, p) if n > 1 else nan)
        trivial = groups(y) == groups(p) and groups(y) in (0, 1, n)
        close(got["adjusted rand"], nan if trivial else skl.adjusted_rand_score(y, p))
        some = groups(y) < n and groups(p) < n
        close(got["fowlkes"], skl.fowlkes_mallows_score(y, p) if some else nan)


def in_whole_numbers(table: np.ndarray) -> tuple[list, float, float, float]:
    t = [[int(x) for x in row] for row in table]
    pairs = lambda x: x * (x - 1)
    both = sum(pairs(x) for row in t for x in row)
    classes = sum(pairs(sum(row)) for row in t)
    clusters = sum(pairs(sum(x)) for x in zip(*t, strict=True))
    whole = pairs(sum(map(sum, t)))
    chance = Fraction(classes * clusters, whole)
    adjusted = (both - chance) / (Fraction(classes + clusters, 2) - chance)
    rand = Fraction(whole - classes - clusters + 2 * both, whole)
    fowlkes = np.sqrt(float(Fraction(both * both, classes * clusters)))
    matrix = [[whole - classes - clusters + both, clusters - both], [classes - both, both]]
    return matrix, float(rand), float(adjusted), float(fowlkes)


@pytest.mark.parametrize("rows,alike", [(150_000, 0.0), (10_000_000, 0.0), (10_000_000, 0.9)])
def test_many_rows(rows, alike):
    """Where the products of 32 and 64 bits are negative or 10 in other libraries."""
    batch = big(rows, 6, 6, alike)
    metrics = eqm.MetricDict(
        table=eqm.clustering.ContingencyMatrix(6),
        pairs=eqm.clustering.PairConfusion(6),
        rand=eqm.clustering.RandScore(6),
        adjusted=eqm.clustering.AdjustedRandScore(6),
        fowlkes=eqm.clustering.FowlkesMallows(6),
    )
    got = eqm.to_host(jax.jit(lambda b: metrics.update(**b))(batch))
    pairs, *want = in_whole_numbers(got["table"])
    np.testing.assert_array_equal(got["pairs"], pairs)
    for name, value in zip(("rand", "adjusted", "fowlkes"), want, strict=True):
        np.testing.assert_allclose(got[name], value, rtol=1e-6, atol=0)


def test_by_hand():
    y, each, none = jnp.array([0, 0, 1, 1]), jnp.arange(4), jnp.zeros(4, jnp.int32)
    labels = jnp.stack([y, y, none, each, y])
    clusters = jnp.stack([jnp.array([0, 0, 0, 1]), 3 - y, none, each, each])
    scores = eqm.MetricDict(
        adjusted=eqm.clustering.AdjustedRandScore(4),
        told=eqm.clustering.AdjustedRandScore(4, undefined=1.0),
        rand=eqm.clustering.RandScore(4),
        fowlkes=eqm.clustering.FowlkesMallows(4),
        pairs=eqm.clustering.PairConfusion(4),
    )
    got = at_each(scores, labels, clusters)
    np.testing.assert_array_equal(got["adjusted"], [0, 1, np.nan, np.nan, 0])
    np.testing.assert_array_equal(got["told"], [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(got["rand"], np.array([1 / 2, 1, 1, 1, 2 / 3], np.float32))
    np.testing.assert_allclose(got["fowlkes"], [(1 / 6) ** 0.5, 1, 1, np.nan, np.nan], rtol=1e-6)
    assert got["pairs"][0].tolist() == [[4, 4], [2, 2]]
    # Of one row there is no pair.
    assert np.isnan(at_each(scores, labels[:, :1], clusters[:, :1])["rand"]).all()
