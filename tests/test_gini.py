"""`Gini` beside scikit-learn's AUROC and scipy's Somers' D."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import somersd
from sklearn.metrics import roc_auc_score

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import drawn_of, kept, read, scored


@pytest.mark.parametrize("way", [fold, spread])
def test_twice_auroc_less_1(way):
    @few
    @given(batch=scored())
    def check(batch):
        got, (low, high) = read(way(eqm.Gini(eqm.Binary(), resolution=9), batch))
        scores, labels, weights = kept(batch, "logits")
        want = math.nan
        if np.unique(labels).size == 2:
            want = 2 * roc_auc_score(labels, scores, sample_weight=weights) - 1
            assert low <= want + 1e-12 and want - 1e-12 <= high
        np.testing.assert_allclose(got, want, atol=4e-6)

    check()


def test_somers_d():
    name, scores, labels = drawn_of("normal", 500, 0)
    metric = eqm.Gini(eqm.Binary()).update(**{name: scores}, labels=labels)
    low, high = metric.bounds()
    want = somersd(labels.astype(int), scores).statistic
    assert low <= want <= high and high - low < 1e-3


def test_undefined():
    assert jnp.isnan(eqm.Gini(eqm.Binary(), resolution=9).compute())
    assert eqm.Gini(eqm.Multiclass(3), resolution=9, undefined=0.0).compute() == 0
