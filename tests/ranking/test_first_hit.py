"""`MeanReciprocalRank` and `HitRate` beside the mean over all orders."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from . import queries as q


TIES = "expected", "worst", "first"
ALL = eqm.MetricDict(
    {f"rank, {t}": ranking.MeanReciprocalRank(q.CUTS, ties=t) for t in TIES}
    | {f"hit, {t}": ranking.HitRate(q.CUTS, ties=t) for t in TIES}
    | {"whole": ranking.MeanReciprocalRank()}
    | {f"rank, {e}": ranking.MeanReciprocalRank(2, empty=e) for e in ("zero", "one")}
)


@pytest.mark.parametrize("way", [fold, spread])
def test_all_orders_agree(way):
    @few
    @given(batch=q.queries())
    def check(batch):
        got = way(ALL, batch).compute()
        for t in TIES:
            agree(got[f"rank, {t}"], q.values(q.reciprocal_rank, batch, ties=t), 2e-6, 1e-6)
            agree(got[f"hit, {t}"], q.values(q.hit, batch, ties=t), 2e-6, 1e-6)
        agree(got["whole"], q.mean_of(q.reciprocal_rank, batch), 2e-6, 1e-6)
        for e in ("zero", "one"):
            agree(got[f"rank, {e}"], q.mean_of(q.reciprocal_rank, batch, 2, empty=e), 2e-6, 1e-6)

    check()


def test_by_hand():
    batch = {"scores": jnp.array([[3.0, 2.0, 1.0]]), "relevance": jnp.array([[0, 1, 1]])}
    assert ranking.MeanReciprocalRank()(**batch) == 0.5
    assert ranking.HitRate(1)(**batch) == 0 and ranking.HitRate(2)(**batch) == 1
    tied = {"scores": jnp.array([[1.0, 1.0]]), "relevance": jnp.array([[1, 0]])}
    assert ranking.MeanReciprocalRank()(**tied) == 0.75


def test_three_queries_of_which_one_has_no_relevant_document():
    scores = jnp.array([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    batch = {"scores": scores, "relevance": jnp.array([[1, 0], [0, 1], [0, 0]])}
    agree(ranking.MeanReciprocalRank()(**batch), 0.75, 1e-6)
    agree(ranking.MeanReciprocalRank(empty="zero")(**batch), 0.5, 1e-6)
    agree(ranking.MeanReciprocalRank(empty="one")(**batch), 0.8333333, 1e-6)


def test_one_of_many_tied_documents():
    # Each place is as likely: the mean of 1, 1/2, ..., 1/500.
    batch = {"scores": jnp.zeros((1, 500)), "relevance": jnp.arange(500)[None] == 17}
    agree(ranking.MeanReciprocalRank()(**batch), np.mean(1 / np.arange(1, 501)), 2e-6)
    agree(ranking.HitRate((1, 50, 499))(**batch), [1 / 500, 50 / 500, 499 / 500], 5e-6)
