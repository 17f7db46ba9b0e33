"""The assignment kernel beside scipy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from jax.sharding import PartitionSpec as P
from scipy.optimize import linear_sum_assignment

from eqmetrics._rows.assignment import assign

from .oracle import at_once, CASES, seeds


each = jax.jit(jax.vmap(assign))


def drawn(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Of any sign, with ties and without."""
    x = rng.normal(size=(CASES, rows, columns))
    ties = rng.integers(-2, 3, x.shape)
    return np.where(rng.random((CASES, 1, 1)) < 0.5, x, ties).astype(np.float32)


@pytest.mark.parametrize("rows,columns", [(6, 6), (4, 9)])
@at_once
@given(seed=seeds)
def test_scipy_agrees(rows, columns, seed):
    cost = drawn(np.random.default_rng(seed), rows, columns)
    for c, place in zip(cost, np.asarray(each(cost)), strict=True):
        assert len(set(place)) == rows and 0 <= place.min() and place.max() < columns
        got = c[np.arange(rows), place].astype(np.float64).sum()
        want = c[linear_sum_assignment(c)].astype(np.float64).sum()
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_by_hand():
    cost = jnp.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])
    assert assign(cost).tolist() == [1, 0, 2]
    assert assign(jnp.ones((1, 1))).tolist() == [0]
    with pytest.raises(ValueError, match="give the transpose"):
        assign(jnp.ones((3, 2)))


def test_of_one_device():
    mesh = jax.make_mesh((2,), ("a",), (jax.sharding.AxisType.Auto,))
    cost = jnp.array([[[4.0, 1.0], [2.0, 0.0]], [[0.0, 1.0], [2.0, 0.0]]])
    one = lambda c: assign(c[0])[None]
    mapped = jax.shard_map(one, mesh=mesh, in_specs=P("a"), out_specs=P("a"))
    assert jax.jit(mapped)(cost).tolist() == [[1, 0], [0, 1]]


def test_the_gradient_of_the_least_sum():
    def least(cost):
        return jnp.sum(jnp.take_along_axis(cost, assign(cost)[:, None], axis=1))

    slope = jax.grad(least)(jnp.array([[4.0, 1.0], [2.0, 0.0]]))
    assert slope.tolist() == [[0, 1], [1, 0]]
