"""`Average` beside `math.fsum`."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, ROWS, rows_of, spread, STEPS


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e12)))
def test_average_is_fsum_over_fsum(way, batch):
    x, w = rows_of(batch)
    got = eqm.to_host(way(eqm.Average(), batch))
    if w.size == 0:
        assert math.isnan(got)
    else:
        bound = 1e-6 * math.fsum(np.abs(x * w)) / math.fsum(w) + 1e-37
        assert abs(got - math.fsum(x * w) / math.fsum(w)) <= bound


@few
@given(x=arrays(np.float32, (STEPS, ROWS), elements=floats(1e3)))
def test_bf16_values_are_summed_as_float32_ones(x):
    narrow = x.astype(ml_dtypes.bfloat16)
    got = float(fold(eqm.Average(), {"values": narrow}).compute())
    wide = float(fold(eqm.Average(), {"values": narrow.astype(np.float32)}).compute())
    assert abs(got - wide) <= 1e-6 * np.abs(narrow.astype(np.float64)).mean()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.bool_, np.float16])
def test_the_state_does_not_follow_the_dtype_of_the_values(dtype):
    x: Any = np.random.default_rng(0).integers(0, 100, size=1000).astype(dtype)
    mean = eqm.Average().update(x)
    assert mean.sums.pair("total").dtype == jnp.float32
    want = x.astype(np.float64).mean()
    assert abs(float(mean.compute()) / want - 1) < 1e-6


@pytest.mark.parametrize("rows", [1, 32, 128])
def test_a_long_mean(rows):
    x = np.random.default_rng(0).gamma(2.0, 3.0, 2**17).astype(np.float32)
    tenths = np.full(2**20, 0.1, np.float32)
    for values in (x, tenths):
        got = float(fold(eqm.Average(), {"values": values.reshape(-1, rows)}).compute())
        assert abs(got / (math.fsum(values.tolist()) / values.size) - 1) < 1e-6


def test_a_long_mean_of_bf16():
    x = np.random.default_rng(0).gamma(2.0, 3.0, 2**17).astype(ml_dtypes.bfloat16)
    got = float(fold(eqm.Average(), {"values": x.reshape(-1, 32)}).compute())
    assert abs(got / (math.fsum(x.astype(float).tolist()) / x.size) - 1) < 1e-6


@pytest.mark.parametrize("rows", [1, 32, 128])
@pytest.mark.parametrize("data", ["tenths", "gamma"])
def test_mean_of_1e8_values(data, rows):
    # One block again and again, so that its float64 mean is the mean of all.
    x = np.full(2**20, 0.1, np.float32)
    if data == "gamma":
        x = np.random.default_rng(0).gamma(2.0, 3.0, 2**20).astype(np.float32)
    block = jnp.asarray(x.reshape(-1, rows))

    @jax.jit
    def run(metric, block):
        step = lambda m, b: (m.update(b), None)
        once = lambda _, m: jax.lax.scan(step, m, block)[0]
        return jax.lax.fori_loop(0, 96, once, metric)

    metric = run(eqm.Average(), block)
    assert float(metric.sums.pair("weight")[0]) == 96 * 2**20 > 1e8
    assert abs(float(metric.compute()) / (math.fsum(x.tolist()) / x.size) - 1) < 1e-6


def test_by_hand():
    x = jnp.array([[1.0, 3.0], [5.0, 9.0]])
    assert eqm.Average()(x) == 4.5
    assert eqm.Average()(x, mask=jnp.array([True, False])) == 2.0
    assert eqm.Average()(x, weights=jnp.array([3.0, 1.0])) == 3.25
    assert eqm.Average()(x, weights=jnp.array([[0.5, 0.5], [0.0, 1.0]])) == 5.5
    assert eqm.Average((2,))(x).tolist() == [3.0, 6.0]
    assert eqm.Average()(np.array([1, 2])) == 1.5
    two = eqm.Average().update(x[0]).merge(eqm.Average().update(x[1, :1]))
    assert two.compute() == 3.0


def test_undefined_and_invalid():
    assert jnp.isnan(eqm.Average().compute())
    assert jnp.isnan(eqm.Average((2,)).compute()).all()
    assert eqm.Average(undefined=0.0).compute() == 0.0
    assert jnp.isnan(eqm.Average()(jnp.ones(2), weights=jnp.zeros(2)))
    assert jnp.isnan(eqm.Average()(jnp.ones(2), mask=jnp.zeros(2, bool)))
    assert eqm.Average(undefined=0.0)(jnp.zeros(0)) == 0.0
    assert jnp.isnan(eqm.Average(undefined=0.0)(jnp.array([jnp.nan])))
    with pytest.raises(eqm.InvalidDataError, match="Average.*1 invalid row.*weights >= 0"):
        eqm.Average().update(jnp.ones(2), weights=jnp.array([1.0, -1.0])).check()


def test_shapes_that_do_not_fit_are_told():
    with pytest.raises(TypeError, match=r"`mask` is bool\[4\] and `values` is float32\[\]"):
        eqm.Average().update(jnp.float32(1.0), mask=jnp.ones(4, bool))
    with pytest.raises(TypeError, match=r"`weights` is float32\[4, 1\] .* such as \(4,\)"):
        eqm.Average().update(jnp.ones(4, "float32"), weights=jnp.ones((4, 1), "float32"))
    with pytest.raises(TypeError, match=r"`values` is float32\[4\], expected the trailing"):
        eqm.Average((2,)).update(jnp.ones(4, "float32"))


def test_a_shape_may_be_one_number():
    columns = eqm.Average(3)(jnp.arange(6.0).reshape(2, 3))
    assert columns.tolist() == [1.5, 2.5, 3.5]
    assert eqm.Sum(3).shape == eqm.Average([3]).shape == (3,)  # pyright: ignore[reportArgumentType]
