import numpy as np
import pytest
from hypothesis import given
from scipy import stats

import eqmetrics as eqm

from .oracle import agree, batches, few, floats, fold, rows_of, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(100)))
def test_values(way, batch):
    values, weights = rows_of(batch)
    got = way(eqm.StandardError(), batch).compute()
    if len(values) == 0 or weights.sum() < 2:
        assert np.isnan(got)
        return
    total = weights.sum()
    mean = np.sum(weights * values) / total
    want = np.sqrt(np.sum(weights * (values - mean) ** 2)) / total
    agree(got, want, rtol=1e-4, atol=2e-5)


@few
@given(batch=batches(floats(100), weighted=False))
def test_scipy(batch):
    values, _ = rows_of(batch)
    got = fold(eqm.StandardError(), batch).compute()
    if len(values) > 1:
        agree(got, stats.sem(values, ddof=0), rtol=1e-4, atol=2e-5)


def test_by_hand():
    hits = np.array([1.0, 1.0, 0.0, 0.0], np.float32)
    assert eqm.StandardError()(values=hits) == 0.25
    cluster = np.array([0, 0, 1, 1])
    assert np.isclose(
        eqm.StandardError(clusters=2)(values=hits, cluster=cluster), 0.3536, atol=5e-5
    )
    columns = eqm.StandardError(2)(values=np.stack([hits, 2 * hits], axis=1))
    assert columns.tolist() == [0.25, 0.5]
