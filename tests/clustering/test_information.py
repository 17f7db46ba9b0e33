"""Mutual information and its shares beside scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from ..oracle import at_once, seeds
from .tables import at_each, AVERAGES, big, cases_of, close, entropy, groups, mean_entropy


@at_once
@given(seed=seeds)
def test_scikit_learn_agrees(seed):
    for got, y, p in cases_of(seed):
        some, nan = len(y) > 0, np.nan
        mutual = skl.mutual_info_score(y, p) if some else nan
        close(got["mutual"], mutual)
        close(got["variation"], entropy(y) + entropy(p) - 2 * mutual if some else nan)
        of_classes, of_clusters = groups(y) > 1, groups(p) > 1
        # scikit-learn says 1 where one of these is undefined.
        close(got["homogeneity"], skl.homogeneity_score(y, p) if of_classes else nan)
        close(got["theil"], got["homogeneity"], 0, 0)
        close(got["completeness"], skl.completeness_score(y, p) if of_clusters else nan)
        either = of_classes or of_clusters
        close(got["v"], skl.v_measure_score(y, p, beta=2.0) if either else nan)
        for average in AVERAGES:
            mean = mean_entropy(y, p, average) if some else 0
            close(got[f"nmi {average}"], mutual / mean if mean > 0 else nan)


def test_by_hand():
    want = {
        "MutualInformation": 0.215762,
        "Homogeneity": 0.311278,
        "Completeness": 0.383689,
        "VMeasure": 0.343711,
        "NormalizedMutualInformation": 0.343711,
    }
    scores = eqm.MetricDict({name: getattr(eqm.clustering, name)(2) for name in want})
    scores |= eqm.MetricDict(
        told=eqm.clustering.Completeness(2, undefined=1.0),
        nothing=eqm.clustering.Homogeneity(2, undefined=1.0),
    )
    y, none = jnp.array([0, 0, 1, 1]), jnp.zeros(4, jnp.int32)
    clusters = jnp.stack([jnp.array([0, 0, 0, 1]), 1 - y, none, none])
    got = at_each(scores, jnp.stack([y, y, y, none]), clusters)
    for name, value in want.items():
        np.testing.assert_allclose(got[name][0], value, atol=5e-7)
        if name != "MutualInformation":
            assert got[name][1] == 1
    # All in one cluster; and of one class, too.
    assert got["Homogeneity"][2] == got["VMeasure"][2] == 0
    assert jnp.isnan(got["Completeness"][2]) and jnp.isnan(got["VMeasure"][3])
    assert got["MutualInformation"][3] == 0 and got["told"][2] == got["nothing"][3] == 1


@pytest.mark.parametrize("alike", [0.0, 1.0, 0.999])
def test_ten_million_rows_keep_their_digits(alike):
    """Where labels and clusters are independent, entropies in float32 lose all digits of what is
    left of them; where they nearly agree, those of what they don't tell."""
    batch = big(10_000_000, 6, 6, alike)
    metrics = eqm.MetricDict(
        matrix=eqm.clustering.ContingencyMatrix(6),
        mutual=eqm.clustering.MutualInformation(6),
        variation=eqm.clustering.VariationOfInformation(6),
    )
    got = eqm.to_host(jax.jit(lambda b: metrics.update(**b))(batch))
    table = np.asarray(got["matrix"], np.longdouble)
    assert table.sum() == 10_000_000
    mean = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    safe = np.where(table > 0, table, 1)
    mutual = (table * np.log(safe / mean)).sum() / table.sum()
    each = [table * np.log(table.sum(axis, keepdims=True) / safe) for axis in (0, 1)]
    np.testing.assert_allclose(got["mutual"], float(mutual), rtol=1e-6)
    want = sum(x.sum() for x in each) / table.sum()
    np.testing.assert_allclose(got["variation"], float(want), rtol=1e-6, atol=0)


def test_errors():
    with pytest.raises(ValueError, match="average='median'"):
        eqm.clustering.NormalizedMutualInformation(
            2, average="median"  # pyright: ignore[reportArgumentType]
        )
    with pytest.raises(ValueError, match="beta=0"):
        eqm.clustering.VMeasure(2, beta=0)
