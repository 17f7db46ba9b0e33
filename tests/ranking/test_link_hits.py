"""`LinkHits` beside the k-th best negative, and the mean over all orders."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, masks, ROWS, spread, STEPS


CUTS = 1, 2, 5, 30
WHOLE = st.sampled_from([0.0, 1.0, 1.0, 2.0, 3.0])
ALL = eqm.MetricDict(
    worst=ranking.LinkHits(CUTS),
    rows=ranking.LinkHits(CUTS, exact=STEPS * ROWS),
    expected=ranking.LinkHits(CUTS, ties="expected"),
    of_rows=ranking.LinkHits(CUTS, ties="expected", exact=STEPS * ROWS),
    one=ranking.LinkHits(2, exact=STEPS * ROWS),
)


@st.composite
def edges(draw):
    shape = STEPS, ROWS
    levels = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 4.0])
    batch = {
        "logits": draw(arrays(np.float32, shape, elements=levels)),
        "labels": draw(arrays(np.int32, shape, elements=st.integers(0, 1))),
        "mask": draw(masks()),
        "weights": draw(arrays(np.float32, shape, elements=WHOLE)),
    }
    keep = batch["mask"] & (batch["weights"] > 0)
    batch["logits"] = np.where(keep, batch["logits"], np.float32(np.nan))
    return batch


def sides(batch):
    keep = batch["mask"] & (batch["weights"] > 0)
    times = batch["weights"][keep].astype(int)
    scores, labels = (np.repeat(batch[x][keep], times) for x in ("logits", "labels"))
    return scores[labels == 1], scores[labels == 0]


def ogb(positives, negatives, k):
    if len(positives) == 0 or len(negatives) < k:
        return np.nan
    return np.mean(positives > np.sort(negatives)[::-1][k - 1])


def expected(positives, negatives, k):
    """A positive may stand before each of the negatives of its score, or behind all."""
    if len(positives) == 0 or len(negatives) < k:
        return np.nan
    before = [np.sum(negatives > p) + np.arange(np.sum(negatives == p) + 1) for p in positives]
    return np.mean([np.mean(b < k) for b in before])


@pytest.mark.parametrize("way", [fold, spread])
def test_the_best_negatives_agree(way):
    @few
    @given(batch=edges())
    def check(batch):
        got, given_ = way(ALL, batch).compute(), sides(batch)
        worst = [ogb(*given_, k) for k in CUTS]
        agree(got["worst"], worst, 1e-6)
        agree(got["rows"], worst, 1e-6)
        agree(got["one"], worst[1], 1e-6)
        for name in ("expected", "of_rows"):
            agree(got[name], [expected(*given_, k) for k in CUTS], 1e-6, 1e-7)

    check()


def test_ties_are_the_mean_over_all_permutations():
    scores, labels = np.array([2, 1, 1, 1, 1, 0]), np.array([0, 1, 0, 0, 1, 0])
    orders = [[0, *middle, 5] for middle in itertools.permutations(range(1, 5))]
    apart = np.arange(6, 0, -1)
    each = [
        [ogb(apart[labels[order] == 1], apart[labels[order] == 0], k) for k in (1, 2, 3, 4)]
        for order in orders
    ]
    metric = ranking.LinkHits((1, 2, 3, 4), ties="expected", exact=6)
    got = metric(logits=scores.astype(np.float32), labels=labels.astype(np.int32))
    agree(got, np.mean(each, axis=0), 1e-6)


def test_by_hand():
    logits = jnp.array([3.0, 2.0, 0.5, 2.0, 1.0, 0.0])
    batch = {"logits": logits, "labels": jnp.array([1, 1, 1, 0, 0, 0])}
    got = ranking.LinkHits((1, 2, 3, 4), exact=6)(**batch)
    agree(got[:3], [1 / 3, 2 / 3, 1], 1e-6)
    assert np.isnan(got[3])  # OGB says 1
    agree(ranking.LinkHits(1, ties="expected")(**batch), (1 + 1 / 2) / 3, 1e-6)
    assert ranking.LinkHits(4, undefined=1.0)(**batch) == 1
    positives = {k: x[:3] for k, x in batch.items()}
    assert np.isnan(ranking.LinkHits(1)(**positives)) and np.isnan(ranking.LinkHits(1).compute())


def test_without_exact_it_is_at_most_so_much_too_low():
    rng = np.random.default_rng(0)
    labels = rng.random(4000) < 0.3
    logits = (rng.normal(size=4000) + labels).astype(np.float32)
    ks = 1, 20, 500
    got = ranking.LinkHits(ks)(logits=logits, labels=labels)
    want = [ogb(logits[labels], logits[~labels], k) for k in ks]
    agree(ranking.LinkHits(ks, exact=4000)(logits=logits, labels=labels), want, 1e-6)
    assert np.all(got <= np.array(want) + 1e-6) and np.all(got >= np.array(want) - 0.003)


def test_a_dict_keeps_one_statistic():
    size = lambda m: sum(x.size for x in jax.tree.leaves(m))
    both = eqm.MetricDict(auroc=eqm.AUROC(eqm.Binary()), hits=ranking.LinkHits(3))
    assert size(both) == size(eqm.AUROC(eqm.Binary()))


def test_no_common_order():
    labels = jnp.array([0, 1])
    new = ranking.LinkHits(1).update(logits=jnp.array([0.0, 1.0]), labels=labels)
    new = new.update(probabilities=jnp.array([0.0, 1.0]), labels=labels)
    assert np.isnan(new.compute())


def test_arguments():
    with pytest.raises(ValueError, match="expected 'worst' .* or 'expected'"):
        ranking.LinkHits(2, ties="first")  # pyright: ignore[reportArgumentType]
    for k in (0, (), None, 1.5):
        with pytest.raises((ValueError, TypeError)):
            ranking.LinkHits(k)  # pyright: ignore[reportArgumentType]
