"""`RetrievalPrecisionRecallCurve` beside the mean over all orders."""

import functools as ft

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from . import queries as q


TIES = "expected", "worst", "first"
POINTS = np.array(q.CUTS) - 1
ALL = eqm.MetricDict(
    {t: ranking.RetrievalPrecisionRecallCurve(7, ties=t) for t in TIES}
    | {e: ranking.RetrievalPrecisionRecallCurve(2, empty=e) for e in ("zero", "one")}
    | {"of documents": ranking.RetrievalPrecisionRecallCurve(7, divide_by="documents")}
)


@pytest.mark.parametrize("way", [fold, spread])
def test_all_orders_agree(way):
    @few
    @given(batch=q.queries())
    def check(batch):
        got = way(ALL, batch).compute()
        for t in TIES:
            precision = q.values(q.precision_of_curve, batch, ties=t)
            agree(got[t]["precision"][POINTS], precision, 2e-6, 1e-6)
            agree(got[t]["recall"][POINTS], q.values(q.recall, batch, ties=t), 2e-6, 1e-6)
        for e in ("zero", "one"):
            want = q.mean_of(q.precision_of_curve, batch, 2, empty=e)
            agree(got[e]["precision"][1], want, 2e-6, 1e-6)
            agree(got[e]["recall"][1], q.mean_of(q.recall, batch, 2, empty=e), 2e-6, 1e-6)
        definition = ft.partial(q.precision_of_curve, divide_by="documents")
        agree(got["of documents"]["precision"][6], q.mean_of(definition, batch, 7), 2e-6, 1e-6)

    check()


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("documents", [300, 1100])
def test_points_are_precision_and_recall_at_k(documents, ties):
    # Ranks by counting, by a selection, and by a binary search.
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 50, (8, documents)).astype(np.float32)
    batch = {"scores": scores, "relevance": rng.random(scores.shape) < 0.1}
    got = ranking.RetrievalPrecisionRecallCurve(25, ties=ties)(**batch)
    ks = 1, 2, 9, 25
    at = np.array(ks) - 1
    agree(got["precision"][at], ranking.PrecisionAtK(ks, ties=ties)(**batch), 1e-6)
    agree(got["recall"][at], ranking.RecallAtK(ks, ties=ties)(**batch), 1e-6)


def test_by_hand():
    batch = {"scores": jnp.array([[3.0, 2.0, 1.0]]), "relevance": jnp.array([[0, 1, 1]])}
    got = ranking.RetrievalPrecisionRecallCurve(5)(**batch)
    agree(got["precision"], [0, 1 / 2, 2 / 3, 2 / 4, 2 / 5], 1e-6)
    assert got["recall"].tolist() == [0, 0.5, 1, 1, 1]
    tied = {"scores": jnp.array([[1.0, 1.0]]), "relevance": jnp.array([[1, 0]])}
    assert ranking.RetrievalPrecisionRecallCurve(2)(**tied)["recall"].tolist() == [0.5, 1]
    none = ranking.RetrievalPrecisionRecallCurve(2, undefined=-1.0)(**tied, mask=jnp.array([False]))
    assert none["precision"].tolist() == [-1, -1]


def test_arguments():
    for k in (0, -1, 2.5, True, None):
        with pytest.raises((ValueError, TypeError)):
            ranking.RetrievalPrecisionRecallCurve(k)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="expected 'k' or 'documents'"):
        ranking.RetrievalPrecisionRecallCurve(2, divide_by="size")  # pyright: ignore[reportArgumentType]
