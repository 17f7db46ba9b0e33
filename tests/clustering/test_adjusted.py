"""`AdjustedMutualInformation` beside scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .tables import ADJUSTED, at_each, big, cases_of, chance, groups, mean_entropy


def defined(y: np.ndarray, p: np.ndarray, average: str) -> bool:
    if len(y) == 0:
        return False
    one, each = (groups(y) == 1, groups(p) == 1), (groups(y) == len(y), groups(p) == len(p))
    if all(one) or all(each):
        return False
    return average != "min" or not any(one + each)


@at_once
@given(seed=seeds)
def test_scikit_learn_agrees(seed):
    for got, y, p in cases_of(seed):
        for average in ADJUSTED:
            value = got[f"ami {average}"]
            if not defined(y, p, average):
                assert np.isnan(value)
                continue
            want = skl.adjusted_mutual_info_score(y, p, average_method=average)
            # Of a quotient of differences.
            rest = mean_entropy(y, p, average) - chance(y, p)
            np.testing.assert_allclose(value, want, rtol=1e-5, atol=1e-6 / min(rest, 1))


MANY = eqm.clustering.AdjustedMutualInformation(10, 12)


@jax.jit
def of_many(batch):
    return MANY(**batch)


@pytest.mark.parametrize("alike", [0.0, 0.3])
def test_many_rows(alike):
    batch = big(1_000_000, 10, 12, alike)
    want = skl.adjusted_mutual_info_score(batch["labels"], batch["predicted_labels"])
    np.testing.assert_allclose(of_many(batch), want, rtol=1e-4, atol=0)


def test_rare_and_frequent_classes():
    """Of one class in a million rows and of nearly all, where means and variances of cells differ
    by six orders of magnitude."""
    rng = np.random.default_rng(0)
    draw = lambda: rng.choice(4, 1_000_000, p=[0.998998, 1e-3, 1e-6, 1e-6]).astype(np.int32)
    batch = {k: draw() for k in ("labels", "predicted_labels")}
    want = skl.adjusted_mutual_info_score(batch["labels"], batch["predicted_labels"])
    np.testing.assert_allclose(of_many(batch), want, rtol=1e-4, atol=1e-9)


def test_by_hand():
    y, each, none = jnp.array([0, 0, 1, 1]), jnp.arange(4), jnp.zeros(4, jnp.int32)
    labels = jnp.stack([y, y, none, each, y, y])
    # A cluster for each row tells all, by chance too; one for all rows nothing.
    clusters = jnp.stack([jnp.array([0, 0, 0, 1]), 1 - y, none, each, each, none])
    scores = eqm.MetricDict(
        most=eqm.clustering.AdjustedMutualInformation(4, average="max"),
        told=eqm.clustering.AdjustedMutualInformation(4, average="geometric", undefined=1.0),
    )
    got = at_each(scores, labels, clusters)
    np.testing.assert_allclose(got["most"], [0, 1, np.nan, np.nan, 0, 0], atol=1e-6)
    np.testing.assert_allclose(got["told"], [0, 1, 1, 1, 0, 1], atol=1e-6)
    with pytest.raises(ValueError, match="average='median'"):
        eqm.clustering.AdjustedMutualInformation(
            2, average="median"  # pyright: ignore[reportArgumentType]
        )
