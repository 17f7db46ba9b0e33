"""What all scores of a task share: what an infinite logit is worth, and which rows are valid."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm
from eqmetrics._metric.invalid import invalid_counts

from .table import MORE, ROWS as TABLE


ROWS = 64
TASKS = {
    "binary": eqm.Binary(),
    "multiclass": eqm.Multiclass(4),
    "30 classes": eqm.Multiclass(30),
    "multilabel": eqm.Multilabel(4),
}


def labels_of(task: eqm.AbstractTask, rng) -> np.ndarray:
    if isinstance(task, eqm.Multiclass):
        return rng.integers(0, task.num_classes, ROWS).astype(np.int32)
    shape = (ROWS,) if isinstance(task, eqm.Binary) else (ROWS, task.classes)
    return rng.integers(0, 2, shape).astype(np.int32)


def logits_of(task: eqm.AbstractTask, rng) -> np.ndarray:
    shape = (ROWS,) if isinstance(task, eqm.Binary) else (ROWS, task.classes)
    x = rng.normal(0, 2, shape)
    x = np.where(rng.random(shape) < 0.15, np.inf, x)
    x = np.where(rng.random(shape) < 0.15, -np.inf, x)
    if x.ndim == 2:
        x[0], x[1, :2] = -np.inf, np.inf
    return np.where(rng.random(shape) < 0.05, 1e39, x)  # becomes infinite


def probabilities(task: eqm.AbstractTask, logits: np.ndarray) -> np.ndarray:
    """The definition, in float64: the highest logits, if they are infinite, share all."""
    if not isinstance(task, eqm.Multiclass):
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-logits))
    top = logits.max(-1, keepdims=True)
    parts = np.where(logits == top, 1, np.exp(logits - np.where(np.isinf(top), 0, top)))
    parts = np.where(np.isinf(top) & (logits != top), 0, parts)
    return parts / parts.sum(-1, keepdims=True)


# Metrics of probabilities, made so that no cell has several scores.
EXACT = {"exact": ROWS * 32}
MAKE = {
    "LogLoss": {},
    "Brier": {},
    "NormalizedEntropy": {},
    "D2LogLoss": {},
    "D2Brier": {},
    "CalibrationError": {},
    "AdaptiveCalibrationError": {},
    "ReliabilityDiagram": {},
    "AUROC": EXACT,
    "AveragePrecision": EXACT,
    "Gini": EXACT,
    "KolmogorovSmirnov": EXACT,
    "EqualErrorRate": EXACT,
    "PartialAUROC": EXACT | {"max_fpr": 0.5},
    "LogAUC": EXACT,
    "ROC": EXACT,
    "DET": EXACT,
    "PrecisionRecallCurve": EXACT,
    "PrecisionRecallGain": EXACT,
    "BrierDecomposition": EXACT,
    "PrecisionAtRecall": EXACT | {"min_recall": 0.5},
    "RecallAtPrecision": EXACT | {"min_precision": 0.5},
    "SensitivityAtSpecificity": EXACT | {"min_specificity": 0.5},
    "SpecificityAtSensitivity": EXACT | {"min_sensitivity": 0.5},
    "CoverageError": {},
    "LabelRankingAveragePrecision": {},
    "LabelRankingLoss": {},
}
RANKINGS = {"CoverageError", "LabelRankingAveragePrecision", "LabelRankingLoss"}
# They have no labels, or are made of another score.
OTHERS = {"CrossEntropy", "BestThreshold", "ThresholdCurve"}
# of which the table's rows are read by one of these
STATISTICS = {
    "CalibrationBins",
    "ConfidenceHistogram",
    "ProbabilityLosses",
    "LogLosses",
    "BrierLosses",
    "ScoreBuffer",
    "ScoreHistogram",
}


def test_every_metric_of_probabilities_is_here():
    takes = {
        name
        for name in TABLE.keys() - MORE
        if "." not in name  # those of a shelf have tests of their own
        for cls in [getattr(eqm, name)]
        for has in [inspect.signature(cls.update).parameters]
        if "probabilities" in has and "predicted_labels" not in has
    }
    own = {n: m for n, (m, _) in TABLE.items() if "." not in n}
    readers = {n: type(getattr(m, "statistic", None)).__name__ for n, m in own.items()}
    readouts = {n for n, statistic in readers.items() if statistic in STATISTICS}
    assert (takes | readouts) - STATISTICS - MORE - OTHERS == MAKE.keys()


@jax.jit
def read(metrics, batch):
    return metrics(**batch)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", TASKS)
def test_infinite_logits(name, dtype):
    task, rng = TASKS[name], np.random.default_rng(0)
    ranks = isinstance(task, eqm.Multilabel)
    metrics = eqm.MetricDict(
        {n: getattr(eqm, n)(task, **k) for n, k in MAKE.items() if ranks or n not in RANKINGS}
    )
    labels = labels_of(task, rng)
    with np.errstate(over="ignore"):
        logits = logits_of(task, rng).astype(dtype)
    p = probabilities(task, logits.astype(np.float64)).astype(np.float32)
    got = read(metrics, {"logits": logits, "labels": labels})
    want = read(metrics, {"probabilities": p, "labels": labels})
    for n in metrics:
        values = got[n] if isinstance(got[n], dict) else {"value": got[n]}
        for key, x in values.items():
            if "threshold" not in key:
                y = want[n][key] if isinstance(want[n], dict) else want[n]
                np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-6, err_msg=f"{n} {key}")


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_infinite_logits_by_hand(dtype):
    """Beside definitions that use none of the metrics."""
    task, rng = eqm.Multiclass(4), np.random.default_rng(1)
    labels = labels_of(task, rng)
    with np.errstate(over="ignore"):
        logits = logits_of(task, rng).astype(dtype)
    p = probabilities(task, logits.astype(np.float64))
    own = np.eye(4)[labels]
    with np.errstate(divide="ignore"):
        loss = -np.log(p[np.arange(ROWS), labels]).mean()
    top, right = p.max(-1), p.argmax(-1) == labels
    bins = np.minimum((np.float32(top) * np.float32(15)).astype(int), 14)
    gaps = [(right - top)[bins == b].sum() for b in range(15)]
    metrics = eqm.MetricDict(
        loss=eqm.LogLoss(task),
        brier=eqm.Brier(task),
        error=eqm.CalibrationError(task),
        diagram=eqm.ReliabilityDiagram(task),
        cells=eqm.ConfidenceHistogram(task),
        accuracy=eqm.Accuracy(task),
    )
    got = read(metrics, {"logits": logits, "labels": labels})
    np.testing.assert_allclose(got["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(got["brier"], ((p - own) ** 2).sum(-1).mean(), rtol=1e-5)
    np.testing.assert_allclose(got["error"], np.abs(gaps).sum() / ROWS, rtol=1e-4)
    assert got["diagram"]["weight"].sum() == got["cells"]["weight"].sum() == ROWS
    np.testing.assert_allclose(got["cells"]["confidence"].sum(), top.sum(), rtol=1e-5)
    assert got["accuracy"] == right.mean()


def test_the_hinge_of_infinite_scores():
    hinge = eqm.Hinge(eqm.Multiclass(2))
    inf = np.inf
    for row, value in (([inf, 0], 0), ([inf, -inf], 0), ([inf, inf], 1), ([-inf, 0], inf)):
        assert hinge(logits=np.array([row], np.float16), labels=np.array([0])) == value


# ---- which rows are valid


GROUPED = MORE | {"GroupFairness"}


def of_task(task: eqm.AbstractTask | None) -> dict[str, eqm.Metric]:
    """The metrics of the table that take scores of the task, once each."""
    kind, found = type(task), {}
    for name, (m, batches) in TABLE.items():
        takes = {"logits", "probabilities"} & set(batches[0]) and "labels" in batches[0]
        if isinstance(getattr(m, "task", None), kind) and takes and name not in GROUPED:
            found[name] = m
    return found


BAD = {
    "probabilities": (np.nan, -0.25, 1.5, -np.inf, np.inf),
    "logits": (np.nan,),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "30 classes", "multilabel"])
def test_a_bad_row_is_one_of_every_metric(kind, name):
    rng = np.random.default_rng(0)
    if kind == "30 classes":
        task = TASKS[kind]
        members = {
            "any": eqm.Accuracy(),
            "accuracy": eqm.Accuracy(task),
            "f1": eqm.F1(task),
            "top": eqm.F1(eqm.Multiclass(30, top_k=3)),
            "matrix": eqm.ConfusionMatrix(task),
            "loss": eqm.LogLoss(task),
            "error": eqm.CalibrationError(task),
        }
    else:
        task = TASKS["binary"] if kind == "binary" else eqm.Multilabel(5)
        task = eqm.Multiclass(5) if kind == "multiclass" else task
        members = of_task(task)
        if kind == "multilabel":  # of 3 and of 5 labels
            members = {n: rebuilt(m, task) for n, m in members.items()}
        if kind == "multiclass":
            members |= {"Accuracy": eqm.Accuracy()}
    if name == "probabilities":
        members.pop("Hinge", None)
    assert len(members) > 6
    # But for curves, which take long to compile, members share nothing: each is updated itself.
    apart = lambda m: m if curve(m) else jax.tree.map(lambda x: x, m)
    metrics = eqm.MetricDict({n: apart(m) for n, m in members.items()})
    wide = () if kind == "binary" else (task.classes,)
    one = isinstance(task, eqm.Multiclass)
    scores = rng.random((4, *wide)).astype(np.float32)
    scores /= scores.sum(-1, keepdims=True) if one else 1
    labels = np.ones(4 if one else (4, *wide), np.int32)
    batch = {name: scores, "labels": labels, "weights": np.ones(4, np.float32)}
    update = jax.jit(lambda m, b: m.update(**b))

    def bad_rows(**changes):
        new = update(metrics, batch | changes)
        counts = {where: int(np.sum(pair)) for where, _, pair in invalid_counts(new)}
        # The rows for which a buffer has no room are others.
        return {where: count for where, count in counts.items() if ".rows" not in where}

    assert set(bad_rows().values()) == {0} and len(bad_rows()) > 3
    for x in BAD[name]:
        for place in range(task.classes if wide else 1):
            changed = scores.copy()
            changed[(2, place) if wide else 2] = x
            told = bad_rows(**{name: changed})
            assert set(told.values()) == {1}, (x, place, told)
    for label in (-1, 7 if kind != "30 classes" else 30):
        changed = labels.copy()
        changed[(2, 0) if labels.ndim == 2 else 2] = label
        assert set(bad_rows(labels=changed).values()) == {1}, label
    assert set(bad_rows(weights=np.array([1, 1, -1, 1], np.float32)).values()) == {1}


def curve(m: eqm.Metric) -> bool:
    return isinstance(getattr(m, "statistic", m), eqm.ScoreHistogram)


def rebuilt(m: eqm.Metric, task: eqm.AbstractTask) -> eqm.Metric:
    make: Any = type(m)
    return make(task, 99) if make is eqm.ScoreBuffer else make(task, **more_of(m))


def more_of(m: eqm.Metric) -> dict:
    return {"beta": m.beta} if isinstance(m, eqm.FBeta) else {}


def test_probabilities_that_do_not_sum_to_one_are_read_as_they_are():
    p, labels = jnp.array([[0.5, 0.25], [0.5, 0.75]]), jnp.array([0, 1])
    task = eqm.Multiclass(2)
    both = eqm.MetricDict(loss=eqm.LogLoss(task), accuracy=eqm.Accuracy(task))
    value = both(probabilities=p, labels=labels)
    assert value["accuracy"] == 1 and abs(value["loss"] + jnp.log(0.5 * 0.75) / 2) < 1e-6
