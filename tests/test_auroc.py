"""`AUROC` beside scikit-learn's `roc_auc_score`: the truth lies inside its bounds."""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import roc_auc_score

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import drawn_of, kept, KINDS, read, scored


def expected(scores, labels, weights):
    if np.unique(labels).size < 2:
        return math.nan
    return roc_auc_score(labels, scores, sample_weight=weights)


@pytest.mark.parametrize("name", ["logits", "probabilities"])
@pytest.mark.parametrize("way", [fold, spread])
def test_ties_are_known(way, name):
    @few
    @given(batch=scored(name))
    def check(batch):
        got, (low, high) = read(way(eqm.AUROC(eqm.Binary(), resolution=9), batch))
        want = expected(*kept(batch, name))
        np.testing.assert_allclose(got, want, atol=2e-6)
        if not math.isnan(want):
            assert low <= want + 1e-12 and want - 1e-12 <= high and high - low < 1e-6

    check()


update = jax.jit(lambda metric, batch: metric.update(**batch))


def both(metric, name, scores, labels, rows):
    missing = rows - len(scores)
    batch = {
        name: np.pad(scores, (0, missing), constant_values=np.nan),
        "labels": np.pad(labels, (0, missing)),
        "mask": np.arange(rows) < len(scores),
    }
    return read(update(metric, batch))


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_is_inside_the_bounds(kind):
    # coarse cells, so that most rows share one
    metric = eqm.AUROC(eqm.Binary(), resolution=9)
    for seed in range(42):
        rows = int(np.random.default_rng(seed).choice([2, 3, 10, 100, 1000, 5000]))
        name, scores, labels = drawn_of(kind, rows, seed)
        got, (low, high) = both(metric, name, scores, labels, 5000)
        want = roc_auc_score(labels, np.clip(scores.astype(np.float64), -1e300, 1e300))
        assert low <= want <= high and low <= got <= high
        assert kind != "constant" or (got == 0.5 and high - low < 1e-6)


SEVEN = ["normal", "normal at -30", "normal at 1000", "tiny", "huge"]
SEVEN += ["low probabilities", "high probabilities"]


@pytest.mark.parametrize("kind", SEVEN)
def test_narrow_for_scores_of_any_range(kind):
    name, scores, labels = drawn_of(kind, 100_000, 1)
    got, (low, high) = both(eqm.AUROC(eqm.Binary()), name, scores, labels, 100_000)
    want = roc_auc_score(labels, scores.astype(np.float64))
    assert low <= want <= high and high - low < 2e-4 and abs(got - want) < 2e-5


@few
@given(batch=scored("probabilities", classes=3))
def test_classes_against_the_others(batch):
    scores, labels, weights = kept(batch, "probabilities")
    want = np.array([expected(scores[:, c], labels == c, weights) for c in range(3)])
    task = eqm.Multiclass(3)
    for average in ("macro", "weighted", None):
        metric = fold(eqm.AUROC(task, average=average, resolution=9), batch)
        got, (low, high) = read(metric)
        known = ~np.isnan(want)
        w = [weights[labels == c].sum() if average == "weighted" else 1.0 for c in range(3)]
        total = np.asarray(w)[known].sum()
        mean = (want[known] * np.asarray(w)[known]).sum() / total if known.any() else math.nan
        truth = want if average is None else mean
        np.testing.assert_allclose(got, truth, atol=2e-6)
        np.testing.assert_allclose(low, truth, atol=2e-6)
        np.testing.assert_allclose(high, truth, atol=2e-6)


def test_the_order_of_softmax_is_that_of_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 4)).astype(np.float32) * 3
    labels = rng.integers(0, 4, 500).astype(np.int32)
    metric = eqm.AUROC(eqm.Multiclass(4), average=None)
    by_logits = metric(logits=logits, labels=labels)
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(-1, keepdims=True)
    want = [roc_auc_score(labels == c, p[:, c]) for c in range(4)]
    np.testing.assert_allclose(by_logits, want, atol=1e-3)


def test_by_hand():
    auroc = eqm.AUROC(eqm.Binary())
    logits, labels = jnp.array([97.0, 98.0, 99.0, 100.0]), jnp.array([0, 1, 0, 1])
    assert auroc(logits=logits, labels=labels) == 0.75
    assert auroc(logits=-logits, labels=labels) == 0.25
    weights = jnp.array([1, 1, 3, 1])  # of 8 pairs, 5 are in order
    assert auroc(logits=logits, labels=labels, weights=weights) == 5 / 8
    assert auroc(logits=jnp.array([0.0, -0.0]), labels=jnp.array([0, 1])) == 0.5
    multilabel = eqm.AUROC(eqm.Multilabel(2), average=None)
    value = multilabel(logits=logits.reshape(2, 2), labels=jnp.array([[0, 1], [1, 1]]))
    assert value[0] == 1 and jnp.isnan(value[1])
    assert eqm.AUROC(eqm.Multilabel(2))(logits=logits.reshape(2, 2), labels=labels.reshape(2, 2))


