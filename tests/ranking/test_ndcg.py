"""`NDCG` and `DCG` beside scikit-learn and the mean over all orders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import dcg_score, ndcg_score

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from . import queries as q


TIES = "expected", "worst", "first"
ALL = eqm.MetricDict(
    {f"{ties}, {gain}": ranking.NDCG(q.CUTS, ties=ties, gain=gain)
     for ties in TIES for gain in ("linear", "exponential")}
    | {f"whole, {ties}": ranking.NDCG(ties=ties) for ties in TIES}
    | {f"dcg, {ties}": ranking.DCG(q.CUTS, ties=ties) for ties in TIES}
    | {"zero": ranking.NDCG(empty="zero"), "one": ranking.NDCG(empty="one")}
    | {"dcg, one": ranking.DCG(empty="one")}
)  # fmt: skip


@pytest.mark.parametrize("way", [fold, spread])
def test_all_orders_agree(way):
    @few
    @given(batch=q.queries())
    def check(batch):
        got = way(ALL, batch).compute()
        for ties in TIES:
            agree(got[f"{ties}, linear"], q.values(q.ndcg, batch, ties=ties), 2e-6, 1e-6)
            burges = q.values(q.exponential, batch, ties=ties)
            agree(got[f"{ties}, exponential"], burges, 2e-6, 1e-6)
            agree(got[f"whole, {ties}"], q.mean_of(q.ndcg, batch, ties=ties), 2e-6, 1e-6)
            agree(got[f"dcg, {ties}"], q.values(q.dcg, batch, ties=ties), 2e-6, 1e-6)
        for empty in ("zero", "one"):
            agree(got[empty], q.mean_of(q.ndcg, batch, empty=empty), 2e-6, 1e-6)
        agree(got["dcg, one"], q.mean_of(q.dcg, batch, empty="one"), 2e-6, 1e-6)

    check()


# Ranks by counting, the ideal by a sort, and ranks by a binary search.
@pytest.mark.parametrize("documents", [40, 300, 1100])
def test_scikit_learn_agrees(documents):
    rng = np.random.default_rng(0)
    scores = np.round(rng.normal(size=(20, documents)), 1).astype(np.float32)
    relevance = rng.integers(0, 4, scores.shape).astype(np.float32)
    for k in (None, 10):
        batch = {"scores": scores, "relevance": relevance}
        agree(ranking.NDCG(k)(**batch), ndcg_score(relevance, scores, k=k), 1e-6)
        got = ranking.NDCG(k).per_row(**batch)
        each = [ndcg_score([r], [s], k=k) for r, s in zip(relevance, scores, strict=True)]
        agree(got, each, 1e-6)
        agree(ranking.DCG(k)(**batch), dcg_score(relevance, scores, k=k), 1e-6)


def test_by_hand():
    scores, relevance = jnp.array([[3.0, 2.0, 1.0]]), jnp.array([[0, 1, 1]])
    agree(ranking.NDCG()(scores=scores, relevance=relevance), 0.69343, 1e-5)
    agree(ranking.DCG()(scores=scores, relevance=relevance), 0.63093 + 0.5, 1e-5)
    tied = {"scores": jnp.array([[1.0, 1.0]]), "relevance": jnp.array([[1, 0]])}
    agree(ranking.NDCG()(**tied), 0.81546, 1e-5)
    agree(ranking.NDCG(ties="first")(**tied), 1)
    agree(ranking.NDCG(ties="worst")(**tied), 1 / np.log2(3), 1e-6)


def test_linear_and_exponential_gain_are_told_apart():
    # ranx: `ndcg` and `ndcg_burges` of one query differ.
    batch = {"scores": jnp.array([[3.0, 2.0, 1.0]]), "relevance": jnp.array([[1, 3, 0]])}
    linear, burges = (ranking.NDCG(gain=gain)(**batch) for gain in ("linear", "exponential"))
    agree(linear, (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)), 1e-6)
    agree(burges, (1 + 7 / np.log2(3)) / (7 + 1 / np.log2(3)), 1e-6)


def test_the_ideal_is_that_of_all_documents():
    batch = {"scores": jnp.array([[3.0, 2.0, 1.0]]), "relevance": jnp.array([[0, 1, 1]])}
    assert ranking.NDCG(1)(**batch) == 0
    agree(ranking.NDCG(2)(**batch), (1 / np.log2(3)) / (1 + 1 / np.log2(3)), 1e-6)


def test_a_constant_model_isn_t_perfect():
    batch = {"scores": jnp.zeros((1, 4)), "relevance": jnp.array([[0, 0, 0, 1]])}
    agree(ranking.NDCG()(**batch), np.mean(1 / np.log2(np.arange(4) + 2)), 1e-6)


def test_the_relevance_has_the_gradient():
    batch = {"scores": jnp.array([[3.0, 2.0, 1.0]])}
    slope = jax.grad(lambda x: ranking.NDCG()(**batch, relevance=x))(jnp.array([[1.0, 2.0, 0.5]]))
    f = lambda *x: q.ndcg(np.array(x), 3)
    step = 1e-6
    moves = step * np.eye(3)
    want = [f(*(np.array([1, 2, 0.5]) + m)) - f(*(np.array([1, 2, 0.5]) - m)) for m in moves]
    agree(slope[0], np.array(want) / (2 * step), 1e-4)


def test_gains_that_there_are():
    with pytest.raises(ValueError, match="expected 'linear' or 'exponential'"):
        ranking.NDCG(gain="square")  # pyright: ignore[reportArgumentType]
