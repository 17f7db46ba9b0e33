"""`Sum` and `Count` beside `math.fsum` and Python's integers."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import batches, few, floats, fold, rows_of, spread


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e30)))
def test_sum_is_fsum(way, batch):
    x, w = rows_of(batch)
    bound = 1e-6 * math.fsum(np.abs(x * w)) + 1e-37
    assert abs(eqm.to_host(way(eqm.Sum(), batch)) - math.fsum(x * w)) <= bound


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1.0), weighted=False))
def test_count_is_the_number_of_rows(way, batch):
    assert eqm.to_host(way(eqm.Count(), batch)) == batch["mask"].sum()


@pytest.mark.parametrize("rows", [1, 32, 128])
def test_a_long_sum(rows):
    x = np.random.default_rng(0).gamma(2.0, 3.0, 2**17).astype(np.float32)
    got = eqm.to_host(fold(eqm.Sum(), {"values": x.reshape(-1, rows)}))
    assert abs(got / math.fsum(x.tolist()) - 1) < 1e-6


def _counted(high: Any, low: Any) -> Any:
    count = eqm.Count()
    return count.replace(sums=count.sums.plus(rows=jnp.array([high, low], jnp.float32)))


@pytest.mark.parametrize("start", [2**31 - 3, 2**40 - 5])
def test_counts_are_exact(start):
    high = np.float32(start)
    count = _counted(high, start - int(high))
    for rows in (4, 1, 3):
        count = count.update(jnp.zeros(rows))
    assert eqm.to_host(count) == start + 8  # 2^31 + 5 and 2^40 + 3
    masked = count.update(jnp.zeros(5), mask=jnp.array([True, False, False, True, False]))
    assert eqm.to_host(masked) == start + 10


def test_full_counters_of_eight_devices_are_exact():
    full = _counted(2.0**31, -1.0)
    stacked = jax.tree.map(lambda x: jnp.stack([x] * 8), full)
    with pytest.warns(UserWarning, match="equal to the bit"):
        assert eqm.to_host(stacked.reduce()) == 8 * (2**31 - 1)


INTEGERS: list[tuple[Any, int]] = [
    (np.array([2**31 - 1, 2**31 - 1, -5], np.int32), 2**32 - 7),
    (np.full(3, 2**32 - 1, np.uint32), 3 * (2**32 - 1)),
    (np.array([True, False, True]), 2),
    (np.array([-128, 127], np.int8), -1),
    (np.array([2**31 - 1, -(2**31)], np.int64), -1),
]


@pytest.mark.parametrize(("values", "total"), INTEGERS)
def test_integers_are_exact(values, total):
    assert eqm.to_host(eqm.Sum().update(values)) == total


@pytest.mark.parametrize("total", [2**45 + 2**17 + 3, 3 - 2**47, 2**48 - 1])
def test_integers_of_64_bits_are_exact(total):
    with jax.enable_x64(True):
        assert eqm.to_host(eqm.Sum().update(jnp.array(total))) == total


def test_integers_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match="`values` holds integers .* don't fit"):
        eqm.Sum()(np.array([2**32 + 1]))


def test_by_hand():
    total = eqm.Sum((2,)).update(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    assert total.compute().tolist() == [4.0, 6.0]
    half = total.update(jnp.array([[1.0, 1.0], [9.0, 9.0]]), weights=jnp.array([0.5, 0.0]))
    assert half.compute().tolist() == [4.5, 6.5]
    assert eqm.Sum()(jnp.ones((2, 3))) == 6.0
    assert eqm.Sum()(0.5) == 0.5
    assert eqm.Sum().compute() == 0 and eqm.Count().compute() == 0
    assert eqm.Count()(jnp.zeros((2, 3)), mask=jnp.array([True, False])) == 3
    assert eqm.Sum().add(jnp.array([2.0, 0.5])).compute() == 2.5


@pytest.mark.parametrize(
    "values", [[np.inf, 1.0], [np.inf, -np.inf], [np.nan, 1.0], [-np.inf, 1.0], [3e38, 3e38]]
)
def test_values_that_are_not_finite(values):
    x = np.array(values, np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        want = x.sum()
    np.testing.assert_equal(np.asarray(eqm.Sum()(x)), want)
    np.testing.assert_equal(np.asarray(spread(eqm.Sum(), {"values": x[:, None]}).compute()), want)


def test_negative_weights_are_invalid():
    total = eqm.Sum().update(jnp.ones(3), weights=jnp.array([1.0, -1.0, jnp.nan]))
    assert jnp.isnan(total.compute())
    with pytest.raises(eqm.InvalidDataError, match="2 invalid row.*weights >= 0"):
        total.check()


@pytest.mark.parametrize("rows", [3, 100, 20_000])  # each way of summing
@pytest.mark.parametrize(
    ("metric", "same"), [(eqm.Sum(), jnp.sum), (eqm.Average(), jnp.mean), (eqm.Std(), jnp.std)]
)
def test_the_gradient_of_a_sum(metric, same, rows):
    x = jnp.asarray(np.random.default_rng(0).normal(size=rows), jnp.float32)
    got, want = jax.grad(lambda v: metric(v))(x), jax.grad(same)(x)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)
