"""A soak test: `python -m tests.soak [UPDATES]`. A collection of fifty metrics is updated a million
times in one process, whose memory may not grow and which may not compile again. An evaluation that
is killed at ten random places (`kill -9`), and each time continues from its last file, must end
with the same bits."""

import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm


ROWS, CLASSES, MANY = 8, 5, 50
KILLS, STEPS, EVERY = 10, 3000, 100


def fifty() -> eqm.MetricDict:
    task, key = eqm.Multiclass(CLASSES), jax.random.key(0)
    of_task: list[type[eqm.Metric]] = [
        eqm.Accuracy, eqm.F1, eqm.Precision, eqm.Recall, eqm.Specificity, eqm.Jaccard,
        eqm.CohenKappa, eqm.MatthewsCorrelation, eqm.BalancedAccuracy, eqm.HammingLoss,
        eqm.ConfusionMatrix, eqm.LogLoss, eqm.Brier, eqm.CalibrationError, eqm.Hinge,
    ]  # fmt: skip
    of_pairs: list[type[eqm.Metric]] = [
        eqm.MeanSquaredError, eqm.RootMeanSquaredError, eqm.MeanAbsoluteError, eqm.R2, eqm.Tweedie,
        eqm.ExplainedVariance, eqm.Pearson, eqm.Concordance, eqm.MaxError, eqm.LogCosh, eqm.Huber,
        eqm.SymmetricMAPE, eqm.WeightedMAPE, eqm.RelativeSquaredError, eqm.NormalizedRMSE,
    ]  # fmt: skip
    of_loss = [
        eqm.Average(), eqm.Sum(), eqm.Std(), eqm.Variance(), eqm.Min(), eqm.Max(), eqm.Moments(),
        eqm.Count(), eqm.Median(), eqm.Quantile(0.9), eqm.LastValue(), eqm.StandardError(),
        eqm.Histogram(np.linspace(-4, 4, 17)), eqm.Windowed(eqm.Average(), 10),
        eqm.Decayed(eqm.Average(), 10.0), eqm.Best(eqm.Average(), "min"),
        eqm.Bootstrap(eqm.Average(), 20, key=key), eqm.Reservoir(16, key=key),
    ]  # fmt: skip
    found = {cls.__name__: cls(task) for cls in of_task}  # pyright: ignore[reportCallIssue]
    found |= {cls.__name__: cls() for cls in of_pairs}
    found |= {f"loss {type(m).__name__}": m.from_output("loss") for m in of_loss}
    for cls in (eqm.AUROC, eqm.AveragePrecision):
        found[cls.__name__] = cls(task, resolution=9)
    assert len(found) == MANY, len(found)
    return eqm.MetricDict(found)


def batch(step: jax.Array) -> dict[str, jax.Array]:
    keys = jax.random.split(jax.random.fold_in(jax.random.key(1), step), 4)
    loss, predictions, noise = (jax.random.normal(k, (ROWS,)) for k in keys[:3])
    logits = jax.random.normal(keys[3], (ROWS, CLASSES))
    labels = jnp.argmax(logits + noise[:, None], -1).astype(jnp.int32)
    outputs = {"logits": logits, "labels": labels, "loss": loss, "predictions": predictions}
    return outputs | {"targets": predictions + noise, "ids": step * ROWS + jnp.arange(ROWS)}


@jax.jit
def update(metrics: eqm.MetricDict, step: jax.Array) -> eqm.MetricDict:
    return metrics.update(**batch(step))


def megabytes() -> float:
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1]) / 1024


def long_run(updates: int) -> None:
    metrics, start, traced = fifty(), time.perf_counter(), []

    def step(metrics: eqm.MetricDict, i: jax.Array) -> eqm.MetricDict:
        traced.append(i)
        return metrics.update(**batch(i))

    program = jax.jit(step, donate_argnums=0)
    for i in range(updates):
        metrics = program(metrics, np.int32(i))
        if i % (updates // 10) == 1000 or i == updates - 1:
            jax.block_until_ready(metrics)
            took = time.perf_counter() - start
            print(f"{i + 1:>9} updates, {took:6.0f} s, {megabytes():6.0f} MB", flush=True)
    assert len(traced) == 1, "compiled again"
    values = eqm.to_host(metrics)
    print(f"mean {values['loss Average']:.9f} of {values['loss Count']:.0f}, one compilation")


def digest(metrics: eqm.MetricDict) -> str:
    return hashlib.sha256(
        b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(metrics))
    ).hexdigest()


def resumable(path: Path) -> None:
    """Continues from the file if there is one, as a user's script does."""
    state = (fifty(), jnp.zeros((), jnp.int32))
    if path.exists():
        state = eqm.load(path, state)
    metrics, step = state
    while step < STEPS:
        metrics, step = update(metrics, step), step + 1
        if step % EVERY == 0:
            eqm.save(path, (metrics, step))
    print(digest(metrics))


def killed(folder: Path) -> None:
    def run(path: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.soak", "resumable", str(path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole, _ = run(folder / "whole.eqx").communicate()
    path, seen = folder / "killed.eqx", []
    for _ in range(KILLS):
        process = run(path)
        before = path.stat().st_mtime_ns if path.exists() else 0
        while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns == before):
            time.sleep(0.01)  # at least one file further each time, so that it ends
        time.sleep(random.random() / 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.append(int(eqm.load(path, (fifty(), jnp.zeros((), jnp.int32)))[1]))
    rest, _ = run(path).communicate()
    print(f"killed after the files of steps {seen}; the same bits: {rest == whole}")
    assert rest == whole and len(whole) > 60


if __name__ == "__main__":
    if sys.argv[1:2] == ["resumable"]:
        resumable(Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            killed(Path(folder))
        long_run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
