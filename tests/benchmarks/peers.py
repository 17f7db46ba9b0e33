"""Not speed but numbers: the cases of the pages "Coming from ...", by those of the other
libraries that are installed."""

import importlib
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import eqmetrics as eqm

from ._timing import about, table


os.environ.setdefault("KERAS_BACKEND", "jax")
warnings.filterwarnings("ignore")
rng = np.random.default_rng(0)


def module(name: str) -> Any:
    """Typed as anything: most aren't installed where pyright looks."""
    return importlib.import_module(name)


def scores() -> tuple[np.ndarray, np.ndarray]:
    """Rare events of an unsure model: all probabilities are small."""
    labels = (rng.random(100_000) < 0.3).astype(np.int32)
    logits = -12 + 2 * rng.normal(size=labels.size) + 2.5 * labels
    return (1 / (1 + np.exp(-logits))).astype(np.float32), labels


def regression(offset: float) -> tuple[np.ndarray, np.ndarray]:
    mine = np.random.default_rng(1)
    targets = mine.normal(size=200) + offset
    predictions = targets + 0.5 * mine.normal(size=200)
    return predictions.astype(np.float32), targets.astype(np.float32)


P, Y = scores()
FAR, NEAR = regression(1e4), regression(0)
CONSTANT = np.arange(5, dtype=np.float32), np.ones(5, np.float32)
NEVER = np.array([0, 0, 1]), np.array([0, 2, 1])  # class 2 is true and never predicted
SPREAD = np.random.default_rng(2).normal(1e6, 1, 20_000).astype(np.float32)


def exact() -> Iterator[tuple[str, Callable[[], Any]]]:
    sk = module("sklearn.metrics")
    yield "AUROC", lambda: sk.roc_auc_score(Y, P)
    yield "average precision", lambda: sk.average_precision_score(Y, P)
    yield "R2, offset 1e4", lambda: sk.r2_score(FAR[1].astype(float), FAR[0].astype(float))
    yield "std, offset 1e6", lambda: SPREAD.astype(np.float64).std()


def ours() -> Iterator[tuple[str, Callable[[], Any]]]:
    binary, three = eqm.Binary(), eqm.Multiclass(3)
    yield "AUROC", lambda: eqm.AUROC(binary)(probabilities=P, labels=Y)
    yield "average precision", lambda: eqm.AveragePrecision(binary)(probabilities=P, labels=Y)
    yield "AUROC of one class", lambda: eqm.AUROC(binary)(probabilities=P[:9], labels=Y[:9] * 0)
    yield "R2, offset 1e4", lambda: eqm.R2()(predictions=FAR[0], targets=FAR[1])
    yield "R2, constant targets", lambda: eqm.R2()(predictions=CONSTANT[0], targets=CONSTANT[1])
    score = eqm.Precision(three)
    yield "macro precision", lambda: score(predicted_labels=NEVER[0], labels=NEVER[1])
    yield "std, offset 1e6", lambda: eqm.Std()(SPREAD)
    labels, nan = np.array([0, 5]), np.full((2, 3), np.nan, np.float32)
    yield "accuracy of NaN", lambda: eqm.Accuracy(three)(logits=nan, labels=labels)


def metrax() -> Iterator[tuple[str, Callable[[], Any]]]:
    m = module("metrax")

    def of(kind: Any, predictions: Any, labels: Any) -> Any:
        jnp = module("jax.numpy")
        arrays = {"predictions": jnp.asarray(predictions), "labels": jnp.asarray(labels)}
        return kind.from_model_output(**arrays).compute()

    yield "AUROC", lambda: of(m.AUCROC, P, Y)
    yield "average precision", lambda: of(m.AUCPR, P, Y)
    yield "AUROC of one class", lambda: of(m.AUCROC, P[:9], Y[:9] * 0)
    yield "R2, offset 1e4", lambda: of(m.RSQUARED, *FAR)
    yield "R2, constant targets", lambda: of(m.RSQUARED, *CONSTANT)
    yield "MSE of (4,) and (4, 1)", lambda: of(m.MSE, np.arange(4.0), np.arange(4.0)[:, None])


