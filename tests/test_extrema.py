"""`Max` and `Min` beside NumPy's."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, spread, taken


ANY = st.one_of(
    floats(3e38), st.sampled_from([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0])
)
CASES = [(eqm.Max(), np.max), (eqm.Min(), np.min)]


@pytest.mark.parametrize(("metric", "truth"), CASES, ids=["Max", "Min"])
@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(ANY, weighted=False))
def test_extrema_are_numpys(way, metric, truth, batch):
    kept = batch["values"][taken(batch)]
    want = truth(kept) if kept.size else np.nan
    np.testing.assert_equal(np.asarray(way(metric, batch).compute()), want)


@pytest.mark.parametrize(("metric", "truth"), CASES, ids=["Max", "Min"])
@pytest.mark.parametrize("shape", [(1,), (50, 100), (3, 1000), (4097,)])
@pytest.mark.parametrize("place", [None, 0, -1])
def test_nan_is_never_dropped(metric, truth, shape, place):
    # XLA's own maximum over the last axis drops NaN for some of these shapes.
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    if place is not None:
        x.flat[place] = np.nan
    np.testing.assert_equal(np.asarray(metric(x)), truth(x))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.bool_, ml_dtypes.bfloat16])
def test_the_dtype_of_the_values(dtype):
    x = np.array([0, 1, 1, 0, 1]).astype(dtype)
    assert eqm.Max()(x) == 1 and eqm.Min()(x) == 0
    assert eqm.Max()(x).dtype == jnp.float32


def test_by_hand():
    x, mask = jnp.array([[1.0, -5.0], [9.0, 2.0]]), jnp.array([True, False])
    assert eqm.Max()(x) == 9.0 and eqm.Min()(x) == -5.0
    assert eqm.Max()(x, mask=mask) == 1.0 and eqm.Min()(x, mask=mask) == -5.0
    one = eqm.Max().update(jnp.array(-3.0)).update(jnp.zeros(0))
    assert one.compute() == -3.0  # and not the identity, nor 0
    assert one.merge(eqm.Max().update(jnp.array([-4.0]))).compute() == -3.0
    assert eqm.Max()(jnp.array([-jnp.inf])) == -jnp.inf


def test_undefined():
    for cls in (eqm.Max, eqm.Min):
        assert jnp.isnan(cls().compute())
        assert cls(undefined=0.0).compute() == 0.0
        assert cls(undefined=0.0)(jnp.ones(2), mask=jnp.zeros(2, bool)) == 0.0
        assert jnp.isnan(cls(undefined=0.0)(jnp.array([jnp.nan])))