def test_undefined():
    auroc = eqm.AUROC(eqm.Binary())
    assert jnp.isnan(auroc.compute())
    for label in (0, 1):
        one = auroc.update(logits=jnp.array([0.0, 1.0]), labels=jnp.array([label, label]))
        assert jnp.isnan(one.compute()) and jnp.isnan(one.bounds()[0])
    assert eqm.AUROC(eqm.Binary(), undefined=0.5).compute() == 0.5
    bad = auroc.update(logits=jnp.array([0.0, 1.0, jnp.nan]), labels=jnp.array([0, 1, 1]))
    assert jnp.isnan(bad.compute()) and jnp.isnan(jnp.stack(bad.bounds())).all()
    with pytest.raises(ValueError, match="average"):
        eqm.AUROC(eqm.Binary(), average="mean")  # pyright: ignore[reportArgumentType]


def test_readouts_share_one_statistic():
    task = eqm.Multiclass(3)
    metrics = eqm.MetricDict(
        auroc=eqm.AUROC(task),
        each=eqm.AUROC(task, average=None),
        precision=eqm.AveragePrecision(task),
    )
    assert len(jax.tree.leaves(metrics)) == len(jax.tree.leaves(eqm.ScoreHistogram(task)))
    logits = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    metrics = metrics.update(logits=logits, labels=jnp.arange(3))
    auroc = metrics["auroc"]
    assert isinstance(auroc, eqm.AUROC)
    low, high = auroc.bounds()
    assert low <= 1 <= high and metrics.compute()["precision"] > 0.999


def test_one_against_one():
    # The classes of `ignored` have no rows, and so no pairs.
    rng = np.random.default_rng(0)
    for ignored in ((), (3,)):
        labels = rng.choice([c for c in range(4) if c not in ignored], 300).astype(np.int32)
        p = rng.gamma(0.5, size=(300, 4)) + np.eye(4)[labels] * 0.3
        p = (p / p.sum(-1, keepdims=True)).astype(np.float32)
        known = [c for c in range(4) if c not in ignored]
        few = p[:, known].astype(np.float64)
        for average in ("macro", "weighted"):
            areas, rows = [], []
            for a, b in itertools.combinations(range(len(known)), 2):
                pair = np.isin(labels, [known[a], known[b]])
                is_a = labels[pair] == known[a]
                both = roc_auc_score(is_a, few[pair, a]), roc_auc_score(~is_a, few[pair, b])
                areas.append(sum(both) / 2)
                rows.append(pair.sum() if average == "weighted" else 1)
            want = np.average(areas, weights=rows)
            if not ignored:
                peer = roc_auc_score(labels, p, multi_class="ovo", average=average)
                np.testing.assert_allclose(want, peer, atol=1e-6)
            sizes: list[dict[str, Any]] = [{"exact": 300}, {"resolution": 12}]
            for options in sizes:
                task = eqm.Multiclass(4)
                metric = eqm.AUROC(task, average=average, multi_class="ovo", **options)
                got, (low, high) = read(update(metric, dict(probabilities=p, labels=labels)))
                assert low - 1e-9 <= want <= high + 1e-9 and high - low < 1e-2
                np.testing.assert_allclose(got, want, atol=1e-6 if "exact" in options else 1e-3)


def test_one_against_one_by_hand():
    # Class 2 is ignored. Of 0 and 1: by the scores of 0, 1 of 2 pairs in order; of 1, 1.5.
    p = jnp.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5], [0.375, 0.5, 0.125], [0.0, 0.0, 1.0]])
    task = eqm.Multiclass(3, ignore_index=2)
    for exact in (None, 4):
        metric = eqm.AUROC(task, multi_class="ovo", exact=exact)
        assert metric(probabilities=p, labels=jnp.array([0, 0, 1, 2])) == (0.5 + 1) / 2
    with pytest.raises(ValueError, match="'ovo' is for a multiclass task"):
        eqm.AUROC(eqm.Binary(), multi_class="ovo")
    with pytest.raises(ValueError, match="average='micro'"):
        eqm.AUROC(task, multi_class="ovo", average="micro")
    with pytest.raises(ValueError, match=r"4.6 GiB at resolution=9"):
        eqm.AUROC(eqm.Multiclass(780), multi_class="ovo", resolution=9)
