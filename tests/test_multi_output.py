"""`MultiOutput`: one copy of a metric for each column."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, few, fold, pairs, real_rows, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=pairs(columns=(2,)))
def test_each_column_is_the_definition(way, batch):
    got = way(eqm.MultiOutput(eqm.MeanAbsoluteError(), 2), batch).compute()
    p, t, w = real_rows(batch, "predictions", "targets")
    want = abs(p - t).T @ w / w.sum() if w.sum() else np.full(2, np.nan)
    agree(got, want, 1e-5, 1e-6)


X = jnp.array([[1.0, 5.0, 0.0], [2.0, 5.0, 4.0], [6.0, 5.0, 2.0]])


def test_each_column_is_the_metric_alone():
    metric = eqm.MetricDict(last=eqm.LastValue(), std=eqm.Std())
    got = eqm.MultiOutput(metric, 3)(values=X, mask=jnp.array([True, False, True]))
    for k in range(3):
        own = metric(values=X[jnp.array([0, 2]), k])
        assert got["std"][k] == own["std"] and got["last"][k] == own["last"]
    assert list(got) == ["last", "std"]


def test_columns_of_their_own_and_shared_outputs():
    mask = jnp.array([[True, False], [True, True], [False, True]])
    own = eqm.MultiOutput(eqm.Average(), 2, shared=())
    assert own(values=X[:, :2], mask=mask).tolist() == [1.5, 5.0]
    groups = eqm.MultiOutput(eqm.PerGroup(eqm.Average(), 2), 3, shared=["mask", "group"])
    got = groups(values=X, group=jnp.array([0, 0, 1]))
    np.testing.assert_array_equal(got, [[1.5, 6], [5, 5], [2, 2]])
    heads = eqm.MultiOutput(eqm.Accuracy(eqm.Binary()), 2, shared=["labels"])
    assert heads(logits=X[:, :2] - 4, labels=jnp.array([0, 0, 1]))[0] == 1
    # sequences: the columns are on the last axis
    assert eqm.MultiOutput(eqm.Max(), 3)(values=jnp.stack([X, -X])).tolist() == [6, 5, 4]


def test_invalid_rows_are_named_with_their_column():
    both = eqm.MultiOutput(eqm.Average(), 2, shared=())
    bad = both.update(values=X[:, :2], weights=jnp.array([[1, 1], [1, -1], [1, -1]]))
    np.testing.assert_array_equal(bad.compute(), [3, np.nan])
    with pytest.raises(eqm.InvalidDataError, match=r"MultiOutput Average\[1\]: 2 invalid row"):
        bad.check()


def test_what_it_refuses():
    with pytest.raises(ValueError, match="num_outputs=0: expected a whole number from 1 on"):
        eqm.MultiOutput(eqm.Average(), 0)
    with pytest.raises(TypeError, match="takes values, mask, weights, not `valeus`. Did you mean"):
        eqm.MultiOutput(eqm.Average(), 2, shared=["valeus"])
    with pytest.raises(TypeError, match="`MultiOutput` wraps.*`Collect.chunks` grows"):
        eqm.MultiOutput(eqm.Collect("x"), 2)
    two = eqm.MultiOutput(eqm.PerGroup(eqm.Average(), 2), 2)
    with pytest.raises(TypeError, match=r"`values` is float32\[3, 3\], expected a last axis of 2"):
        two.update(values=X, group=jnp.zeros((3, 2), int))
    with pytest.raises(TypeError, match=r"`group` is int32\[3\].*`shared=\('mask', 'weights'"):
        two.update(values=X[:, :2], group=jnp.zeros(3, int))
    used = eqm.Average().update(values=jnp.ones(2))
    assert jnp.isnan(eqm.MultiOutput(used, 2).compute()).all()
    assert jax.tree.leaves(two.reset())[0].shape[0] == 2
