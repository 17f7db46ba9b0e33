"""Scores of events beside their definitions in float64, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import ROWS, STEPS, WAYS, WEIGHTS


LABELS = 3
BINARY = eqm.Binary()


def far(a, b, c, d):
    return b, a + b


def bias(a, b, c, d):
    return a + b, a + c


def ets(a, b, c, d):
    chance = (a + b) * (a + c) / (a + b + c + d)
    return a - chance, a + b + c - chance


def heidke(a, b, c, d):
    n = a + b + c + d
    right = ((a + b) * (a + c) + (d + b) * (d + c)) / n
    return a + d - right, n - right


SCORES = {
    eqm.fields.FalseAlarmRatio: far,
    eqm.fields.FrequencyBias: bias,
    eqm.fields.EquitableThreat: ets,
    eqm.fields.HeidkeSkill: heidke,
}


def batch_of(seed):
    rng = np.random.default_rng(seed)
    size = STEPS, ROWS
    rate = rng.choice([0.0, 0.3, 0.9, 1.0], LABELS)
    yes = lambda: (rng.random((*size, LABELS)) < rate).astype(np.int32)
    mask, weights = rng.random(size) < rng.random(), rng.choice(WEIGHTS, size)
    return {"predicted_labels": yes(), "labels": yes(), "mask": mask, "weights": weights}


def counts_of(batch):
    w = np.where(batch["mask"], batch["weights"].astype(np.float64), 0)[..., None]
    said, seen = batch["predicted_labels"] == 1, batch["labels"] == 1
    kinds = said & seen, said & ~seen, ~said & seen, ~said & ~seen
    return [np.sum(w * kind, (0, 1)) for kind in kinds]


@few
@given(seed=seeds)
def test_float64_agrees(seed):
    for way, _ in WAYS:
        batch = batch_of(seed)
        task = eqm.Multilabel(LABELS)
        scores = {make.__name__: make(task, average=None) for make in SCORES}
        got = way(eqm.MetricDict(scores), batch).compute()
        with np.errstate(invalid="ignore", divide="ignore"):
            for make, of in SCORES.items():
                top, bottom = of(*counts_of(batch))
                some = bottom > 1e-9 * sum(counts_of(batch))
                want = np.where(some, top / bottom, np.nan)
                name = make.__name__
                np.testing.assert_allclose(got[name], want, 1e-5, 1e-6, err_msg=name)


def test_by_hand():
    # Finley's tornadoes of 1884: 28 hits, 72 false alarms, 23 misses, 2680 correct negatives.
    counts = jnp.array([28.0, 72.0, 23.0, 2680.0])
    said, seen = jnp.array([1, 1, 0, 0]), jnp.array([1, 0, 1, 0])
    of = lambda metric: float(metric(predicted_labels=said, labels=seen, weights=counts))
    for make, want in zip(SCORES, (0.72, 100 / 51, 0.216, 0.355), strict=True):
        assert abs(of(make(BINARY)) - want) < 5e-4, make
    kappa, heidke = of(eqm.CohenKappa(BINARY)), of(eqm.fields.HeidkeSkill(BINARY))
    np.testing.assert_allclose(heidke, kappa, rtol=1e-6)
    np.testing.assert_allclose(of(eqm.Recall(BINARY)), 28 / 51, rtol=1e-6)


@pytest.mark.parametrize("make", SCORES)
def test_undefined(make):
    none = jnp.zeros(3, jnp.int32)
    assert jnp.isnan(make(BINARY).compute())
    assert jnp.isnan(make(BINARY)(predicted_labels=none, labels=none))
    assert make(BINARY, undefined=0.0)(predicted_labels=none, labels=none) == 0


def test_a_score_beside_chance_has_no_micro_average():
    for make in (eqm.fields.EquitableThreat, eqm.fields.HeidkeSkill):
        with pytest.raises(ValueError, match="average='micro'"):
            make(eqm.Multilabel(2), average="micro")


def test_some_classes_and_what_an_undefined_one_counts_as():
    # No row is an event of label 1, nor predicted as one: its score is undefined.
    said, seen = jnp.array([[1, 0], [1, 0], [0, 0]]), jnp.array([[1, 0], [0, 0], [0, 0]])
    of = lambda **kw: float(
        eqm.fields.HeidkeSkill(eqm.Multilabel(2), **kw)(predicted_labels=said, labels=seen)
    )
    first = 2 * 1 / (2 * 1 + 3)  # a hit, a false alarm, a correct negative
    np.testing.assert_allclose([of(), of(include=(0,))], first, rtol=1e-6)
    np.testing.assert_allclose(
        [of(empty="zero"), of(empty="one")], [first / 2, (first + 1) / 2], rtol=1e-6
    )
    assert np.isnan(of(include=(1,)))
