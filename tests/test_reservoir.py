"""`Reservoir`: a chi-squared test, and the rows of the largest priorities by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2, chisquare

import eqmetrics as eqm

from .oracle import few, fold, masks, ROWS, spread, STEPS


N, K, RUNS = 40, 8, 4000


@jax.jit
def samples(keys, cut):
    """Of 40 rows on four devices and in two steps on each, the last of them ragged."""
    ids = jnp.roll(jnp.arange(48, dtype=jnp.int32), cut)
    mask = ids < N
    batch = {"values": ids.astype(jnp.float32), "ids": ids, "mask": mask}
    batch = jax.tree.map(lambda x: x.reshape(4, 2, 6), batch)

    def one(key):
        empty = eqm.Reservoir(K, key)
        state = jax.vmap(lambda b: fold(empty, b))(batch).reduce()
        return state.compute()

    return jax.lax.map(one, keys)


@pytest.mark.parametrize("typed", [True, False])
def test_every_row_and_every_pair_is_as_likely_after_merges(typed):
    make = jax.random.key if typed else jax.random.PRNGKey
    drawn = samples(jax.random.split(make(0), RUNS), 0)
    assert drawn.mask.all()
    rows = np.asarray(drawn.values).astype(int)
    assert all(len(set(r)) == K for r in rows[:100])
    counts = np.bincount(rows.ravel(), minlength=N)
    # Rows drawn without replacement vary less than independent ones, by (N - K) / (N - 1).
    statistic = chisquare(counts).statistic * (N - 1) / (N - K)
    assert 1e-3 < chi2.sf(statistic, N - 1) < 1 - 1e-3
    for first, second in ((0, 1), (2, K - 1)):  # the order is random, and pairs are
        cells = (rows[:, first] // 8) * 5 + rows[:, second] // 8
        same = 8 * 7 / (N * (N - 1))
        share = np.where(np.eye(5, dtype=bool), same, 64 / (N * (N - 1))).ravel()
        assert chisquare(np.bincount(cells, minlength=25), share * RUNS).pvalue > 1e-3


def test_the_way_rows_come_changes_nothing():
    keys = jax.random.split(jax.random.key(1), 20)
    one, other = samples(keys, 0), samples(keys, 3)
    np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(
    ids=arrays(np.int32, (STEPS, ROWS), elements=st.integers(-5, 20)),
    mask=masks(),
    seed=st.integers(0, 3),
)
def test_the_largest_priorities_are_kept(way, ids, mask, seed):
    words = jax.random.bits(jax.random.key(seed), (2,), jnp.uint32)
    whole = jax.random.wrap_key_data(words, impl="threefry2x32")
    each = sorted(set(ids[mask].tolist()))
    bits = {i: jax.random.key_data(jax.random.fold_in(whole, i % 2**32)) for i in each}
    want = sorted(each, key=lambda i: [-int(w) for w in bits[i]])[:5]
    metric = eqm.Reservoir(5, jax.random.key(seed), shape=2)
    values = np.stack([ids, np.zeros_like(ids)], axis=-1).astype(np.float32)
    values[~mask] = np.nan
    got = way(metric, {"values": values, "ids": ids, "mask": mask}).compute()
    assert got.mask.tolist() == [True] * len(want) + [False] * (5 - len(want))
    assert got.values[: len(want), 0].tolist() == want
    assert np.isnan(got.values[len(want) :]).all()


def test_by_hand():
    key = jax.random.key(7)
    few = eqm.Reservoir(4, key, dtype=jnp.int32)
    got = few.update(jnp.array([5, 6]), ids=jnp.array([0, 1])).compute()
    assert sorted(got.values.tolist()) == [0, 0, 5, 6] and got.mask.tolist() == [1, 1, 0, 0]
    again = few.update(jnp.array([5, 5]), ids=jnp.array([3, 3]))
    assert again.merge(again).compute().mask.sum() == 1
    # a number has one priority, in any type
    narrow = few.update(jnp.array([5]), ids=np.array([-1], np.int8))
    np.testing.assert_array_equal(
        narrow.priorities, few.update(jnp.array([5]), ids=np.array([-1])).priorities
    )
    for impl in ("rbg", "unsafe_rbg"):
        other = eqm.Reservoir(4, jax.random.key(0, impl=impl))
        assert other(jnp.ones(9), ids=jnp.arange(9)).mask.all()


def test_what_would_be_wrong_is_refused():
    reservoir = eqm.Reservoir(2, jax.random.key(0))
    with pytest.raises(TypeError, match="ids"):
        reservoir.update(jnp.ones(3))  # pyright: ignore[reportCallIssue]
    rows = {"values": jnp.ones(3), "ids": jnp.arange(3)}
    with pytest.raises(TypeError, match="weights"):
        reservoir.update(**rows, weights=jnp.ones(3))  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"`ids` is .*\[2\] and `values` is .*\[3\]"):
        reservoir.update(jnp.ones(3), ids=jnp.arange(2))
    with pytest.raises(TypeError, match=r"expected the trailing shape \(2,\)"):
        eqm.Reservoir(2, jax.random.key(0), shape=2).update(jnp.ones(3), ids=jnp.arange(3))
    with pytest.raises(ValueError, match="k=0"):
        eqm.Reservoir(0, jax.random.key(0))
    with pytest.raises(TypeError, match="`key` is int32"):
        eqm.Reservoir(2, jnp.array(0))
