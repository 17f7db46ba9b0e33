"""Averages over some of the classes, and what an undefined class counts as in one, beside
scikit-learn's `labels=` and `zero_division=`."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, close, counts, kept, NAN, TASKS
from .oracle import few, fold
from .scores import scored


SCORES = {
    "precision": (eqm.Precision, skl.precision_score),
    "recall": (eqm.Recall, skl.recall_score),
    "f1": (eqm.F1, skl.f1_score),
    "jaccard": (eqm.Jaccard, skl.jaccard_score),
}
SOME = (0, 2)
EMPTY = {"skip": NAN, "zero": 0.0, "one": 1.0}
AVERAGES = "micro", "macro", "weighted"


def peer(fn, task, batch, average, empty):
    y, p, w = kept(task, batch)
    table = counts(task, batch)[list(SOME)]
    if not len(y) or (average == "weighted" and table[:, 1].sum() == 0):
        return NAN if average != "macro" else EMPTY[empty]
    # of a class that isn't there `jaccard_score` has no NaN; its peers have the same denominators
    zero = EMPTY[empty]
    if fn is skl.jaccard_score:
        top, bottom = table[:, 1, 1], table[:, 0, 1] + table[:, 1].sum(-1)
        with np.errstate(all="ignore"):
            if average == "micro":
                return top.sum() / bottom.sum()
            each = np.where(bottom > 0, top / bottom, zero)
        weights = table[:, 1].sum(-1) if average == "weighted" else np.ones(len(each))
        weights = np.where(np.isnan(each), 0, weights)
        return np.nan_to_num(each) @ weights / weights.sum() if weights.sum() else NAN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zero = NAN if average == "micro" else zero
        each = fn(y, p, labels=SOME, average=None, sample_weight=w, zero_division=zero)
        if average == "weighted" and not table[~np.isnan(each), 1].sum():
            return NAN  # scikit-learn takes the plain mean
        return fn(y, p, labels=SOME, average=average, sample_weight=w, zero_division=zero)


@pytest.mark.parametrize("name", ["multiclass", "multilabel"])
def test_is_scikit_learns(name):
    task = TASKS[name]
    metrics = eqm.MetricDict(
        {
            f"{score} {average} {empty}": cls(task, average=average, include=SOME, empty=empty)
            for score, (cls, _) in SCORES.items()
            for average in AVERAGES
            for empty in EMPTY
        }
    )

    @few
    @given(batch=batches(task))
    def check(batch):
        got = jax.device_get(read(fold(metrics, batch)))
        for name, x in got.items():
            score, average, empty = name.split()
            close(x, peer(SCORES[score][1], task, batch, average, empty))

    check()


@jax.jit
def read(metrics):
    return metrics.compute()


def test_areas_of_some_classes():
    task, some = eqm.Multiclass(4), (0, 1)
    area = lambda **kwargs: eqm.AUROC(task, exact=24, **kwargs)
    metrics = eqm.MetricDict(
        macro=area(include=some),
        zero=area(include=(*some, 3), empty="zero"),
        one=area(include=(*some, 3), empty="one"),
        micro=area(include=some, average="micro"),
        each=area(include=some, average=None),
        precision=eqm.AveragePrecision(task, exact=24, include=some, average="weighted"),
        partial=eqm.PartialAUROC(task, exact=24, include=some, max_fpr=1.0, standardized=False),
    )

    @few
    @given(batch=scored("logits", classes=4))
    def check(batch):
        batch["labels"] = np.where(batch["labels"] == 3, 2, batch["labels"])  # 3 is absent
        finite = np.clip(batch["logits"], -4.0, 4.0)
        got = jax.device_get(read(fold(metrics, {**batch, "logits": finite})))
        keep = batch["mask"] & (batch["weights"] > 0)
        x, y, w = finite[keep].astype(float), batch["labels"][keep], batch["weights"][keep]
        x = np.exp(x - x.max(-1, keepdims=True, initial=0))
        x = x / x.sum(-1, keepdims=True)
        x = np.round(np.log(x / (1 - x)), 4)  # ties of float32
        yes = [np.asarray(y == c) for c in some]
        mixed = [0 < t.sum() < len(t) for t in yes]
        each = np.array(
            [
                skl.roc_auc_score(t, x[:, c], sample_weight=w) if ok else NAN
                for c, t, ok in zip(some, yes, mixed, strict=True)
            ]
        )
        close(got["each"], [*each, NAN, NAN], 2e-5)
        mean = np.nanmean(each) if any(mixed) else NAN
        close(got["macro"], mean, 2e-5)
        close(got["partial"], mean, 2e-5)
        close(got["zero"], np.append(np.nan_to_num(each), 0).mean(), 2e-5)
        close(got["one"], np.append(np.nan_to_num(each, nan=1.0), 1).mean(), 2e-5)
        both = np.concatenate(yes) if len(y) else np.zeros(0)
        micro = NAN
        if 0 < both.sum() < len(both):
            micro = skl.roc_auc_score(both, x[:, :2].T.ravel(), sample_weight=np.tile(w, 2))
        close(got["micro"], micro, 2e-5)
        support = np.array([w[t].sum() for t in yes])
        precision = NAN
        if support.sum() > 0:
            found = [
                skl.average_precision_score(t, x[:, c], sample_weight=w) if s > 0 else 0
                for c, t, s in zip(some, yes, support, strict=True)
            ]
            precision = support @ np.array(found) / support.sum()
        close(got["precision"], precision, 2e-5)

    check()


def test_one_class_is_kerass_class_id():
    task = eqm.Multiclass(3)
    y, p = jnp.array([0, 0, 1, 2]), jnp.array([0, 1, 1, 1])
    value = lambda metric: metric(predicted_labels=p, labels=y)
    assert value(eqm.Precision(task, include=[1])) == jnp.float32(1 / 3)
    each = value(eqm.Precision(task, average=None, include=[1]))
    np.testing.assert_array_equal(each, [np.nan, np.float32(1 / 3), np.nan])
    assert value(eqm.Accuracy(task, include=(0, 1))) == jnp.float32(2 / 3)
    assert value(eqm.FBeta(task, beta=1.0, include=(2,))) == 0
    both = value(eqm.InformednessMarkedness(task, include=(2,)))
    assert both["informedness"] == 0 and jnp.isnan(both["markedness"])
    # never predicted: left out, or 0, or 1
    assert value(eqm.Precision(task, include=(0, 2))) == 1
    assert value(eqm.Precision(task, include=(0, 2), empty="zero")) == 0.5
    assert value(eqm.Precision(task, include=(1, 2), empty="one")) == jnp.float32(2 / 3)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: eqm.F1(eqm.Multiclass(3), include=(3,)), r"different classes in \[0, 3\)"),
        (lambda: eqm.F1(eqm.Binary(), include=(0,)), "a binary task has one class"),
        (lambda: eqm.AUROC(eqm.Multiclass(3, ignore_index=1), include=(1,)), "`ignore_index`"),
        (lambda: eqm.F1(eqm.Multiclass(3), empty="half"), "`empty` is 'half'"),  # pyright: ignore
        (lambda: eqm.Accuracy(include=(1,)), "needs to know the classes"),
        (
            lambda: eqm.AUROC(eqm.Multiclass(3), multi_class="ovo", empty="zero"),
            "a pair of which one class has no rows",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
