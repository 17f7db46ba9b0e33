"""`PairBuffer` beside the rows that it was given."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, few, fold, moved, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=pairs())
def test_the_rows_are_kept(way, batch):
    batch = moved(batch)
    metric = way(eqm.PairBuffer(24), batch)
    *columns, mask = (np.asarray(x) for x in metric.rows())
    both = [c[mask] for c in columns], real_rows(batch, "predictions", "targets")
    got, want = (np.array(x)[:, np.lexsort(np.array(x))] for x in both)
    np.testing.assert_array_equal(got, want)
    agree(metric.compute()["rows"], want.shape[1])
    agree(metric.compute()["weight"], want[2].sum())


def test_by_hand():
    p = jnp.array([[1.0, 2.0], [3.0, jnp.nan]])
    mask = jnp.array([[True, True], [False, False]])
    value = eqm.PairBuffer(2)(predictions=p, targets=p, mask=mask, weights=p)
    assert value == {"rows": 2.0, "weight": 3.0}
    seen = eqm.PairBuffer(2).update(predictions=p, targets=p)
    with pytest.raises(eqm.InvalidDataError, match="PairBuffer.*1 row.*capacity=3"):
        seen.check()
    assert jnp.isnan(seen.compute()["rows"])
