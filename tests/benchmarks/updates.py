"""Accuracy, average and standard deviation of one batch, jitted with donation: per
dispatched call, and per step of one compiled scan."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

import eqmetrics as eqm

from ._timing import about, per_call, si, table


SIZES = [(b, c) for c in (10, 1000) for b in (32, 256, 4096)]
STEPS = 20


def ours():
    metrics = eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        loss=eqm.Average().from_output("loss"),
        std=eqm.Std().from_output("loss"),
    )
    return metrics, lambda m, logits, labels, loss: m.update(
        logits=logits, labels=labels, loss=loss
    )


def bare():
    """What one writes by hand: argmax, sums, and the sum of squares (which cancels)."""

    def update(state, logits, labels, loss):
        hits, count, total, squares = state
        hit = jnp.argmax(logits, -1) == labels
        return (
            hits + hit.sum(dtype=jnp.float32),
            count + labels.shape[0],
            total + loss.sum(),
            squares + (loss * loss).sum(),
        )

    return tuple(jnp.zeros(()) for _ in range(4)), update


def with_clu():
    import clu.metrics

    @struct.dataclass
    class Metrics(clu.metrics.Collection):
        accuracy: clu.metrics.Accuracy
        loss: clu.metrics.Average.from_output("loss")  # pyright: ignore[reportInvalidTypeForm]
        std: clu.metrics.Std.from_output("loss")  # pyright: ignore[reportInvalidTypeForm]

    def update(state, logits, labels, loss):
        return state.merge(
            Metrics.single_from_model_output(logits=logits, labels=labels, loss=loss)
        )

    return Metrics.empty(), update


def with_metrax():
    import metrax

    # metrax has no standard deviation: two metrics of three
    def update(state, logits, labels, loss):
        accuracy, average = state
        hit = metrax.Accuracy.from_model_output(predictions=jnp.argmax(logits, -1), labels=labels)
        return accuracy.merge(hit), average.merge(metrax.Average.from_model_output(values=loss))

    return (metrax.Accuracy.empty(), metrax.Average.empty()), update


def with_torchmetrics():
    import torch  # pyright: ignore[reportMissingImports]
    import torchmetrics  # pyright: ignore[reportMissingImports]
    import torchmetrics.classification  # pyright: ignore[reportMissingImports]

    def make(classes):
        accuracy = torchmetrics.classification.MulticlassAccuracy(classes, average="micro")
        average = torchmetrics.MeanMetric()

        def update(logits, labels, loss):
            accuracy.update(logits, labels)
            average.update(loss)

        return update, torch.from_numpy

    return make


def batch(rows, classes):
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(rows, classes)).astype(np.float32),
        rng.integers(0, classes, rows).astype(np.int32),
        rng.gamma(2.0, 1.0, rows).astype(np.float32),
    )


def by_call(make, data):
    empty, update = make()
    step = jax.jit(update, donate_argnums=0)
    held = [step(jax.tree.map(lambda x: jnp.array(x, copy=True), empty), *data)]

    def call():
        held[0] = step(held[0], *data)
        return held[0]

    return call


def by_scan(make, data):
    empty, update = make()
    # Every step has other values, so that nothing is hoisted out of the loop.
    order = jnp.arange(STEPS)

    @jax.jit
    def run(state, logits, labels, loss):
        def body(state, i):
            return update(state, logits + i.astype(jnp.float32), labels, loss + i), None

        return jax.lax.scan(body, state, order)[0]

    state = jax.jit(update)(empty, *data)  # metrax changes the type of its count once
    return lambda: run(state, *data)


def main() -> None:
    about("Updates", "clu", "google-metrax", "torchmetrics")
    makers = {"eqmetrics": ours, "bare": bare, "clu": with_clu, "metrax (no std)": with_metrax}
    try:
        torch_form = with_torchmetrics()
    except ImportError:
        torch_form = None
    for title, how, divide in (
        ("Per call", by_call, 1),
        ("Per step of a scan (with one pass over the logits to make them new)", by_scan, STEPS),
    ):
        print(f"### {title}\n")
        rows, functions = [], {}
        for size in SIZES:
            data = batch(*size)
            placed = jax.device_put(data)
            functions = {name: how(make, placed) for name, make in makers.items()}
            if torch_form is not None and how is by_call:
                update, to_torch = torch_form(size[1])
                tensors = [to_torch(x) for x in data]
                functions["torchmetrics (no std)"] = lambda u=update, t=tensors: u(*t)
            calls = max(3, int(2e6 / (size[0] * size[1]) ** 0.9 / divide))
            times = {k: t / divide for k, t in per_call(functions, min(calls, 300)).items()}
            ratios = [f"{si(t)} ({t / times['bare']:.2f})" for t in times.values()]
            rows.append([f"{size[0]} x {size[1]}", *ratios])
        table(["rows x classes", *functions], rows)
    print("In brackets: against the bare form, which takes an argmax and lets sums cancel.\n")


if __name__ == "__main__":
    main()
