"""`RetrievalAveragePrecision` beside the mean over all orders."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import average_precision_score

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from . import queries as q


TIES = "expected", "worst", "first"
ALL = eqm.MetricDict(
    {t: ranking.RetrievalAveragePrecision(q.CUTS, ties=t) for t in TIES}
    | {"reachable": ranking.RetrievalAveragePrecision(q.CUTS, normalize="reachable")}
    | {"whole": ranking.RetrievalAveragePrecision()}
    | {empty: ranking.RetrievalAveragePrecision(empty=empty) for empty in ("zero", "one")}
)


@pytest.mark.parametrize("way", [fold, spread])
def test_all_orders_agree(way):
    @few
    @given(batch=q.queries())
    def check(batch):
        got = way(ALL, batch).compute()
        for t in TIES:
            agree(got[t], q.values(q.average_precision, batch, ties=t), 2e-6, 1e-6)
        agree(got["reachable"], q.values(q.reachable, batch), 2e-6, 1e-6)
        agree(got["whole"], q.mean_of(q.average_precision, batch), 2e-6, 1e-6)
        for empty in ("zero", "one"):
            agree(got[empty], q.mean_of(q.average_precision, batch, empty=empty), 2e-6, 1e-6)

    check()


@pytest.mark.parametrize("documents", [40, 1100])
def test_scikit_learn_agrees_without_ties(documents):
    rng = np.random.default_rng(0)
    scores = np.stack([rng.permutation(documents) for _ in range(20)]).astype(np.float32)
    relevance = rng.random(scores.shape) < 0.2
    got = ranking.RetrievalAveragePrecision().per_row(scores=scores, relevance=relevance)
    want = [average_precision_score(r, s) for r, s in zip(relevance, scores, strict=True)]
    agree(got, want, 1e-6)


def test_by_hand():
    batch = {"scores": jnp.array([[3.0, 2.0, 1.0]]), "relevance": jnp.array([[0, 1, 1]])}
    agree(ranking.RetrievalAveragePrecision()(**batch), 7 / 12, 1e-6)
    tied = {"scores": jnp.array([[1.0, 1.0]]), "relevance": jnp.array([[1, 0]])}
    agree(ranking.RetrievalAveragePrecision()(**tied), 0.75, 1e-6)
    # torchmetrics 1.9.0 gives 1 here: it divides by the relevant documents found up to `k`.
    first = {"scores": jnp.array([[3.0, 2.0]]), "relevance": jnp.array([[1, 1]])}
    assert ranking.RetrievalAveragePrecision(1)(**first) == 0.5
    assert ranking.RetrievalAveragePrecision(1, normalize="reachable")(**first) == 1


def test_normalizations_that_there_are():
    with pytest.raises(ValueError, match="'relevant' .* or 'reachable'"):
        ranking.RetrievalAveragePrecision(normalize="found")  # pyright: ignore[reportArgumentType]
