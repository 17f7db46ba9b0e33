"""Shared by the tests of scores that are computed from counts: random cases of every task, the rows
that count, and the definitions in float64."""

import functools as ft
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as skl

import eqmetrics as eqm

from .oracle import masks, ROWS, STEPS, weights


NAN = float("nan")
AVERAGES = ("micro", "macro", "weighted", None)
# Below and above the number of classes where the algorithm changes.
TASKS = {
    "binary": eqm.Binary(),
    "one class": eqm.Multiclass(1),
    "multiclass": eqm.Multiclass(5),
    "30 classes": eqm.Multiclass(30),
    "multilabel": eqm.Multilabel(3),
}
# Few values, so that ties are common; saturated and infinite scores tie as well.
SCORES = st.sampled_from([-1.0, 0.0, 1.0, 1e30, -1e30, np.inf, -np.inf])


def shapes(task: eqm.AbstractTask, rows: tuple[int, ...]) -> tuple[tuple, tuple]:
    """The shapes of labels and of scores."""
    if isinstance(task, eqm.Binary):
        return rows, rows
    if isinstance(task, eqm.Multiclass):
        return rows, (*rows, task.num_classes)
    both = (*rows, task.classes)
    return both, both


@st.composite
def batches(draw: st.DrawFn, task: eqm.AbstractTask) -> dict[str, np.ndarray]:
    """Stacked batches, with NaN and invalid labels in the rows that are left out."""
    labels, scores = shapes(task, (STEPS, ROWS))
    most = task.classes - 1 if isinstance(task, eqm.Multiclass) else 1
    batch = {
        "logits": draw(arrays(np.float32, scores, elements=SCORES)),
        "labels": draw(arrays(np.int8, labels, elements=st.integers(0, most))),
        "weights": draw(arrays(np.float32, (STEPS, ROWS), elements=weights)),
        "mask": draw(masks()),
    }
    return spoilt(batch)


def spoilt(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    away = ~(batch["mask"] & (batch["weights"] > 0))
    batch["logits"][away], batch["labels"][away] = np.nan, -7
    return batch


def random_batch(rng: np.random.Generator, task: eqm.AbstractTask, most: int, pad: int) -> dict:
    """Up to `most` rows with absent classes and ties, padded to `pad`."""
    labels, scores = shapes(task, (pad,))
    classes = task.classes if isinstance(task, eqm.Multiclass) else 2
    some = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    batch = {
        "logits": rng.choice([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], scores).astype(np.float32),
        "labels": rng.choice(some, labels).astype(np.int32),
        "weights": rng.choice([0.25, 1.0, 2.0, 3.7], pad).astype(np.float32),
        "mask": np.arange(pad) < rng.integers(0, most + 1),
    }
    if rng.random() < 0.3:
        batch["weights"][:] = 1.0
    return spoilt(batch)


def kept(task: eqm.AbstractTask, batch: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Labels, predictions and weights of the rows that count."""
    keep = batch["mask"] & (batch["weights"] > 0)
    labels, logits = batch["labels"][keep].astype(int), batch["logits"][keep]
    one = isinstance(task, eqm.Multiclass)
    predicted = logits.argmax(-1) if one else (logits > 0).astype(int)
    return labels, predicted, batch["weights"][keep].astype(np.float64)


def counts(task: eqm.AbstractTask, batch: dict[str, np.ndarray]) -> np.ndarray:
    """`(classes, 2, 2)`: for each class, true no and yes as rows, predicted ones as columns."""
    y, p, w = kept(task, batch)
    if not len(y):
        return np.zeros((task.classes, 2, 2))
    if isinstance(task, eqm.Multilabel):
        flat = [
            np.bincount(2 * a + b, weights=w, minlength=4) for a, b in zip(y.T, p.T, strict=True)
        ]
        return np.reshape(flat, (-1, 2, 2))
    labels = [1] if isinstance(task, eqm.Binary) else range(task.classes)
    return skl.multilabel_confusion_matrix(y, p, sample_weight=w, labels=list(labels))


Ratio = Callable[..., tuple[np.ndarray, np.ndarray]]


def averaged(ratio: Ratio, task: eqm.AbstractTask, table: np.ndarray, average: Any) -> Any:
    """The definition, in float64: undefined classes are skipped."""
    tn, fp, fn, tp = table.reshape(-1, 4).T
    if average == "micro" and not isinstance(task, eqm.Binary):
        tn, fp, fn, tp = (np.array([x.sum()]) for x in (tn, fp, fn, tp))
    top, bottom = ratio(tp=tp, fp=fp, fn=fn, tn=tn)
    with np.errstate(all="ignore"):
        values = np.where(bottom > 0, top / bottom, NAN)
    if isinstance(task, eqm.Binary) or average == "micro":
        return values[0]
    if average is None:
        return values
    w = np.where(np.isnan(values), 0, tp + fn if average == "weighted" else 1)
    return np.nan_to_num(values) @ w / w.sum() if w.sum() > 0 else NAN


def scikit(fn: Callable, task: eqm.AbstractTask, batch: dict, average: Any, **kwargs: Any) -> Any:
    """A score of scikit-learn that has `average=`."""
    y, p, w = kept(task, batch)
    if not len(y):
        nothing = NAN if isinstance(task, eqm.Binary) or average else np.full(task.classes, NAN)
        return (nothing,) * 3 if fn is skl.precision_recall_fscore_support else nothing
    if isinstance(task, eqm.Binary):
        average = "binary"
    elif isinstance(task, eqm.Multiclass):
        kwargs["labels"] = list(range(task.classes))
    if average == "weighted":
        # If no defined class has support, scikit-learn takes the plain mean.
        each = scikit(fn, task, batch, None, **kwargs)
        if counts(task, batch)[~np.isnan(each), 1].sum() == 0:
            return NAN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fn(y, p, average=average, sample_weight=w, zero_division=NAN, **kwargs)


@ft.partial(jax.jit, static_argnames="make")
def value(make: Callable, batch: dict[str, Any]) -> Any:
    """The value of a metric that is built under `jit` and updated with each of the stacked
    batches."""
    step = lambda m, b: (m.update(**b), None)
    return jax.lax.scan(step, make(), batch)[0].compute()


def every_average(
    cls: Callable, task: eqm.AbstractTask, averages: tuple = AVERAGES, **kwargs: Any
) -> eqm.MetricDict:
    return eqm.MetricDict({str(a): cls(task, average=a, **kwargs) for a in averages})


def close(got: Any, want: Any, rtol: float = 1e-6) -> None:
    np.testing.assert_allclose(np.asarray(got, np.float64), want, rtol=rtol, atol=1e-6)