def torchmetrics() -> Iterator[tuple[str, Callable[[], Any]]]:
    torch, m, c = module("torch"), module("torchmetrics"), module("torchmetrics.classification")
    of = lambda metric, x, y: metric(torch.tensor(x), torch.tensor(y))
    yield "AUROC", lambda: of(c.BinaryAUROC(), P, Y)
    yield "AUROC, thresholds=200", lambda: of(c.BinaryAUROC(thresholds=200), P, Y)
    yield "average precision", lambda: of(c.BinaryAveragePrecision(), P, Y)
    yield "AUROC of one class", lambda: of(c.BinaryAUROC(), P[:9], Y[:9] * 0)
    yield "R2, offset 1e4", lambda: of(m.R2Score(), *FAR)
    yield "R2, constant targets", lambda: of(m.R2Score(), *CONSTANT)
    yield "macro precision", lambda: of(c.MulticlassPrecision(3), *NEVER)
    guess = lambda x: of(c.BinaryAccuracy(), np.array(x), np.array([1, 1]))
    yield "accuracy of the logits 0.3, 0.4", lambda: guess([0.3, 0.4])
    yield "accuracy of the logits 0.3, 1.4", lambda: guess([0.3, 1.4])
    yield "mean of 1 and NaN", lambda: m.MeanMetric()(torch.tensor([1.0, np.nan]))


def keras() -> Iterator[tuple[str, Callable[[], Any]]]:
    m = module("keras").metrics
    yield "AUROC", lambda: m.AUC()(Y, P)
    yield "average precision", lambda: m.AUC(curve="PR")(Y, P)
    yield "AUROC of one class", lambda: m.AUC()(Y[:9] * 0, P[:9])
    column = lambda x: x[:, None]
    yield "R2, offset 1e4", lambda: m.R2Score()(column(FAR[1]), column(FAR[0]))
    yield "R2, constant targets", lambda: m.R2Score()(column(CONSTANT[1]), column(CONSTANT[0]))
    eye = np.eye(3)
    yield "macro F1, class 2 absent", lambda: m.F1Score("macro")(eye[[0, 1]], eye[[0, 1]])
    accuracy = m.SparseCategoricalAccuracy()
    yield "accuracy of NaN", lambda: accuracy(np.array([0, 5]), np.full((2, 3), np.nan))
    yield "log loss of 0 for 1", lambda: m.BinaryCrossentropy()(np.ones((1, 1)), np.zeros((1, 1)))
    weights = np.array([1.0, 0.0])
    yield "mean with NaN of weight 0", lambda: m.Mean()(np.array([1.0, np.nan]), weights)


def nnx() -> Iterator[tuple[str, Callable[[], Any]]]:
    m = module("flax.nnx").metrics
    jnp = module("jax.numpy")

    def of(metric: Any, batches: Any) -> Any:
        for batch in batches:
            metric.update(**{name: jnp.asarray(x) for name, x in batch.items()})
        return metric.compute()

    rows = [{"values": x} for x in SPREAD.reshape(-1, 20)]
    yield "std, offset 1e6", lambda: of(m.Welford(), rows).standard_deviation
    labels, nan = np.array([0, 5]), np.full((2, 3), np.nan, np.float32)
    yield "accuracy of NaN", lambda: of(m.Accuracy(), [{"logits": nan, "labels": labels}])
    masked = {"values": np.array([1, np.nan], np.float32), "mask": np.array([True, False])}
    yield "mean with NaN under the mask", lambda: of(m.Average(), [masked])


def main() -> None:
    about("Numbers", "google-metrax", "torchmetrics", "keras", "flax")
    libraries = (exact, ours, metrax, torchmetrics, keras, nnx)
    found: dict[str, dict[str, str]] = {}
    for library in libraries:
        try:
            for case, value in library():
                found.setdefault(case, {})[library.__name__] = f"{float(value()):.6g}"
        except ImportError:
            pass
    names = [x.__name__ for x in libraries]
    rows: list[list[object]] = [
        [case, *(values.get(x, "") for x in names)] for case, values in found.items()
    ]
    table(["case", *names], rows)


if __name__ == "__main__":
    main()
