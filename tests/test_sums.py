"""Named sums over rows: the accumulator that metrics hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import agree, batches, few, floats, fold, rows_of, spread
from .users_sums import MeanSquare


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=batches(floats(1e6), weighted=False))
def test_a_users_sum_is_the_definition(way, batch):
    x, w = rows_of(batch)
    batch = batch | {"values": np.stack([batch["values"], 2 * batch["values"]], axis=-1)}
    got = way(MeanSquare(2), batch).compute()
    agree(got, np.array([1, 4]) * (np.mean(x**2) if w.size else np.nan), 1e-6)


def test_by_hand():
    values, mask = jnp.array([[1.0, 2.0], [3.0, jnp.inf]]), jnp.array([True, False])
    metric = MeanSquare(2).update(values, mask=mask)
    assert metric.compute().tolist() == [1.0, 4.0]
    assert metric.update(jnp.array([[3.0, 0.0]])).compute().tolist() == [5.0, 2.0]


ROWS = jnp.arange(3.0)
FLAGS = jnp.array([True, False, True])
AT = jnp.array([[0, 1], [1, 1], [2, 0]])
CELLS = jnp.arange(9.0).reshape(3, 3)


def added(mask=None, weights=None, **what):
    sums = eqm.Sums(one=(), cells=3, last=()).add(eqm.rows(ROWS, mask, weights), **what)
    return [np.asarray(x, np.float64).sum(0).tolist() for x in map(sums.pair, ("one", "cells"))]


def test_every_kind_of_column():
    assert added(one=ROWS, cells=CELLS) == [3, [9, 12, 15]]
    assert added(FLAGS, one=1, cells=CELLS) == [2, [6, 8, 10]]
    assert added(FLAGS, 2 * jnp.ones(3), one=1, cells=CELLS > 0) == [4, [2, 4, 4]]
    assert added(one=1) == [3, [0, 0, 0]]
    assert added(FLAGS, one=FLAGS, cells=CELLS.astype(jnp.int32)) == [2, [6, 8, 10]]
    odd = jnp.full(3, 2**30 + 1)  # no float32
    assert added(one=odd)[0] == 3 * 2**30 + 3
    assert added(None, 2 * jnp.ones(3), one=odd)[0] == 6 * 2**30 + 6
    nothing = eqm.Sums(one=()).add(eqm.rows(jnp.zeros(0)), one=1)
    assert nothing.read("one") == 0


def test_cells_that_rows_name():
    def at(values, mask=None, weights=None):
        sums = eqm.Sums(one=(), cells=3).add_at(eqm.rows(ROWS, mask, weights), "cells", AT, values)
        assert sums.read("one") == 0
        return np.asarray(sums.pair("cells"), np.float64).sum(0).tolist()

    assert at(jnp.ones((3, 2), bool)) == [2, 3, 1]
    assert at(AT == 1, FLAGS, 2 * jnp.ones(3)) == [0, 2, 0]
    values = jnp.array([[1.0, 2.0], [jnp.nan, 3.0], [4.0, 5.0]])
    assert at(values, FLAGS) == [6, 2, 4]
    assert at(values, FLAGS, 2 * jnp.ones(3)) == [12, 4, 8]
    assert at(jnp.full((3, 2), 2**30 + 1)) == [2**31 + 2, 3 * 2**30 + 3, 2**30 + 1]


def test_invalid_rows_are_counted():
    batch = eqm.rows(ROWS, None, jnp.array([1.0, -1.0, 2.0]))
    sums = eqm.Sums("weights >= 0", one=()).add(batch, one=batch.values)
    assert sums.read("one") == 4 and np.isnan(sums.compute()["one"])
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*weights >= 0"):
        sums.check()


def test_what_is_no_column_is_told():
    batch = eqm.rows(ROWS)
    with pytest.raises(TypeError, match="no sum `onne`; there are one, cells. Did you mean `one`"):
        eqm.Sums(one=(), cells=3).add(batch, onne=ROWS)
    with pytest.raises(TypeError, match=r"`cells` is float32\[3\], expected \(3, 3\)"):
        eqm.Sums(cells=3).add(batch, cells=ROWS)
    with pytest.raises(TypeError, match="A metric holds `Sums`"):
        eqm.Sums(one=()).update()


def test_a_sum_is_differentiable():
    def loss(x):
        sums = eqm.Sums(one=(), cells=3).add(eqm.rows(x), one=x**2, cells=x[:, None] * CELLS)
        return sums.read("one") + sums.read("cells").sum()

    assert jax.grad(loss)(ROWS).tolist() == [3.0, 14.0, 25.0]
