"""`eqm.uncertainty.ConformalCoverage` beside its definition in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import agree, at_once, fold, seeds, spread, values_of
from .drawn import each_case, masked, SHAPE, weighted


CLASSES, SIZES = 4, (0, 1, 3)


def drawn(seed):
    rng = np.random.default_rng(seed)
    share = rng.choice([0.1, 0.5, 0.9], (SHAPE[0], 1, 1, 1))
    mask = masked(rng)
    labels = rng.integers(0, CLASSES, SHAPE)
    return {
        "predicted_sets": rng.random((*SHAPE, CLASSES)) < share,
        "labels": np.where(mask, labels, 9).astype(np.int32),
        "mask": mask,
        "weights": weighted(rng),
    }


def mean(x, w):
    return np.sum(x * w) / np.sum(w) if np.sum(w) else np.nan


def definition(predicted_sets, labels, weights):
    covered = predicted_sets[np.arange(len(labels)), labels]
    size = predicted_sets.sum(1)
    group = np.searchsorted(SIZES, size, "right") - 1
    of = lambda x, n: [mean(covered[x == i], weights[x == i]) for i in range(n)]
    per_size = of(group, len(SIZES))
    return {
        "coverage": mean(covered, weights),
        "size": mean(size, weights),
        "empty": mean(size == 0, weights),
        "per_class": of(labels, CLASSES),
        "per_size": per_size,
        "worst_size": np.nanmin(per_size) if len(labels) else np.nan,
    }


@pytest.mark.parametrize("way", [fold, spread])
@at_once
@given(seed=seeds)
def test_float64_agrees(way, seed):
    batch = drawn(seed)
    metric = eqm.uncertainty.ConformalCoverage(CLASSES, sizes=SIZES)
    for got, rows in each_case(values_of(way, metric, batch), batch):
        want = definition(**rows)
        assert got.keys() == want.keys()
        for name, x in want.items():
            agree(got[name], x, rtol=1e-6, atol=1e-7)


def test_by_hand():
    coverage = eqm.uncertainty.ConformalCoverage(3)
    sets = jnp.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    value = coverage(predicted_sets=sets, labels=jnp.array([0, 2, 1]))
    agree(value["coverage"], 1 / 3)
    agree(value["empty"], 1 / 3)
    assert value["size"] == 1 and value["worst_size"] == 0
    assert value["per_class"].tolist() == [1, 0, 0]
    np.testing.assert_array_equal(value["per_size"], [0, 1, 0, np.nan])
    # Sets of all classes cover, and are large; a count that a float doesn't hold stays one.
    many = coverage.update(predicted_sets=sets[:2], labels=jnp.zeros(2, int))
    assert many.compute()["coverage"] == 1 and many.compute()["size"] == 1.5
    none = eqm.uncertainty.ConformalCoverage(3, undefined=0.0).compute()
    assert all(np.all(np.asarray(x) == 0) for x in none.values())
    assert np.isnan(coverage.compute()["coverage"])


def test_invalid_and_refused():
    coverage, sets = eqm.uncertainty.ConformalCoverage(3), jnp.ones((2, 3), bool)
    bad = coverage.update(predicted_sets=sets, labels=jnp.array([0, 3]))
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid row.*labels in \[0, 3\)"):
        bad.check()
    with pytest.raises(TypeError, match=r"expected the shape \(2, 3\), whether each"):
        coverage(predicted_sets=sets[:, :2], labels=jnp.zeros(2, int))
    with pytest.raises(ValueError, match="num_classes=0"):
        eqm.uncertainty.ConformalCoverage(0)
    for sizes in ((), (1, 2), (0, 2, 2)):
        with pytest.raises(ValueError, match="sizes="):
            eqm.uncertainty.ConformalCoverage(3, sizes=sizes)
