"""AUROC of 10 million rows in batches of 100 000: time, error, and memory."""

import math
import resource
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import roc_auc_score

import eqmetrics as eqm

from ._timing import about, si, table


ROWS, BATCH = 10_000_000, 100_000


def data(kind: str) -> tuple[str, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, ROWS).astype(np.int32)
    x = rng.normal(size=ROWS) + 1.4 * (labels - 0.5)
    if kind == "normal logits":
        return "logits", x.astype(np.float32), labels
    return "probabilities", (1 / (1 + np.exp(12 - 2 * x))).astype(np.float32), labels


def batches(*arrays):
    return zip(*(x.reshape(-1, BATCH) for x in arrays), strict=True)


def best(run: Callable[[], float], times: int) -> tuple[float, float]:
    """The least time of some runs, and the value of the last."""
    taken, value = [], math.nan
    for _ in range(times):
        start = time.perf_counter()
        value = run()
        taken.append(time.perf_counter() - start)
    return min(taken), value


def with_eqmetrics(name, scores, labels, exact=None):
    update = jax.jit(lambda m, x, y: m.update(**{name: x}, labels=y), donate_argnums=0)
    read = jax.jit(lambda m: (m.compute(), m.bounds()))
    placed = [(jnp.asarray(x), jnp.asarray(y)) for x, y in batches(scores, labels)]
    held = []

    def run():
        metric = jax.tree.map(jnp.copy, eqm.AUROC(eqm.Binary(), exact=exact))
        for x, y in placed:
            metric = update(metric, x, y)
        held[:] = [jax.block_until_ready(read(metric))]
        return float(held[0][0])

    run()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, value = best(run, 5)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    low, high = map(float, held[0][1])
    print(f"eqmetrics: between {low:.6f} and {high:.6f}; peak memory grew {grown // 1024} MiB.\n")
    return seconds, value


def with_torchmetrics(scores, labels, thresholds):
    import torch  # pyright: ignore[reportMissingImports]
    from torchmetrics.classification import (  # pyright: ignore[reportMissingImports]
        BinaryAUROC,
    )

    placed = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches(scores, labels)]

    def run():
        metric = BinaryAUROC(thresholds=thresholds, validate_args=False)
        for x, y in placed:
            metric.update(x, y)
        return float(metric.compute())

    return best(run, 2)


def with_torcheval(scores, labels):
    import torch  # pyright: ignore[reportMissingImports]
    from torcheval.metrics import BinaryAUROC  # pyright: ignore[reportMissingImports]

    placed = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches(scores, labels)]

    def run():
        metric = BinaryAUROC()
        for x, y in placed:
            metric.update(x, y)
        return float(metric.compute())

    return best(run, 2)


def with_keras(scores, labels, logits):
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras  # pyright: ignore[reportMissingImports]

    metric = keras.metrics.AUC(num_thresholds=200, from_logits=logits)

    @jax.jit
    def update(state, x, y):
        return metric.stateless_update_state(state, y, x)

    placed = [(jnp.asarray(x), jnp.asarray(y)) for x, y in batches(scores, labels)]

    def run():
        state = metric.stateless_reset_state()
        for x, y in placed:
            state = update(state, x, y)
        return float(metric.stateless_result(state))

    run()
    return best(run, 5)


def with_metrax(scores, labels, logits):
    import metrax

    update = jax.jit(lambda m, x, y: m.merge(metrax.AUCROC.from_model_output(x, y)))
    squeeze = jax.jit(jax.nn.sigmoid) if logits else lambda x: x
    placed = [(squeeze(jnp.asarray(x)), jnp.asarray(y)) for x, y in batches(scores, labels)]

    def run():
        metric = metrax.AUCROC.empty()
        for x, y in placed:
            metric = update(metric, x, y)
        return float(metric.compute())

    return best(run, 1)


def main() -> None:
    about("AUROC of 10 million rows", "scikit-learn", "torchmetrics", "torcheval", "keras")
    for kind in ("normal logits", "sigmoid of logits around -12"):
        print(f"### {kind}\n")
        name, scores, labels = data(kind)
        seconds, truth = best(lambda: float(roc_auc_score(labels, scores)), 1)
        rows: list[list[object]] = [["scikit-learn", si(seconds), "1", "0"]]
        logits = name == "logits"
        peers = {
            "eqmetrics": lambda: with_eqmetrics(name, scores, labels),
            "eqmetrics, exact": lambda: with_eqmetrics(name, scores, labels, exact=ROWS),
            "keras, 200 thresholds": lambda: with_keras(scores, labels, logits),
            "torchmetrics, exact": lambda: with_torchmetrics(scores, labels, None),
            "torchmetrics, 200 thresholds": lambda: with_torchmetrics(scores, labels, 200),
            "torcheval, exact": lambda: with_torcheval(scores, labels),
            "metrax, 200 thresholds": lambda: with_metrax(scores, labels, logits),
        }
        for peer, run in peers.items():
            try:
                time_, value = run()
            except ImportError:
                rows.append([peer, "not installed", "", ""])
                continue
            times = f"{seconds / time_:.1f}"
            rows.append([peer, si(time_), times, f"{abs(value - truth):.1e}"])
        table(["", "time", "faster than scikit-learn by", "error"], rows)
    print("Covered: one device, arrays in place, no compilation; the least of a few runs.\n")


if __name__ == "__main__":
    main()
