"""What all scores of ranked lists share: masks, invalid data, padding, order, shapes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics import ranking
from eqmetrics._metric.node import walk

from ..oracle import agree
from . import queries as q


ALL = eqm.MetricDict(
    ndcg=ranking.NDCG(),
    ndcg_10=ranking.NDCG(10, ties="worst"),
    dcg=ranking.DCG(3),
    average_precision=ranking.RetrievalAveragePrecision(),
    reciprocal_rank=ranking.MeanReciprocalRank(),
    hits=ranking.HitRate((1, 3)),
    precision=ranking.PrecisionAtK(2),
    recall=ranking.RecallAtK(2),
    r_precision=ranking.RPrecision(),
    fall_out=ranking.FallOut(2),
    auroc=ranking.RetrievalAUROC(),
    early=ranking.RetrievalAUROC(max_fpr=0.4),
    curve=ranking.RetrievalPrecisionRecallCurve(4),
)


def drawn(documents, rows=16, levels=3):
    rng = np.random.default_rng(documents)
    scores = rng.integers(-levels, levels, (rows, documents)).astype(np.float32) / 4
    return {"scores": scores, "relevance": rng.integers(0, 3, scores.shape).astype(np.float32)}


def same(got, want):
    jax.tree.map(np.testing.assert_array_equal, got, want)


@pytest.mark.parametrize("scores", [(1, 1, 1, 0, 0, 0), (2, 1, 1, 1, 1, 0), (0,) * 6])
def test_ties_are_the_mean_over_all_permutations(scores):
    relevance = np.array([1, 0, 2, 0, 1, 0], np.float32)
    falls = lambda order: all(scores[i] >= scores[j] for i, j in itertools.pairwise(order))
    orders = np.array([x for x in itertools.permutations(range(6)) if falls(x)])
    orders = np.tile(orders, (720 // len(orders), 1))  # in one shape
    apart = np.tile(np.arange(6, 0, -1, dtype=np.float32), (720, 1))
    given = np.array([scores], np.float32)
    first = eqm.MetricDict({k: m for k, m in ALL.items() if k != "ndcg_10"})
    biased = ranking.RankBiasedPrecision(0.7)
    for metric, grades in ((first, relevance), (biased, relevance / 2)):
        want = metric(scores=apart, relevance=grades[orders])
        got = metric(scores=given, relevance=grades[None])
        jax.tree.map(lambda x, y: agree(x, y, 2e-6), got, want)


def test_scores_of_any_sign_are_ranked_as_they_are():
    # torchmetrics 1.9.0 gives average precision 0, reciprocal rank 0 and recall 0 here, and 0.833,
    # 1 and 1 for the same scores + 10: it leaves out relevant documents of scores <= 0.
    relevance = jnp.array([[1, 0, 1]])
    for scores in ([-1.0, -2.0, -3.0], [9.0, 8.0, 7.0], [0.0, -0.5, -1e30]):
        found = ALL(scores=jnp.array([scores]), relevance=relevance)
        agree(found["average_precision"], (1 + 2 / 3) / 2, 1e-6)
        assert found["reciprocal_rank"] == 1 and found["recall"] == 0.5
        assert ranking.RecallAtK(3)(scores=jnp.array([scores]), relevance=relevance) == 1


@pytest.mark.parametrize("documents, left", [(9, 6), (40, 25), (1100, 1000)])
def test_a_masked_document_is_removed(documents, left):
    batch = drawn(documents)
    rng = np.random.default_rng(0)
    which = np.stack([np.sort(rng.permutation(documents)[:left]) for _ in range(16)])
    mask = np.zeros((16, documents), bool)
    np.put_along_axis(mask, which, True, axis=1)
    spoilt = {k: np.where(mask, x, np.float32(np.nan)) for k, x in batch.items()}
    short = {k: np.take_along_axis(x, which, axis=1) for k, x in batch.items()}
    got, want = ALL.per_row(**spoilt, mask=mask), ALL.per_row(**short)
    jax.tree.map(lambda x, y: agree(x, y, 2e-6, 1e-6), got, want)


@pytest.mark.parametrize("documents, more", [(3, 9), (6, 40), (40, 70)])
def test_more_padding_changes_no_bit(documents, more):
    batch = drawn(documents, levels=20)
    pad = lambda x: np.pad(x, ((0, 0), (0, more - documents)), constant_values=np.nan)
    mask = np.broadcast_to(np.arange(more) < documents, (16, more))
    padded = {k: pad(x) for k, x in batch.items()}
    same(ALL.per_row(**padded, mask=mask), ALL.per_row(**batch))


@pytest.mark.parametrize("documents, more", [(100, 280), (1000, 1200)])
def test_more_padding_of_long_lists(documents, more):
    # Where the length chooses another kernel, XLA rounds a product and a sum once, or twice.
    batch = drawn(documents, levels=20)
    pad = lambda x: np.pad(x, ((0, 0), (0, more - documents)), constant_values=np.nan)
    mask = np.broadcast_to(np.arange(more) < documents, (16, more))
    got = ALL.per_row(**{k: pad(x) for k, x in batch.items()}, mask=mask)
    jax.tree.map(lambda x, y: agree(x, y, 3e-7, 1e-7), got, ALL.per_row(**batch))


def test_a_query_without_documents():
    batch = {"scores": jnp.zeros((2, 0)), "relevance": jnp.zeros((2, 0))}
    assert all(jnp.isnan(x).all() for x in jax.tree.leaves(ALL(**batch)))
    one = {"scores": jnp.zeros(3), "relevance": jnp.array([0, 0, 1])}
    assert ranking.HitRate(3)(**one) == 1  # one query


def test_invalid_queries_are_counted():
    scores, relevance = np.ones((5, 3), np.float32), np.ones((5, 3), np.float32)
    scores[0, 1], relevance[1, 2], relevance[2, 0], relevance[3, 0] = np.nan, -1, np.nan, np.inf
    for name, metric in ALL.items():
        new = metric.update(scores=scores, relevance=relevance)
        assert all(jnp.isnan(x).all() for x in jax.tree.leaves(new.compute())), name
        with pytest.raises(eqm.InvalidDataError, match="4 rows?.*|.*relevance >= 0"):
            new.check()
    mask = np.ones((5, 3), bool)
    mask[0, 1] = mask[1, 2] = mask[2, 0] = mask[3, 0] = False
    ALL.update(scores=scores, relevance=relevance, mask=mask).check()
    ALL.update(scores=scores, relevance=relevance, mask=np.arange(5) == 4).check()


def test_infinite_scores_and_zeros_of_both_signs():
    batch = {"scores": np.array([[-np.inf, np.inf, -0.0, 0.0]], np.float32)}
    assert ranking.MeanReciprocalRank()(**batch, relevance=np.array([[0, 1, 0, 0]])) == 1
    assert ranking.MeanReciprocalRank()(**batch, relevance=np.array([[1, 0, 0, 0]])) == 0.25
    tied = ranking.MeanReciprocalRank()(**batch, relevance=np.array([[0, 0, 0, 1]]))
    agree(tied, (1 / 2 + 1 / 3) / 2, 1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.float16, bool])
def test_scores_of_other_types(dtype):
    info = np.array([0, 1, 1, 0], dtype) if dtype is bool else np.array([3, 1, 2, 1], dtype)
    relevance = np.array([0, 1, 0, 1], dtype)
    as_floats = info.astype(np.float32)
    same(ALL(scores=info, relevance=relevance), ALL(scores=as_floats, relevance=relevance))


def test_large_integers_are_ranked_exactly():
    scores = np.array([[2**24, 2**24 + 1]], np.int32)
    assert ranking.MeanReciprocalRank()(scores=scores, relevance=np.array([[0, 1]])) == 1
    high = np.array([[2**31, 2**31 + 1, 5]], np.uint32)
    assert ranking.MeanReciprocalRank()(scores=high, relevance=np.array([[0, 1, 0]])) == 1


@pytest.mark.parametrize("ties", ["expected", "worst", "first"])
def test_long_lists_are_ranked_as_short_ones(ties):
    # The same documents in a list that is counted, sorted, or selected from.
    batch = drawn(200)
    far = lambda x, fill: np.pad(x, ((0, 0), (0, 1000)), constant_values=fill)
    longer = {"scores": far(batch["scores"], -9), "relevance": far(batch["relevance"], 0)}
    metrics = eqm.MetricDict(
        ndcg=ranking.NDCG(20, ties=ties),
        whole=ranking.NDCG(ties=ties),
        average_precision=ranking.RetrievalAveragePrecision((5, 20), ties=ties),
        reciprocal_rank=ranking.MeanReciprocalRank(7, ties=ties),
        hits=ranking.HitRate((1, 5), ties=ties),
        r_precision=ranking.RPrecision(ties=ties),
    )
    jax.tree.map(lambda x, y: agree(x, y, 1e-6), metrics(**longer), metrics(**batch))
    alone = {k: m(**longer) for k, m in metrics.items()}
    jax.tree.map(lambda x, y: agree(x, y, 1e-6), alone, metrics(**batch))


def test_shapes():
    with pytest.raises(TypeError, match="group_queries"):
        ranking.NDCG()(scores=1.0, relevance=1)
    with pytest.raises(TypeError, match="`scores` is .* and `relevance` is"):
        ranking.NDCG()(scores=jnp.ones((2, 3)), relevance=jnp.ones((2, 1)))
    with pytest.raises(TypeError, match="`mask` is"):
        ranking.NDCG()(scores=jnp.ones((2, 3)), relevance=jnp.ones((2, 3)), mask=jnp.ones(3, bool))
    with pytest.raises(TypeError, match="`weights` is"):
        x = jnp.ones((2, 3))
        ranking.NDCG()(scores=x, relevance=x, weights=x)


def test_leading_axes_are_rows():
    batch = drawn(6)
    folded = {k: x.reshape(4, 4, 6) for k, x in batch.items()}
    weights = np.arange(16, dtype=np.float32)
    same(ALL(**folded, weights=weights.reshape(4, 4)), ALL(**batch, weights=weights))


def test_members_of_a_dict_rank_once():
    batch = drawn(6)
    text = jax.jit(lambda m, b: m.update(**b)).lower(ALL, batch).as_text()
    one = jax.jit(lambda m, b: m.update(**b)).lower(
        eqm.MetricDict(ndcg=ranking.NDCG(), hit=ranking.HitRate(3)), batch
    )
    loops = lambda text: text.count("stablehlo.while")
    # The ranks and the ideal; ranks with the worst ties; sums of the first hit, for the rank and
    # for two `k`.
    assert loops(one.as_text()) == 3
    assert loops(text) <= 5
    assert all(isinstance(x, eqm.Metric) for _, x, _ in walk(ALL))


def test_the_median_over_the_queries():
    batch = drawn(6)
    each = ranking.NDCG().per_row(**batch)
    median = eqm.Median().from_fun(lambda scores, relevance: ranking.NDCG().per_row(
        scores=scores, relevance=relevance))  # fmt: skip
    low, high = np.sort(each)[[7, 8]]
    assert low - 1e-3 <= median(**batch) <= high + 1e-3
    rows = zip(*batch.values(), strict=True)
    agree(each, [q.of_query(q.ndcg, s, r, 6, "expected") for s, r in rows], 1e-5)
