"""Sums over rows: what a row adds is written once, and the update follows from it."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from jaxtyping import Array, Float, Float32

import eqmetrics as eqm

from .oracle import agree, batches, few, floats, fold, rows_of, spread
from .users_row_sum import MeanSquare


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
    assert MeanSquare.update.__name__ == "update" and np.isnan(MeanSquare(1).compute())


class Told(eqm.AbstractRowSum):
    """Gives the parts that it is told to."""

    cells: Float32[Array, "2 3"] = eqm.state(reduce=eqm.exact_sum)
    both: Float32[Array, "2 2"] = eqm.state(reduce=eqm.exact_sum)
    largest: Float32[Array, ""] = eqm.state(reduce="max")

    def __init__(self):
        self.cells, self.both = jnp.zeros((2, 3)), jnp.zeros((2, 2))
        self.largest = jnp.array(-jnp.inf)

    @eqm.row_sum
    def update(self, parts: Any) -> eqm.Parts:
        return parts

    def compute(self) -> tuple[Float[Array, "3"], Float[Array, "2"]]:
        return self.cells.sum(0), self.both.sum(0)


def added(**parts: Any) -> list[list[float]]:
    metric = Told().update(parts)
    return [np.asarray(x, np.float64).sum(0).tolist() for x in (metric.cells, metric.both)]


ONES, FLAGS = jnp.ones(3), jnp.array([True, False, True])
AT = jnp.array([[0, 1], [1, 1], [2, 0]])


def test_every_kind_of_part():
    rows = jnp.arange(9.0).reshape(3, 3)
    assert added(cells=eqm.Part(rows))[0] == [9, 12, 15]
    assert added(cells=eqm.Part(rows, FLAGS))[0] == [6, 8, 10]
    assert added(cells=eqm.Part(rows > 0, FLAGS, 2 * ONES))[0] == [2, 4, 4]
    assert added(cells=eqm.Part(rows.astype(jnp.int32), None, ONES))[0] == [9, 12, 15]
    assert added(cells=None, both=(eqm.Part(ONES), eqm.Part(FLAGS))) == [[0, 0, 0], [3, 2]]
    # to cells of their own, several a row
    assert added(cells=eqm.Part(jnp.ones((3, 2), bool), at=AT))[0] == [2, 3, 1]
    assert added(cells=eqm.Part(AT == 1, FLAGS, 2 * ONES, AT))[0] == [0, 2, 0]
    values = jnp.array([[1.0, 2.0], [jnp.nan, 3.0], [4.0, 5.0]])
    assert added(cells=eqm.Part(values, FLAGS, at=AT))[0] == [6, 2, 4]
    assert added(cells=eqm.Part(values, FLAGS, 2 * ONES, AT))[0] == [12, 4, 8]
    odd = jnp.full((3, 2), 2**30 + 1)  # no float32
    assert added(cells=eqm.Part(odd, at=AT))[0] == [2**31 + 2, 3 * 2**30 + 3, 2**30 + 1]
    assert added(cells=eqm.Part(jnp.zeros((0, 3))))[0] == [0, 0, 0]


@pytest.mark.parametrize(
    "parts, message",
    [
        ({"cell": eqm.Part(ONES)}, "part for `cell`.*cells, both. Did you mean `cells`"),
        ({"largest": eqm.Part(ONES)}, "part for `largest`; rows add to what is declared with"),
        ({"cells": eqm.Part(ONES)}, r"`cells` has values of shape \(3,\), expected \(rows, \*\(3"),
        ({"both": (eqm.Part(jnp.ones((3, 1))),) * 2}, r"`both` has values of shape \(3, 1\)"),
        ({"both": (eqm.Part(ONES, FLAGS[:1]),) * 2}, r"mask of shape \(1,\), expected \(3,\)"),
        ({"both": (eqm.Part(ONES, None, ONES[:2]),) * 2}, r"weights of shape \(2,\), expected"),
        ({"cells": eqm.Part(ONES, at=AT)}, r"shape \(3,\), expected \(3, 2\), that of `at`"),
    ],
)
def test_parts_of_other_shapes_are_told(parts, message):
    with pytest.raises(TypeError, match=f"`Told.update`.*{message}"):
        Told().update(parts)


def test_an_update_that_says_no_parts_is_told_at_once():
    class Plain(eqm.AbstractRowSum):
        total: Float32[Array, "2"] = eqm.state(reduce=eqm.exact_sum)

        def __init__(self):
            self.total = jnp.zeros(2)

        def update(self, values: Float[Array, "rows"]) -> "Plain":
            return self.replace(total=self.total.at[0].add(values.sum()))

        def compute(self) -> Float[Array, ""]:
            return self.total.sum()

    assert Plain()(jnp.ones(2)) == 2
    with pytest.raises(TypeError, match="Plain` is an `AbstractRowSum`.*`@eqm.row_sum`"):
        eqm.PerGroup(Plain(), 2)
