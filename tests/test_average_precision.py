"""`AveragePrecision` beside scikit-learn's: the truth lies inside its bounds."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import average_precision_score

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import drawn_of, kept, KINDS, read, scored


def expected(scores, labels, weights):
    if not labels.any():
        return math.nan
    return average_precision_score(labels, scores, sample_weight=weights)


@pytest.mark.parametrize("name", ["logits", "probabilities"])
@pytest.mark.parametrize("way", [fold, spread])
def test_ties_are_known(way, name):
    @few
    @given(batch=scored(name))
    def check(batch):
        metric = way(eqm.AveragePrecision(eqm.Binary(), resolution=9), batch)
        got, (low, high) = read(metric)
        want = expected(*kept(batch, name))
        np.testing.assert_allclose(got, want, atol=2e-6)
        if not math.isnan(want):
            assert low <= want <= high and high - low < 3e-6

    check()


update = jax.jit(lambda metric, batch: metric.update(**batch))


def both(metric, name, scores, labels, rows, weights=None):
    missing = rows - len(scores)
    batch = {
        name: np.pad(scores, (0, missing), constant_values=np.nan),
        "labels": np.pad(labels, (0, missing)),
        "mask": np.arange(rows) < len(scores),
    }
    if weights is not None:
        batch["weights"] = np.pad(weights, (0, missing))
    return read(update(metric, batch))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_is_inside_the_bounds(kind, weighted):
    # coarse cells, so that most rows share one
    metric = eqm.AveragePrecision(eqm.Binary(), resolution=9)
    for seed in range(42):
        rng = np.random.default_rng(seed)
        rows = int(rng.choice([2, 3, 10, 100, 1000, 5000]))
        name, scores, labels = drawn_of(kind, rows, seed)
        weights = rng.exponential(size=rows).astype(np.float32) if weighted else None
        got, (low, high) = both(metric, name, scores, labels, 5000, weights)
        exact = np.clip(scores.astype(np.float64), -1e300, 1e300)
        w = None if weights is None else weights.astype(np.float64)
        want = average_precision_score(labels, exact, sample_weight=w)
        assert low <= want <= high and low <= got <= high


SEVEN = ["normal", "normal at -30", "normal at 1000", "tiny", "huge"]
SEVEN += ["low probabilities", "high probabilities"]


@pytest.mark.parametrize("kind", SEVEN)
def test_narrow_for_scores_of_any_range(kind):
    name, scores, labels = drawn_of(kind, 100_000, 1)
    got, (low, high) = both(eqm.AveragePrecision(eqm.Binary()), name, scores, labels, 100_000)
    want = average_precision_score(labels, scores.astype(np.float64))
    assert low <= want <= high and high - low < 6e-4 and abs(got - want) < 2e-5


@few
@given(batch=scored("probabilities", classes=3))
def test_classes_against_the_others(batch):
    scores, labels, weights = kept(batch, "probabilities")
    want = np.array([expected(scores[:, c], labels == c, weights) for c in range(3)])
    metric = fold(eqm.AveragePrecision(eqm.Multiclass(3), average=None, resolution=9), batch)
    for got in jax.tree.leaves(read(metric)):
        np.testing.assert_allclose(got, want, atol=2e-6)
    macro = fold(eqm.AveragePrecision(eqm.Multiclass(3), resolution=9), batch)
    mean = np.nanmean(want) if not np.isnan(want).all() else math.nan
    np.testing.assert_allclose(macro.compute(), mean, atol=2e-6)


def test_by_hand():
    precision = eqm.AveragePrecision(eqm.Binary())
    logits = jnp.array([4.0, 3.0, 2.0, 1.0])
    value = precision(logits=logits, labels=jnp.array([1, 0, 1, 0]))
    np.testing.assert_allclose(value, (1 + 2 / 3) / 2, rtol=1e-6)
    # all tied: the share of positives
    tied = precision(logits=jnp.ones(4), labels=jnp.array([1, 0, 0, 0]))
    np.testing.assert_allclose(tied, 0.25, rtol=1e-6)
    weighted = precision(
        logits=logits, labels=jnp.array([1, 0, 1, 0]), weights=jnp.array([2, 3, 1, 1])
    )
    np.testing.assert_allclose(weighted, (2 * 1 + 1 * 3 / 6) / 3, rtol=1e-6)


def test_undefined():
    precision = eqm.AveragePrecision(eqm.Binary())
    assert jnp.isnan(precision.compute())
    assert jnp.isnan(precision(logits=jnp.zeros(2), labels=jnp.zeros(2, jnp.int32)))
    np.testing.assert_allclose(precision(logits=jnp.zeros(2), labels=jnp.ones(2, jnp.int32)), 1)
    assert eqm.AveragePrecision(eqm.Binary(), undefined=0.0).compute() == 0.0
