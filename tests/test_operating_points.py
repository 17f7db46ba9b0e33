"""`PrecisionAtRecall`, `RecallAtPrecision`, `SensitivityAtSpecificity` and
`SpecificityAtSensitivity`: the best of all thresholds, tried one by one."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from .oracle import few, fold, spread
from .scores import drawn_of, kept, KINDS, scored


def rates(scores, labels, weights):
    """Of the thresholds from infinity down: precision, recall and specificity."""
    thresholds = np.concatenate([[math.inf], np.unique(scores)[::-1]])
    found = []
    for i, t in enumerate(thresholds):
        said = scores >= t if i else np.zeros(scores.shape, bool)
        of = lambda rows: weights[rows].sum()
        yes = labels == 1
        precision = of(said & yes) / of(said) if said.any() else 1.0
        recall = of(said & yes) / of(yes) if yes.any() else math.nan
        specificity = of(~said & ~yes) / of(~yes) if (~yes).any() else math.nan
        found.append((precision, recall, specificity))
    return np.array(found).T


# rates that no threshold has by chance, so that rounding doesn't decide
CASES = {
    "PrecisionAtRecall": (eqm.PrecisionAtRecall, {"min_recall": 0.4321}, 0, 1),
    "RecallAtPrecision": (eqm.RecallAtPrecision, {"min_precision": 0.4321}, 1, 0),
    "SensitivityAtSpecificity": (eqm.SensitivityAtSpecificity, {"min_specificity": 0.4321}, 1, 2),
    "SpecificityAtSensitivity": (eqm.SpecificityAtSensitivity, {"min_sensitivity": 0.4321}, 2, 1),
}


@pytest.mark.parametrize("way", [fold, spread])
def test_the_best_threshold(way):
    makers = {k: make(eqm.Binary(), resolution=9, **at) for k, (make, at, _, _) in CASES.items()}

    @few
    @given(batch=scored())
    def check(batch):
        scores, labels, weights = kept(batch, "logits")
        got = way(eqm.MetricDict(makers), batch).compute()
        found = rates(scores, labels, weights)
        for name, (_, _, best, reached) in CASES.items():
            ok = found[reached] >= 0.4321
            known = not np.isnan(found[[best, reached]]).any() and (labels == 1).any()
            want = found[best][ok].max() if known else math.nan
            np.testing.assert_allclose(got[name]["value"], want, rtol=1e-5, atol=1e-6)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_value_and_threshold_belong_together(kind):
    name, scores, labels = drawn_of(kind, 3000, 5)
    makers = {k: make(eqm.Binary(), **at) for k, (make, at, _, _) in CASES.items()}
    update = jax.jit(lambda m, **b: m.update(**b).compute())
    got = update(eqm.MetricDict(makers), **{name: scores}, labels=labels)
    for k, (_, _, best, reached) in CASES.items():
        threshold = float(got[k]["threshold"])
        said = scores >= threshold if got[k]["value"] > 0 else np.zeros(len(scores), bool)
        precision = labels[said].mean() if said.any() else 1.0
        own = precision, said[labels].mean(), (~said)[~labels].mean()
        if k != "SpecificityAtSensitivity" or got[k]["value"] > 0:
            np.testing.assert_allclose(got[k]["value"], own[best], rtol=1e-5)
            assert own[reached] >= 0.4321 - 1e-6


def test_by_hand():
    logits, labels = jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([1, 0, 1, 0])
    at = eqm.RecallAtPrecision(eqm.Binary(), min_precision=0.5)(logits=logits, labels=labels)
    assert at == {"value": 1.0, "threshold": 1.0}
    # none is so precise: nothing is to be predicted
    at = eqm.RecallAtPrecision(eqm.Binary(), min_precision=0.9)(logits=logits, labels=labels)
    assert at == {"value": 0.0, "threshold": jnp.inf}
    at = eqm.SensitivityAtSpecificity(eqm.Binary(), min_specificity=0.5)
    assert at(logits=logits, labels=labels) == {"value": 0.5, "threshold": 3.0}
    at = eqm.SpecificityAtSensitivity(eqm.Multilabel(2), min_sensitivity=0.5)
    each = at(logits=logits.reshape(2, 2), labels=labels.reshape(2, 2))
    assert each["value"][0].shape == () and jnp.isnan(each["threshold"]).tolist() == [True, True]


def test_undefined():
    for make, at, _, _ in CASES.values():
        empty = make(eqm.Binary(), resolution=9, **at).compute()
        assert jnp.isnan(empty["value"]) and jnp.isnan(empty["threshold"])
        assert make(eqm.Binary(), resolution=9, undefined=0.0, **at).compute()["value"] == 0
        with pytest.raises(ValueError, match=next(iter(at))):
            make(eqm.Binary(), **dict.fromkeys(at, 0.0))
