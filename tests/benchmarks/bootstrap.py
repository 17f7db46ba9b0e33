"""An update of 200 replicates of a metric, jitted, against torchmetrics' `BootStrapper`, whose
weights are Poisson too (argument: rows)."""

import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, per_call, si, table


SAMPLES, CLASSES = 200, 10
OURS = {
    "accuracy": eqm.Accuracy(),
    "macro F1": eqm.F1(eqm.Multiclass(CLASSES)),
}


def with_torch(name: str, logits: np.ndarray, labels: np.ndarray):
    import torch  # pyright: ignore[reportMissingImports]
    import torchmetrics.classification as c  # pyright: ignore[reportMissingImports]
    from torchmetrics.wrappers import BootStrapper  # pyright: ignore[reportMissingImports]

    accuracy = c.MulticlassAccuracy(CLASSES, average="micro", validate_args=False)
    f1 = c.MulticlassF1Score(CLASSES, validate_args=False)
    metric = BootStrapper(accuracy if name == "accuracy" else f1, num_bootstraps=SAMPLES)
    pair = torch.from_numpy(logits), torch.from_numpy(labels)
    return lambda: metric.update(*pair)


def main(rows: int) -> None:
    about("200 bootstrap replicates", "torchmetrics")
    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(rows, CLASSES)).astype(np.float32)
    labels = rng.integers(0, CLASSES, rows).astype(np.int32)
    update = jax.jit(lambda m, x, y: m.update(logits=x, labels=y))
    placed = jnp.asarray(logits), jnp.asarray(labels)
    lines = []
    for name, metric in OURS.items():
        state = eqm.Bootstrap(metric, SAMPLES, key=jax.random.key(0))
        ours = {"ours": lambda s=state: update(s, *placed)}
        plain = {"plain": lambda m=metric: update(m, *placed)}
        took = per_call(ours | plain, 10, 7)
        line = [name, si(took["plain"]), si(took["ours"])]
        try:
            theirs = per_call({"": with_torch(name, logits, labels)}, 1, 3)[""]
            line += [si(theirs), f"{theirs / took['ours']:.0f}"]
        except ImportError:
            line += ["not installed", ""]
        lines.append(line)
    head = [f"{rows} rows", "no replicates", f"{SAMPLES} replicates", "torchmetrics", "faster by"]
    table(head, lines)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4096)
