"""Rows added to cells, on each of the ways that their numbers choose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eqmetrics._rows.cells import add_rows, add_weights


# Few cells for the rows, and many: for counts, and for weights.
SIZES = [(1, 1), (1, 50), (10, 3), (50, 300), (700, 20), (10_000, 40), (100_000, 1000)]


@pytest.mark.parametrize("cells, rows", SIZES)
def test_counts_are_exact(cells, rows):
    rng = np.random.default_rng(0)
    state, want = jnp.zeros((2, cells)), np.zeros(cells)
    state = state.at[0].set(2.0**24)
    want += 2.0**24
    for _ in range(3):
        index, taken = rng.integers(0, cells, rows), rng.random(rows) < 0.8
        state = add_rows(state, jnp.asarray(index, jnp.int32), jnp.asarray(taken))
        np.add.at(want, index[taken], 1)
    np.testing.assert_array_equal(np.asarray(state, np.float64).sum(0), want)


@pytest.mark.parametrize("cells, rows", SIZES)
def test_weights_have_twelve_digits_in_each_cell(cells, rows):
    """Whatever the scale of the cell, and whatever came first."""
    rng = np.random.default_rng(0)
    state, want = jnp.zeros((2, cells)), np.zeros(cells)
    for _ in range(3):
        index = rng.integers(0, cells, rows).astype(np.int32)
        w = (rng.gamma(1.0, size=rows) * 10.0 ** (index % 7 * 4 - 12)).astype(np.float32)
        w[rng.random(rows) < 0.1] = 0
        state = add_weights(state, jnp.asarray(index), jnp.asarray(w))
        np.add.at(want, index, w.astype(np.float64))
    got = np.asarray(state, np.float64).sum(0)
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-40)


@pytest.mark.parametrize("cells", [3, 5000])
def test_weights_that_are_not_finite_stay_in_their_cell(cells):
    index = jnp.array([0, 0, 1, 2, 2], jnp.int32)
    w = jnp.array([1.0, jnp.inf, 3.0, 2e38, 3e38])
    high, low = add_weights(jnp.zeros((2, cells)), index, w)
    assert high[:3].tolist() == [np.inf, 3, np.inf] and low[:3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("cells", [30, 5000])
def test_the_order_of_rows_changes_no_bit(cells):
    rng = np.random.default_rng(0)
    index = rng.integers(0, 20, 60).astype(np.int32)
    w = rng.integers(1, 9, 60).astype(np.float32)
    order = rng.permutation(60)
    add = jax.jit(add_weights)
    a = add(jnp.zeros((2, cells)), index, w)
    b = add(jnp.zeros((2, cells)), index[order], w[order])
    np.testing.assert_array_equal(a, b)
