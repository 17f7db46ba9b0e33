"""`eqm.rl.RunScores`: the table of the runs, whatever the order in which they came."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .runs import CAPACITY, drawn, TASKS


@few
@given(seed=seeds)
def test_the_table_holds_the_runs_in_order(seed):
    batch = {name: x[0] for name, x in drawn(seed).items()}
    runs = eqm.rl.RunScores(TASKS, CAPACITY).update(**batch)
    back = {name: x[::-1] for name, x in batch.items()}
    other = eqm.rl.RunScores(TASKS, CAPACITY).update(**back)
    scores, count = runs.table()
    want = np.sort(batch["scores"][batch["mask"]], axis=0)
    assert count == len(want) == runs.compute()
    np.testing.assert_array_equal(scores[: len(want)], want)
    np.testing.assert_array_equal(scores, other.table().scores)


def test_by_hand():
    table = eqm.rl.RunScores(2, 3).update(scores=jnp.array([[1.0, 9.0], [3.0, 4.0]])).table()
    assert table.scores.tolist() == [[1, 4], [3, 9], [jnp.inf, jnp.inf]] and table.runs == 2
    assert table.of_tasks(table.scores).tolist() == [2, 6.5]
