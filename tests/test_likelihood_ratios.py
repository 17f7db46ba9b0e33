"""`ClassLikelihoodRatios` and `InformednessMarkedness` beside scikit-learn and float64."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, close, counts, every_average, kept, NAN, TASKS
from .oracle import few, fold


KINDS = ("macro", "weighted", None)


def definitions(table):
    tn, fp, fn, tp = table.reshape(-1, 4).T
    with np.errstate(all="ignore"):
        own, others, said, unsaid = tp + fn, fp + tn, tp + fp, fn + tn
        positive = np.where((own > 0) & (fp > 0), (tp / own) / (fp / others), NAN)
        negative = np.where((own > 0) & (tn > 0), (fn / own) / (tn / others), NAN)
        informedness = tp / own + tn / others - 1
        markedness = tp / said + tn / unsaid - 1
    return own, {
        "positive": positive,
        "negative": negative,
        "informedness": informedness,
        "markedness": markedness,
    }


def average_of(values, support, average, binary):
    if binary:
        return values[0]
    if average is None:
        return values
    w = np.where(np.isnan(values), 0, support if average == "weighted" else 1)
    return np.nan_to_num(values) @ w / w.sum() if w.sum() else NAN


@pytest.mark.parametrize("name", TASKS)
def test_is_its_definition(name):
    task, binary = TASKS[name], name == "binary"
    metrics = eqm.MetricDict(
        ratios=every_average(eqm.ClassLikelihoodRatios, task, KINDS),
        both=every_average(eqm.InformednessMarkedness, task, KINDS),
    )

    @few
    @given(batch=batches(task))
    def check(batch):
        got = fold(metrics, batch).compute()
        support, want = definitions(counts(task, batch))
        for average in KINDS:
            values = got["ratios"][str(average)] | got["both"][str(average)]
            for key, x in want.items():
                close(values[key], average_of(x, support, average, binary), 1e-5)
        y, p, w = kept(task, batch)
        if binary and len(np.unique(y)) == 2:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = skl.class_likelihood_ratios(y, p, sample_weight=w, labels=[0, 1])
            close(theirs, (want["positive"][0], want["negative"][0]))

    check()


def test_by_hand():
    y, p = jnp.array([1, 1, 1, 1, 0, 0, 0, 0]), jnp.array([1, 1, 1, 0, 1, 0, 0, 0])
    ratios = eqm.ClassLikelihoodRatios(eqm.Binary())(predicted_labels=p, labels=y)
    np.testing.assert_allclose([ratios["positive"], ratios["negative"]], [3, 1 / 3], rtol=1e-6)
    both = eqm.InformednessMarkedness(eqm.Binary())(predicted_labels=p, labels=y)
    np.testing.assert_allclose([both["informedness"], both["markedness"]], [0.5, 0.5], rtol=1e-6)
    for cls in (eqm.ClassLikelihoodRatios, eqm.InformednessMarkedness):
        with pytest.raises(ValueError, match="average='micro': expected one of"):
            cls(eqm.Binary(), average="micro")
