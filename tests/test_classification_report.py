"""`ClassificationReport` beside the text and the numbers of scikit-learn's."""

import warnings
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as skl

import eqmetrics as eqm

from .classification import batches, kept, NAN, random_batch, TASKS
from .oracle import few, fold


def theirs(task, batch, **kwargs) -> Any:
    y, p, w = kept(task, batch)
    if np.all(w == 1):
        w = None  # so that it prints whole numbers
    if isinstance(task, eqm.Binary):
        kwargs["labels"] = [0, 1]
    elif isinstance(task, eqm.Multiclass):
        kwargs["labels"] = list(range(task.classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kwargs |= {"sample_weight": w, "zero_division": NAN}
        return skl.classification_report(y, p, **kwargs)


@pytest.mark.parametrize("name", TASKS)
def test_numbers_are_scikit_learns(name):
    task = TASKS[name]

    @few
    @given(batch=batches(task))
    def check(batch):
        report = eqm.to_host(fold(eqm.ClassificationReport(task), batch))
        if not len(kept(task, batch)[0]):
            assert np.isnan(report.averages["macro"]["f1"])
            return
        want = theirs(task, batch, output_dict=True)
        for i, key in enumerate(report.names):
            for column in ("precision", "recall", "f1-score"):
                ours = report.classes[column.split("-")[0]][i]
                np.testing.assert_allclose(ours, want[key][column], atol=1e-6)
        for kind, values in report.averages.items():
            row = want.get(f"{kind} avg", {})
            if kind == "weighted" or not row:
                continue  # where no class that is defined has support, theirs is a plain mean
            np.testing.assert_allclose(values["f1"], row["f1-score"], atol=1e-6)
            np.testing.assert_allclose(values["support"], row["support"], rtol=1e-6)
        if report.accuracy is not None:
            np.testing.assert_allclose(report.accuracy, want["accuracy"], atol=1e-6)

    check()


@pytest.mark.parametrize("name", ["binary", "multiclass", "30 classes", "multilabel"])
@pytest.mark.parametrize("digits", [2, 4])
def test_prints_what_scikit_learn_prints(name, digits):
    task, rng = TASKS[name], np.random.default_rng(0)
    metric = eqm.ClassificationReport(task)
    run = jax.jit(lambda b: metric.update(**b))
    for _ in range(8):
        batch = random_batch(rng, task, 64, 64)
        batch["weights"] = (batch["weights"] > 0).astype(np.float32)
        y, p, _ = kept(task, batch)
        if not (y == p).any() or not y.any():
            continue  # without a hit it prints its counts as floats
        report = eqm.to_host(run(batch))
        lines = theirs(task, batch, digits=digits).splitlines()
        lines = [x for x in lines if "samples avg" not in x]  # which needs every row
        assert report.table(digits=digits).splitlines() == lines
        assert str(report) == report.table()


def test_names():
    y, p = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])
    names = ("cat", "a rather long name of a class", "dog")
    task = eqm.Multiclass(3)
    printed = str(eqm.ClassificationReport(task, names=names)(predicted_labels=p, labels=y))
    assert printed == skl.classification_report(y, p, target_names=names)
    some = eqm.ClassificationReport(eqm.Multiclass(3, ignore_index=0), names=names)
    printed = str(some(predicted_labels=p, labels=y))
    assert "cat" not in printed and "dog" in printed
    with pytest.raises(ValueError, match="`names` has 3 names, and the task 2 classes"):
        eqm.ClassificationReport(eqm.Binary(), names=names)
