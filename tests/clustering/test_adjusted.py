"""`AdjustedMutualInformation` beside scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .tables import at_each, AVERAGES, big, cases_of, chance, groups, mean_entropy


def defined(y: np.ndarray, p: np.ndarray, average: str) -> bool:
    if len(y) == 0:
        return False
    one, each = (groups(y) == 1, groups(p) == 1), (groups(y) == len(y), groups(p) == len(p))
    if all(one) or all(each) or (average == "geometric" and any(one)):
        return False
    return average != "min" or not any(one + each)


@at_once
@given(seed=seeds)
def test_scikit_learn_agrees(seed):
    for got, y, p in cases_of(seed):
        for average in AVERAGES:
            value = got[f"ami {average}"]
            if not defined(y, p, average):
                assert np.isnan(value)
                continue
            want = skl.adjusted_mutual_info_score(y, p, average_method=average)
            # Of a quotient of differences.
            rest = mean_entropy(y, p, average) - chance(y, p)
            np.testing.assert_allclose(value, want, rtol=1e-5, atol=1e-6 / min(rest, 1))


@pytest.mark.parametrize("rows,alike", [(1000, 0.0), (1_000_000, 0.0), (1_000_000, 0.3)])
def test_many_rows(rows, alike):
    batch = big(rows, 10, 12, alike)
    score = eqm.clustering.AdjustedMutualInformation(10, 12)
    got = jax.jit(lambda b: score(**b))(batch)
    want = skl.adjusted_mutual_info_score(batch["labels"], batch["predicted_labels"])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=0)


def test_rare_and_frequent_classes():
    """Of one class in a million rows and of nearly all, where means and variances of cells differ
    by six orders of magnitude."""
    rng = np.random.default_rng(0)
    p = [0.9985, 1e-3, 4.9e-4, 1e-5]
    batch = {k: rng.choice(4, 100_000, p=p) for k in ("labels", "predicted_labels")}
    score = eqm.clustering.AdjustedMutualInformation(4)
    got = jax.jit(lambda b: score(**b))(batch)
    want = skl.adjusted_mutual_info_score(batch["labels"], batch["predicted_labels"])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-9)


def test_by_hand():
    y, each, none = jnp.array([0, 0, 1, 1]), jnp.arange(4), jnp.zeros(4, jnp.int32)
    labels = jnp.stack([y, y, none, each, y])
    # A cluster for each row tells all, by chance too.
    clusters = jnp.stack([jnp.array([0, 0, 0, 1]), 1 - y, none, each, each])
    scores = eqm.MetricDict(
        score=eqm.clustering.AdjustedMutualInformation(4),
        told=eqm.clustering.AdjustedMutualInformation(4, undefined=1.0),
    )
    got = at_each(scores, labels, clusters)
    np.testing.assert_allclose(got["score"], [0, 1, np.nan, np.nan, 0], atol=1e-6)
    np.testing.assert_allclose(got["told"], [0, 1, 1, 1, 0], atol=1e-6)
    with pytest.raises(ValueError, match="average='median'"):
        eqm.clustering.AdjustedMutualInformation(
            2, average="median"  # pyright: ignore[reportArgumentType]
        )
