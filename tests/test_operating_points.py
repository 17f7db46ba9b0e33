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


RATES = {0.8: (4, 5), 1.0: (1, 1), 0.3: (3, 10), 2 / 3: (2, 3)}


def test_a_rate_that_is_met_exactly_is_met():
    """Of 1 to 200 positives: the best value, of those the best other rate, of those the highest
    threshold; in whole numbers, so that no rounding decides."""
    rows = 400
    makers = {
        (name, rate): make(eqm.Binary(), exact=rows, **dict.fromkeys(at, rate))
        for name, (make, at, _, _) in CASES.items()
        for rate in RATES
    }

    @jax.jit
    def read(scores, labels, mask):
        metrics = eqm.MetricDict({f"{name} {rate}": m for (name, rate), m in makers.items()})
        return metrics(logits=scores, labels=labels, mask=mask)

    rng = np.random.default_rng(0)
    for positives in range(1, 201):
        labels = np.arange(rows) < positives
        mask = np.arange(rows) < positives + rng.integers(1, 201)
        scores = rng.normal(size=rows) + labels * rng.uniform(0, 2)
        scores = np.round(scores * rng.choice([1, 3, 100])).astype(np.float32)
        got = read(scores, labels, mask)
        thresholds = np.concatenate([[math.inf], np.unique(scores[mask])[::-1]])
        said = scores[mask][None] >= thresholds[:, None]
        tp, said = said[:, labels[mask]].sum(1), said.sum(1)
        fp, negatives = said - tp, int(mask.sum()) - positives
        parts = {  # precision, recall, specificity
            0: (np.where(said, tp, 1), np.where(said, said, 1)),
            1: (tp, np.full_like(tp, positives)),
            2: (negatives - fp, np.full_like(tp, negatives)),
        }
        values = {k: a / b for k, (a, b) in parts.items()}
        for (name, rate), _ in makers.items():
            _, _, best, reached = CASES[name]
            part, whole = parts[reached]
            top, bottom = RATES[rate]
            allowed = np.flatnonzero(part * bottom >= top * whole)
            order = np.lexsort((-allowed, values[reached][allowed], values[best][allowed]))
            i = allowed[order[-1]]
            at = got[f"{name} {rate}"]
            assert at["value"] == np.float32(values[best][i]), (name, rate, positives)
            assert at["threshold"] == thresholds[i], (name, rate, positives)


def test_where_no_finite_threshold_reaches_the_rate():
    """The highest score is of a negative: a precision and a specificity of 1 are those of no
    prediction. Recall has no such case: the lowest threshold has all."""
    logits, labels = jnp.array([1.0, 2.0]), jnp.array([1, 0])
    nothing = {"value": 0.0, "threshold": jnp.inf}
    strict = eqm.RecallAtPrecision(eqm.Binary(), min_precision=1.0)
    assert strict(logits=logits, labels=labels) == nothing
    strict = eqm.SensitivityAtSpecificity(eqm.Binary(), min_specificity=1.0)
    assert strict(logits=logits, labels=labels) == nothing
    all_ = eqm.PrecisionAtRecall(eqm.Binary(), min_recall=1.0)
    assert all_(logits=logits, labels=labels) == {"value": 0.5, "threshold": 1.0}
    all_ = eqm.SpecificityAtSensitivity(eqm.Binary(), min_sensitivity=1.0)
    assert all_(logits=logits, labels=labels) == {"value": 0.0, "threshold": 1.0}


def test_of_several_best_thresholds_the_better_recall():
    logits, labels = jnp.array([4.0, 3.0, 2.0, 1.0]), jnp.array([1, 1, 0, 0])
    at = eqm.PrecisionAtRecall(eqm.Binary(), min_recall=0.5)
    assert at(logits=logits, labels=labels) == {"value": 1.0, "threshold": 3.0}
    at = eqm.SpecificityAtSensitivity(eqm.Binary(), min_sensitivity=0.5)
    assert at(logits=logits, labels=labels) == {"value": 1.0, "threshold": 3.0}
