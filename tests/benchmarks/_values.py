"""An update and its value, beside torchmetrics on the same device, and float64 on the host."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

import eqmetrics as eqm

from ._timing import per_call, si
from .clustering import whole
from .peers import module


rng = np.random.default_rng(0)
Row = list[object]


class Peer(NamedTuple):
    name: str
    exact: Callable[[], float]
    batch: dict[str, np.ndarray]
    arguments: tuple[str, str]  # of torchmetrics' `update`
    ours: dict[str, eqm.Metric]
    theirs: dict[str, Callable[[], Any]]


def peers(large: int) -> Iterator[Peer]:
    skl, stats = module("sklearn.metrics"), module("scipy.stats")
    t, c = lambda: module("torchmetrics"), lambda: module("torchmetrics.classification")
    quick: dict[str, Any] = {"validate_args": False}
    many = 10 * large
    yes = rng.integers(0, 2, many).astype(np.int32)
    scores = (rng.normal(size=many) + 1.4 * (yes - 0.5)).astype(np.float32)
    yield Peer(
        f"AUROC, {many}",
        lambda: skl.roc_auc_score(yes, scores),
        {"logits": scores, "labels": yes},
        ("logits", "labels"),
        {
            "eqmetrics": eqm.AUROC(eqm.Binary()),
            "eqmetrics, exact": eqm.AUROC(eqm.Binary(), exact=many),
        },
        {
            "torchmetrics, exact": lambda: c().BinaryAUROC(**quick),
            "torchmetrics, 200 thresholds": lambda: c().BinaryAUROC(thresholds=200, **quick),
        },
    )
    logits = rng.normal(size=(large, 10)).astype(np.float32)
    labels = rng.integers(0, 10, large).astype(np.int32)
    yield Peer(
        f"accuracy, {large} x 10",
        lambda: float((logits.argmax(-1) == labels).mean()),
        {"logits": logits, "labels": labels},
        ("logits", "labels"),
        {"eqmetrics": eqm.Accuracy(eqm.Multiclass(10))},
        {"torchmetrics": lambda: c().MulticlassAccuracy(10, average="micro", **quick)},
    )
    true = rng.integers(0, 1000, large).astype(np.int32)
    guess = np.where(rng.random(large) < 0.5, true, rng.integers(0, 1000, large).astype(np.int32))
    decided = {"labels": true, "predicted_labels": guess}
    yield Peer(
        f"confusion matrix, 1000 classes, {large}",
        lambda: float((guess == true).sum()),
        decided,
        ("predicted_labels", "labels"),
        {"eqmetrics": eqm.ConfusionMatrix(eqm.Multiclass(1000))},
        {"torchmetrics": lambda: c().MulticlassConfusionMatrix(1000, **quick)},
    )
    yield Peer(
        f"macro F1, 1000 classes, {large}",
        lambda: skl.f1_score(true, guess, average="macro"),
        decided,
        ("predicted_labels", "labels"),
        {"eqmetrics": eqm.F1(eqm.Multiclass(1000))},
        {"torchmetrics": lambda: c().MulticlassF1Score(1000, average="macro", **quick)},
    )
    side = 256 if large > 10**5 else 32
    image = rng.random((16, side, side, 3)).astype(np.float32)
    noisy = np.clip(image + 0.1 * rng.normal(size=image.shape), 0, 1).astype(np.float32)
    ssim = module("skimage.metrics").structural_similarity
    one = lambda x, y: ssim(
        x.astype(float), y.astype(float), data_range=1.0, channel_axis=-1, gaussian_weights=True,
        use_sample_covariance=False,
    )  # fmt: skip
    pair = "predictions", "targets"
    similarity = lambda: module("torchmetrics.image").StructuralSimilarityIndexMeasure
    yield Peer(
        f"SSIM, 16 x {side} x {side} x 3",
        lambda: float(np.mean([one(x, y) for x, y in zip(noisy, image, strict=True)])),
        {"predictions": noisy, "targets": image},
        pair,
        {"eqmetrics": eqm.image.SSIM(eqm.image.Image(data_range=1.0))},
        {"torchmetrics": lambda: similarity()(data_range=1.0)},
    )
    drawn = rng.normal(size=(2, large))
    near, far = ((drawn + x).astype(np.float32) for x in ([[0], [0]], [[100], [100]]))
    r2 = lambda p, y: skl.r2_score(y, p)
    pearson = lambda p, y: np.corrcoef(p, y)[0, 1]
    spearman = lambda p, y: stats.spearmanr(p, y)[0]
    for name, exact, (p, y), metric, peer in (
        ("R2, mean 100", r2, far, eqm.R2(), "R2Score"),
        ("Pearson, mean 100", pearson, far, eqm.Pearson(), "PearsonCorrCoef"),
        ("Spearman", spearman, near, eqm.Spearman(large), "SpearmanCorrCoef"),
    ):
        yield Peer(
            f"{name}, {large}",
            lambda f=exact, p=p, y=y: float(f(p.astype(float), y.astype(float))),
            {"predictions": p, "targets": y},
            pair,
            {"eqmetrics": metric},
            {"torchmetrics": lambda k=peer: getattr(t(), k)()},
        )


def ours(metric: eqm.Metric, batch: dict[str, jax.Array]) -> Callable[[], Any]:
    """Waits for the value, as torch's call does."""
    value = whole(metric, batch)
    return lambda: jax.block_until_ready(value())


def theirs(metric: Any, given: list[np.ndarray]) -> Callable[[], Any]:
    """On the GPU if torch finds it, with channels and integers as torch has them."""
    torch = module("torch")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    metric, tensors = metric.to(device), [torch.from_numpy(x).to(device) for x in given]
    tensors = [x.permute(0, 3, 1, 2).contiguous() if x.ndim == 4 else x for x in tensors]
    tensors = [x.long() if x.dtype == torch.int32 else x for x in tensors]

    def call() -> Any:
        metric.reset()
        metric.update(*tensors)
        value = metric.compute()
        if device == "cuda":
            torch.cuda.synchronize()
        return value

    return call


def scalar(value: Any) -> float:
    """Of a matrix, the trace."""
    x = np.asarray(value.cpu() if hasattr(value, "cpu") else value).astype(float)
    return float(np.trace(x) if x.ndim else x)


def values(large: int) -> Iterator[Row]:
    for peer in peers(large):
        exact, batch = peer.exact(), jax.device_put(peer.batch)
        forms = {name: ours(metric, batch) for name, metric in peer.ours.items()}
        for name, make in peer.theirs.items():
            try:
                forms[name] = theirs(make(), [peer.batch[k] for k in peer.arguments])
            except ImportError:
                pass
            except Exception as e:  # a GPU may be here for minutes: go on
                yield [peer.name, name, f"{type(e).__name__}: {e}"[:200], "", ""]
        errors = {}
        for name, f in [*forms.items()]:
            try:
                errors[name] = abs(scalar(f()) - exact)
            except Exception as e:  # out of memory, say
                yield [peer.name, name, f"{type(e).__name__}: {e}"[:200], "", ""]
                del forms[name]
        start = time.perf_counter()
        took = per_call(forms, 1, 1)
        calls = 5 if time.perf_counter() - start < 0.5 else 1
        took = per_call(forms, calls, 5) if calls > 1 else took
        for name, t in took.items():
            ratio = t / next(iter(took.values()))
            yield [peer.name, name, si(t), f"{ratio:.2f}", f"{errors[name]:.1e}"]
