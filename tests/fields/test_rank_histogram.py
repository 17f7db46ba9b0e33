"""`eqm.fields.RankHistogram` beside its definition in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import batch_of, rows_of, WAYS


MEMBERS = 4


@few
@given(seed=seeds)
def test_the_mean_over_ranks_drawn_at_random(seed):
    for way, _ in WAYS:
        batch = batch_of(seed, {"samples": (MEMBERS,), "targets": ()})
        want = np.zeros(MEMBERS + 1)
        for row, _, w in rows_of(batch):
            # All places that the target may have in the sorted ensemble.
            places = np.concatenate([np.sort(row["samples"]), [np.inf]])
            lowest = np.searchsorted(places, row["targets"], "left")
            highest = np.searchsorted(places, row["targets"], "right")
            want[lowest : highest + 1] += w / (highest - lowest + 1)
        got = way(eqm.fields.RankHistogram(MEMBERS), batch).compute()
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_by_hand():
    ranks = eqm.fields.RankHistogram(2)
    x = jnp.array([[1.0, 3.0], [3.0, 1.0]])
    of = lambda x, t: ranks(samples=x, targets=jnp.array(t)).tolist()
    assert of(x, [2.0, 5.0]) == [0, 1, 1] and of(x, [0.0, 0.0]) == [2, 0, 0]
    assert of(x[:1], [1.0]) == [0.5, 0.5, 0] and of(x[:1], [3.0]) == [0, 0.5, 0.5]
    np.testing.assert_allclose(of(jnp.zeros((1, 2)), [0.0]), [1 / 3] * 3, rtol=1e-6)
    assert of(np.full((1, 2), 2**24, np.int32), np.array([2**24 + 1], np.int32)) == [0, 0, 1]
    assert ranks.compute().tolist() == [0, 0, 0]


def test_invalid_and_refused():
    x = jnp.array([[1.0, jnp.nan], [1.0, 3.0]])
    ranks = eqm.fields.RankHistogram(2)
    with pytest.raises(eqm.InvalidDataError, match="1 invalid row.*without NaN"):
        ranks.update(samples=x, targets=jnp.ones(2)).check()
    with pytest.raises(TypeError, match=r"with 1 members, expected 2: .*RankHistogram\(1\)"):
        ranks(samples=x[:, :1], targets=jnp.ones(2))
    with pytest.raises(ValueError, match="num_members=0"):
        eqm.fields.RankHistogram(0)
