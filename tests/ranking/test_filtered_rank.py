"""`FilteredRank` beside the mean over all orders of candidates with equal scores."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, masks, ROWS, spread, STEPS, weights
from .queries import SCORES


TIES = "expected", "worst", "first"
CANDIDATES, CUTS = 6, (1, 2, 4, 9)
ALL = eqm.MetricDict({t: ranking.FilteredRank(CUTS, ties=t) for t in TIES})


@st.composite
def links(draw):
    """Stacked batches, with NaN where there is no candidate and labels out of range where there
    is no row; the true candidate is never filtered."""
    rows, shape = (STEPS, ROWS), (STEPS, ROWS, CANDIDATES)
    labels = draw(arrays(np.int32, rows, elements=st.integers(0, CANDIDATES - 1)))
    kept = draw(arrays(np.bool_, shape)) | (np.arange(CANDIDATES) == labels[..., None])
    mask = draw(masks())[..., None] & kept
    w = draw(arrays(np.float32, rows, elements=weights))
    real = mask & (w > 0)[..., None]
    scores = np.where(real, draw(arrays(np.float32, shape, elements=SCORES)), np.float32(np.nan))
    labels = np.where(real.any(-1), labels, np.int32(77))
    return {"scores": scores, "labels": labels, "mask": mask, "weights": w}


def ranks(scores: np.ndarray, label: int, kept: np.ndarray, ties: str) -> np.ndarray:
    """Of the true candidate, in all orders."""
    own = scores[label]
    before = np.sum(scores[kept] > own)
    tied = [i for i in np.flatnonzero(kept).tolist() if scores[i] == own]
    orders = itertools.permutations(tied) if ties == "expected" else [tied]
    places = [order.index(label) for order in orders]
    return before + 1 + np.array([len(tied) - 1] if ties == "worst" else places)


def values(batch, ties):
    rank, others, weight = [], [], []
    for i in np.ndindex(batch["labels"].shape):
        kept = batch["mask"][i]
        if kept.any() and batch["weights"][i] > 0:
            r = ranks(batch["scores"][i], batch["labels"][i], kept, ties).astype(np.float64)
            hits = [np.mean(r <= k) for k in CUTS]
            rank.append([np.mean(r), np.mean(1 / r), *hits])
            others.append(kept.sum() - 1)
            weight.append(float(batch["weights"][i]))
    nan = np.full(2 + len(CUTS), np.nan)
    mean = np.average(rank, 0, weight) if weight else nan
    most = np.dot(weight, others)
    excess = np.dot(weight, [r[0] - 1 for r in rank])
    return {
        "mean_rank": mean[0],
        "mean_reciprocal_rank": mean[1],
        "hits": mean[2:],
        "adjusted_mean_rank_index": 1 - excess / (most / 2) if most else np.nan,
    }


@pytest.mark.parametrize("way", [fold, spread])
def test_all_orders_agree(way):
    @few
    @given(batch=links())
    def check(batch):
        got = way(ALL, batch).compute()
        for t in TIES:
            want = values(batch, t)
            assert got[t].keys() == want.keys()
            for name, x in want.items():
                agree(got[t][name], x, 1e-6, 2e-7)

    check()


def test_by_hand():
    batch = {"scores": jnp.array([[3.0, 2.0, 2.0, 1.0]]), "labels": jnp.array([1])}
    known = jnp.array([[True, False, False, False]])
    for ties, rank in zip(TIES, (2.5, 3, 2), strict=True):
        assert ranking.FilteredRank(ties=ties)(**batch)["mean_rank"] == rank
        assert ranking.FilteredRank(ties=ties)(**batch, mask=~known)["mean_rank"] == rank - 1
    value = ranking.FilteredRank(2)(**batch)
    assert value["hits"] == 0.5
    agree(value["mean_reciprocal_rank"], (1 / 2 + 1 / 3) / 2, 1e-6)
    agree(value["adjusted_mean_rank_index"], 1 - 1.5 / 1.5, atol=1e-7)


def test_it_is_the_reciprocal_rank_of_one_relevant_document():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (50, 30)).astype(np.float32)
    labels = rng.integers(0, 30, 50).astype(np.int32)
    relevance = labels[:, None] == np.arange(30)
    got = ranking.FilteredRank()(scores=scores, labels=labels)["mean_reciprocal_rank"]
    agree(got, ranking.MeanReciprocalRank()(scores=scores, relevance=relevance), 1e-6)


@pytest.mark.parametrize("tied", [1, 2, 7, 8, 9, 100, 5000])
def test_harmonic_means_far_down(tied):
    # Of a list of 6000, `tied` from each place on.
    rows = np.array([0, 1, 3, 7, 8, 9, 50, 1000])
    scores = np.where(np.arange(6000) < rows[:, None], 2, 0)
    scores = np.where(np.arange(6000) >= rows[:, None] + tied, -1, scores).astype(np.int32)
    rank = ranking.FilteredRank().per_row(scores=scores, labels=rows.astype(np.int32))
    want = [np.mean(1 / np.arange(a + 1, a + tied + 1)) for a in rows]
    agree(rank["mean_reciprocal_rank"], want, 3e-7)
    agree(rank["mean_rank"], rows + (tied + 1) / 2, 1e-7)


def test_invalid_rows_are_counted():
    scores = np.tile(np.arange(3, dtype=np.float32), (5, 1))
    labels, mask = np.array([0, 3, -1, 1, 2], np.int32), np.ones((5, 3), bool)
    scores[0, 2], mask[3, 1] = np.nan, False  # a NaN, two labels of nothing, and one filtered
    new = ranking.FilteredRank().update(scores=scores, labels=labels, mask=mask)
    assert all(np.isnan(x).all() for x in jax.tree.leaves(new.compute()))
    with pytest.raises(eqm.InvalidDataError, match=r"4 rows?.*|.*labels in \[0, candidates\)"):
        new.check()
    mask[:4] = False  # rows without a candidate fill up a batch
    whole = ranking.FilteredRank().update(scores=scores, labels=labels, mask=mask)
    whole.check()
    assert whole.compute()["mean_rank"] == 1
    mask[0], mask[0, 2] = True, False
    ranking.FilteredRank().update(scores=scores, labels=labels, mask=mask).check()


@pytest.mark.parametrize("dtype", [np.int8, np.uint32, np.float16, bool])
def test_scores_of_other_types(dtype):
    scores = np.array([[1, 0, 1, 1]]).astype(dtype)
    assert ranking.FilteredRank()(scores=scores, labels=np.array([0], np.uint8))["mean_rank"] == 2


def test_one_candidate_and_none():
    batch = {"scores": jnp.ones((2, 1)), "labels": jnp.zeros(2, jnp.int32)}
    one = ranking.FilteredRank(1, undefined=-1.0)(**batch)
    assert one["adjusted_mean_rank_index"] == -1 and one["mean_rank"] == 1 and one["hits"] == 1
    assert ranking.FilteredRank(undefined=-1.0).compute()["mean_rank"] == -1
    with pytest.raises(TypeError, match=r"\(\*rows, candidates\)"):
        ranking.FilteredRank()(scores=jnp.ones((2, 0)), labels=jnp.zeros(2, jnp.int32))
    with pytest.raises(TypeError, match="the number of its true candidate"):
        ranking.FilteredRank()(scores=jnp.ones((2, 3)), labels=jnp.zeros(3, jnp.int32))
    with pytest.raises(ValueError, match="needs a `k`"):
        ranking.FilteredRank(None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`ties` is 'best'"):
        ranking.FilteredRank(ties="best")  # pyright: ignore[reportArgumentType]
