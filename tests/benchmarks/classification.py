"""Ten readouts of one statistic added to the jitted, donated step of a small MLP, batch 256:
against the step without metrics, a bare jax.numpy confusion matrix, clu and torchmetrics."""

import functools as ft

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import eqmetrics as eqm

from ._timing import about, per_call, si, table


BATCH, WIDTH = 256, 128
optimizer = optax.sgd(1e-3)


def ten(classes: int) -> eqm.MetricDict:
    task = eqm.Multiclass(classes)
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(task),
        precision=eqm.Precision(task),
        recall=eqm.Recall(task),
        f1=eqm.F1(task),
        specificity=eqm.Specificity(task),
        jaccard=eqm.Jaccard(task),
        kappa=eqm.CohenKappa(task),
        matthews=eqm.MatthewsCorrelation(task),
        hamming=eqm.HammingLoss(task),
        confusion=eqm.ConfusionMatrix(task),
    )


def blocked_argmax(x):
    """The fastest plain form that was found for a CPU: the first place of the maximum."""
    if x.shape[-1] <= 24:
        return jnp.argmax(x, -1)
    place = jnp.arange(x.shape[-1], dtype=jnp.float32)
    top = jnp.max(x, -1, keepdims=True)
    return jnp.min(jnp.where(x == top, place, jnp.inf), -1).astype(jnp.int32)


def bare_update(matrix, logits, labels):
    return matrix.at[labels, blocked_argmax(logits)].add(1)


def bare_compute(matrix):
    counts = matrix.astype(jnp.float32)
    true, pred, tp = counts.sum(1), counts.sum(0), jnp.diagonal(counts)
    total, right = true.sum(), tp.sum()
    fp, fn = pred - tp, true - tp
    tn = total - tp - fp - fn
    chance = (true * pred).sum() / total**2
    top = right * total - (true * pred).sum()
    spread = jnp.sqrt((total**2 - (true**2).sum()) * (total**2 - (pred**2).sum()))
    return {
        "accuracy": right / total,
        "precision": jnp.nanmean(tp / pred),
        "recall": jnp.nanmean(tp / true),
        "f1": jnp.nanmean(2 * tp / (2 * tp + fp + fn)),
        "specificity": jnp.nanmean(tn / (tn + fp)),
        "jaccard": jnp.nanmean(tp / (tp + fp + fn)),
        "kappa": (right / total - chance) / (1 - chance),
        "matthews": top / spread,
        "hamming": 1 - right / total,
        "confusion": counts,
    }


def with_clu(classes: int):
    """As a user of clu writes it: one-hot counts for each score."""
    import clu.metrics
    from flax import struct

    @struct.dataclass
    class Scores(clu.metrics.Metric):
        matrix: jax.Array

        @classmethod
        def from_model_output(cls, logits, labels, **_):
            hot = ft.partial(jax.nn.one_hot, num_classes=classes)
            return cls(jnp.einsum("ni,nj->ij", hot(labels), hot(jnp.argmax(logits, -1))))

        def merge(self, other):
            return Scores(self.matrix + other.matrix)

    update = lambda m, logits, labels: m.merge(
        Scores.from_model_output(logits=logits, labels=labels)
    )
    return Scores(jnp.zeros((classes, classes))), update


def stepper(classes: int, metrics, update):
    model = eqx.nn.MLP(64, classes, WIDTH, 2, key=jax.random.key(0))
    arrays, static = eqx.partition(model, eqx.is_array)
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(BATCH, 64)).astype(np.float32))
    y = jnp.asarray(rng.integers(0, classes, BATCH).astype(np.int32))

    def objective(arrays):
        logits = jax.vmap(eqx.combine(arrays, static))(x_traced[0])
        return optax.softmax_cross_entropy_with_integer_labels(logits, x_traced[1]).mean(), logits

    x_traced = [x, y]

    @ft.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(arrays, opt_state, metrics, x, y):
        x_traced[:] = x, y
        grads, logits = jax.grad(objective, has_aux=True)(arrays)
        updates, opt_state = optimizer.update(grads, opt_state, arrays)
        return optax.apply_updates(arrays, updates), opt_state, update(metrics, logits, y)

    copied = jax.tree.map(jnp.copy, (arrays, metrics))
    held = [step(copied[0], optimizer.init(arrays), copied[1], x, y)]

    def call():
        held[0] = step(*held[0], x, y)
        return held[0]

    return call


def with_torch(classes: int):
    import torch  # pyright: ignore[reportMissingImports]
    import torchmetrics  # pyright: ignore[reportMissingImports]
    import torchmetrics.classification as c  # pyright: ignore[reportMissingImports]

    kinds = "Accuracy Precision Recall F1Score Specificity JaccardIndex CohenKappa".split()
    kinds += "MatthewsCorrCoef HammingDistance ConfusionMatrix".split()
    found = {k: getattr(c, f"Multiclass{k}")(num_classes=classes) for k in kinds}
    metrics = torchmetrics.MetricCollection(found, compute_groups=True)
    model = torch.nn.Sequential(
        torch.nn.Linear(64, WIDTH),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDTH, WIDTH),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDTH, classes),
    )
    sgd = torch.optim.SGD(model.parameters(), 1e-3)
    x, y = torch.randn(BATCH, 64), torch.randint(0, classes, (BATCH,))

    def call(update: bool):
        sgd.zero_grad()
        logits = model(x)
        torch.nn.functional.cross_entropy(logits, y).backward()
        sgd.step()
        if update:
            metrics.update(logits.detach(), y)

    return call


def main() -> None:
    about("Ten classification scores in a training step", "clu", "torchmetrics", "optax")
    steps, reads = [], []
    for classes in (10, 100, 1000):
        metrics, matrix = ten(classes), jnp.zeros((classes, classes), jnp.int32)
        update = lambda m, logits, labels: m.update(logits=logits, labels=labels)
        forms = {
            "none": stepper(classes, (), lambda m, *_: m),
            "bare": stepper(classes, matrix, bare_update),
            "eqmetrics": stepper(classes, metrics, update),
            "clu": stepper(classes, *with_clu(classes)),
        }
        try:
            torch_step = with_torch(classes)
            forms["torch, none"] = lambda f=torch_step: f(False)
            forms["torchmetrics"] = lambda f=torch_step: f(True)
        except ImportError:
            pass
        times = per_call(forms, 30, 15)
        base = {k: times["torch, none" if "torch" in k else "none"] for k in times}
        steps.append([classes, *(f"{si(t)} ({t / base[k]:.2f})" for k, t in times.items())])

        rng = np.random.default_rng(0)
        logits = rng.normal(size=(10 * classes, classes)).astype(np.float32)
        labels = rng.integers(0, classes, 10 * classes).astype(np.int32)
        ours, bare = jax.jit(eqm.compute), jax.jit(bare_compute)
        seen = metrics.update(logits=logits, labels=labels)
        counts = bare_update(matrix, logits, labels)
        times = per_call({"bare": lambda: bare(counts), "ours": lambda: ours(seen)}, 30, 15)
        ratio = f"{times['ours'] / times['bare']:.2f}"
        reads.append([classes, si(times["bare"]), si(times["ours"]), ratio])
    table(["classes", *forms], steps)
    print("In brackets: against the step without metrics.\n")
    table(["classes", "bare compute", "eqmetrics compute of all ten", "ratio"], reads)
    print("Covered: one device, int32 labels, no mask. clu: one confusion matrix alone.\n")


if __name__ == "__main__":
    main()
