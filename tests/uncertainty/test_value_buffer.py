"""`eqm.uncertainty.ValueBuffer`: values in order, whatever the order in which they came."""

import numpy as np
from hypothesis import given

import eqmetrics as eqm

from ..oracle import batches, few, floats, fold, rows_of


@few
@given(batch=batches(floats(1e6), weighted=False))
def test_values_in_order(batch):
    kept = fold(eqm.uncertainty.ValueBuffer(24), batch)
    want = np.sort(rows_of(batch)[0])
    assert kept.compute() == len(want)
    got = np.asarray(kept.in_order())
    np.testing.assert_array_equal(got[: len(want)], want)
    assert np.all(got[len(want) :] == np.inf)
