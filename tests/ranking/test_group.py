import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics.ranking import group_queries, NDCG


def flat():
    rng = np.random.default_rng(0)
    query = rng.choice([-5, 3, 7, 2**31 - 1, 11], 60).astype(np.int32)
    scores = rng.normal(size=60).astype(np.float32)
    return query, scores, rng.integers(0, 3, 60).astype(np.int32), rng.random(60) < 0.8


def test_the_lists_are_those_of_a_loop():
    query, scores, relevance, mask = flat()
    spoilt = np.where(mask, scores, np.float32(np.nan))
    (s, r), real, lost = group_queries(
        query, spoilt, relevance, max_queries=6, max_documents=30, mask=mask
    )
    assert lost == 0 and not real[5].any()
    for i, q in enumerate(np.unique(query[mask])):
        own = mask & (query == q)
        np.testing.assert_array_equal(s[i][real[i]], scores[own])
        np.testing.assert_array_equal(r[i][real[i]], relevance[own])
    value = NDCG()(scores=s, relevance=r, mask=real)
    each = [NDCG()(scores=scores[o], relevance=relevance[o]) for q in np.unique(query)
            for o in [mask & (query == q)]]  # fmt: skip
    np.testing.assert_allclose(value, np.mean(each), rtol=1e-6)


def test_what_has_no_room_is_counted_and_told():
    query, scores = jnp.array([1, 1, 1, 2, 3]), jnp.arange(5.0)
    for room, lost, bad in (((3, 2), 1, [0]), ((2, 3), 1, [1]), ((1, 1), 4, [0]), ((3, 3), 0, [])):
        (s,), mask, found = group_queries(query, scores, max_queries=room[0], max_documents=room[1])
        assert found == lost
        assert np.flatnonzero(np.isnan(s).any(1)).tolist() == bad
        new = NDCG().update(scores=s, relevance=jnp.ones(room), mask=mask)
        if bad:
            with pytest.raises(eqm.InvalidDataError):
                new.check()
        else:
            new.check()


def test_arguments():
    with pytest.raises(TypeError, match="expected integers of shape"):
        group_queries(jnp.ones(3), max_queries=1, max_documents=1)  # pyright: ignore
    with pytest.raises(TypeError, match="they must have the same shape"):
        group_queries(jnp.ones(3, int), jnp.ones(2), max_queries=1, max_documents=1)
    with pytest.raises(ValueError, match="expected numbers from 1 on"):
        group_queries(jnp.ones(3, int), jnp.ones(3), max_queries=0, max_documents=1)
