"""`eqm.uncertainty.SurvivalBuffer` beside Kaplan and Meier in float64, one time after the other."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, seeds
from .drawn import each_case
from .survival import drawn, left_until, SIZE, TIMES


@jax.jit
@jax.vmap
def in_order(batch):
    kept = eqm.uncertainty.SurvivalBuffer(**SIZE).update(**batch)
    rows = kept.in_order()
    place = rows.at(jnp.array(TIMES))
    return rows._asdict() | {"at": [rows.uncensored[place], rows.alive[place]]}


@at_once
@given(seed=seeds)
def test_float64_agrees(seed):
    batch = drawn(seed)
    for got, rows in each_case(in_order(batch), batch):
        targets, events = rows["targets"], rows["events"] == 1
        number, order = len(targets), np.sort(targets)
        assert got["mask"].tolist() == [True] * number + [False] * (len(got["mask"]) - number)
        agree(got["targets"][:number], order)
        until = [left_until(t, events, targets, reverse=True) for t in order]
        agree(got["until"][:number], until, atol=1e-6)
        for reverse, left in zip((True, False), got["at"], strict=True):
            agree(left, [left_until(t, events, targets, reverse) for t in TIMES], atol=1e-6)


def test_rows_beyond_the_capacity_are_counted():
    given = {"predictions": jnp.full((3, 1), 0.5), "targets": jnp.arange(3.0)}
    given["events"] = jnp.ones(3, bool)
    kept = eqm.uncertainty.SurvivalBuffer((1.0,), capacity=2)
    assert np.isnan(kept(**given)) and kept(**given, mask=jnp.array([True, False, True])) == 2
