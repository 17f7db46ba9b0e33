"""`RetrievalAUROC` beside scikit-learn and the mean over all orders."""

import functools as ft

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import roc_auc_score

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from . import queries as q


TIES = "expected", "worst", "first"
SHARES = 1.0, 0.5, 0.3
ALL = eqm.MetricDict(
    {f"{t}, {m}": ranking.RetrievalAUROC(ties=t, max_fpr=m) for t in TIES for m in SHARES}
    | {e: ranking.RetrievalAUROC(empty=e) for e in ("zero", "one")}
)


@pytest.mark.parametrize("way", [fold, spread])
def test_all_orders_agree(way):
    @few
    @given(batch=q.queries())
    def check(batch):
        got = way(ALL, batch).compute()
        for m in SHARES:
            definition = ft.partial(q.auroc, max_fpr=m)
            for t in TIES:
                agree(got[f"{t}, {m}"], q.mean_of(definition, batch, ties=t), 2e-6, 1e-6)
        for e in ("zero", "one"):
            agree(got[e], q.mean_of(q.auroc, batch, empty=e), 2e-6, 1e-6)

    check()


# Ranks by counting, and by a binary search.
@pytest.mark.parametrize("documents", [40, 1100])
def test_scikit_learn_agrees(documents):
    rng = np.random.default_rng(0)
    relevance = rng.random((20, documents)) < 0.2
    for decimals, shares in ((1, (None,)), (9, (None, 0.1, 0.25))):  # with ties, and without
        scores = np.round(rng.normal(size=relevance.shape), decimals).astype(np.float32)
        for share in shares:
            metric = ranking.RetrievalAUROC(max_fpr=share)
            got = metric.per_row(scores=scores, relevance=relevance)
            each = zip(relevance, scores, strict=True)
            agree(got, [roc_auc_score(r, s, max_fpr=share) for r, s in each], 1e-6)


def test_by_hand():
    batch = {"scores": jnp.array([[3.0, 2.0, 2.0]]), "relevance": jnp.array([[0, 1, 0]])}
    assert ranking.RetrievalAUROC()(**batch) == 0.25
    assert ranking.RetrievalAUROC(ties="worst")(**batch) == 0
    assert ranking.RetrievalAUROC(ties="first")(**batch) == 0.5
    best = {"scores": jnp.array([[3.0, 2.0, 1.0]]), "relevance": jnp.array([[2, 0, 0]])}
    assert ranking.RetrievalAUROC()(**best) == 1
    assert ranking.RetrievalAUROC(max_fpr=0.3)(**best) == 1
    one_kind = {"scores": jnp.ones((2, 3)), "relevance": jnp.array([[1, 1, 1], [0, 0, 0]])}
    assert np.isnan(ranking.RetrievalAUROC()(**one_kind))
    assert ranking.RetrievalAUROC(empty="zero")(**one_kind) == 0


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.5])
def test_rates(rate):
    with pytest.raises(ValueError, match="expected a rate above 0"):
        ranking.RetrievalAUROC(max_fpr=rate)
