"""Handwritten digits, from training to a table of results.

The metrics are part of the training state: they are updated inside a jitted, donated step and
inside a `lax.scan`, and saved and restored with the rest. The evaluation runs on one device, and in
two ways on eight simulated devices with a padded batch, and gives the same numbers.

    python docs/examples/train_digits.py [confusion.png]
"""

import argparse
import io
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, PartitionSpec as P
from jaxtyping import Array, PyTree
from sklearn.datasets import load_digits
from tqdm import tqdm

import eqmetrics as eqm
import eqmetrics.plot


DEVICES, BATCH, EPOCHS = 8, 64, 15
PICTURE = Path(__file__).parent / "out" / "confusion.png"
optimizer = optax.adam(3e-3)


# ---- the training state


class State(eqx.Module):
    """Everything that a checkpoint needs; the metrics are part of it."""

    model: eqx.nn.MLP
    opt_state: PyTree
    metrics: eqm.MetricDict
    step: Array


def new_metrics() -> eqm.MetricDict:
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        loss=eqm.Average().from_output("loss"),
        loss_std=eqm.Std().from_output("loss"),
        f1=eqm.F1(eqm.Multiclass(10)),
        confusion=eqm.ConfusionMatrix(eqm.Multiclass(10)),  # f1 is read from its counts
    )


def new_state(key: Array) -> State:
    model = eqx.nn.MLP(64, 10, 64, 2, key=key)
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    return State(model, opt_state, new_metrics(), jnp.zeros((), jnp.int32))


# ---- training


def outputs(model: eqx.nn.MLP, x: Array, y: Array) -> dict[str, Array]:
    """The outputs for the metrics; each metric takes those that its `update` names."""
    logits = jax.vmap(model)(x)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    return {"logits": logits, "labels": y, "loss": loss}


def train_step(state: State, x: Array, y: Array) -> State:
    def objective(model):
        out = outputs(model, x, y)
        return out["loss"].mean(), out

    (_, out), grads = eqx.filter_value_and_grad(objective, has_aux=True)(state.model)
    params = eqx.filter(state.model, eqx.is_array)
    updates, opt_state = optimizer.update(grads, state.opt_state, params)
    model = eqx.apply_updates(state.model, updates)
    return State(model, opt_state, state.metrics.update(**out), state.step + 1)


jitted_step = eqx.filter_jit(train_step, donate="all")


@eqx.filter_jit(donate="all")
def scan_epoch(state: State, xs: Array, ys: Array) -> State:
    """A whole epoch in one program: the state, metrics included, is the carry."""
    dynamic, static = eqx.partition(state, eqx.is_array)

    def body(carry, batch):
        new = train_step(eqx.combine(carry, static), *batch)
        return eqx.filter(new, eqx.is_array), None

    dynamic, _ = jax.lax.scan(body, dynamic, (xs, ys))
    return eqx.combine(dynamic, static)


def train(x: np.ndarray, y: np.ndarray) -> State:
    rng = np.random.default_rng(1)
    state = new_state(jax.random.key(0))
    progress = tqdm(range(EPOCHS), desc="train", disable=None)
    for epoch in progress:
        rows = rng.permutation(len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH)
        state = eqm.reset(state)  # changes only the metrics
        if epoch % 2:
            for r in rows:
                state = jitted_step(state, jnp.asarray(x[r]), jnp.asarray(y[r]))
        else:
            state = scan_epoch(state, jnp.asarray(x[rows]), jnp.asarray(y[rows]))
        values = eqm.to_host(state.metrics, flat=True)
        progress.set_postfix(values)
        if progress.disable:  # not a terminal, so there is no progress bar
            told = "  ".join(f"{name} {x:.4f}" for name, x in values.items())
            print(f"epoch {epoch + 1:2} of {EPOCHS}  {told}", flush=True)
    return state


def resume_check(x: np.ndarray, y: np.ndarray) -> None:
    """Saves in the middle of an epoch and restores; both runs must end with the same bits."""

    def run(state: State, batches: range) -> State:
        for i in batches:
            rows = slice(i * BATCH, (i + 1) * BATCH)
            state = jitted_step(state, jnp.asarray(x[rows]), jnp.asarray(y[rows]))
        return state

    file = io.BytesIO()
    state = run(new_state(jax.random.key(0)), range(10))
    eqm.save(file, state)
    file.seek(0)
    # With another key on purpose: `load` reads only the structure and the configuration of it.
    restored = eqm.load(file, new_state(jax.random.key(1)))
    assert eqx.tree_equal(run(state, range(10, 20)), run(restored, range(10, 20)))
    print("Saved in mid-epoch, restored, resumed: the same bits.")


# ---- evaluation


def evaluate(model: eqx.nn.MLP, x: np.ndarray, y: np.ndarray) -> dict[str, eqm.MetricDict]:
    """The same evaluation in three forms."""
    one = new_metrics().update(**outputs(model, jnp.asarray(x), jnp.asarray(y)))

    size = -(-len(x) // DEVICES) * DEVICES
    (px, py), mask = eqm.pad_batch((x, y), size)
    # Masked rows are ignored: NaN in the padding, and so in its logits and losses, changes nothing.
    px[~mask] = np.nan

    def shard(metrics, px, py, mask):
        return metrics.update_across("devices", **outputs(model, px, py), mask=mask)

    mesh = jax.make_mesh((DEVICES,), ("devices",), axis_types=(AxisType.Auto,))
    rows = P("devices")
    mapped = jax.jit(
        jax.shard_map(shard, mesh=mesh, in_specs=(P(), rows, rows, rows), out_specs=P())
    )(new_metrics(), px, py, mask)

    stacked = eqx.filter_pmap(
        lambda px, py, mask: new_metrics().update(**outputs(model, px, py), mask=mask)
    )(*(a.reshape(DEVICES, -1, *a.shape[1:]) for a in (px, py, mask)))
    return {"one device": one, "shard_map": mapped, "filter_pmap": stacked.reduce()}


def print_table(results: dict[str, dict[str, float]]) -> None:
    columns = list(next(iter(results.values())))
    print(f"\n{'':14}" + "".join(f"{name:>12}" for name in columns))
    for name, values in results.items():
        print(f"{name:14}" + "".join(f"{values[c]:12.6f}" for c in columns))


def draw_confusion(matrix: np.ndarray, path: Path) -> None:
    ax = eqmetrics.plot.confusion_matrix(matrix)
    ax.set_title(f"{np.trace(matrix):.0f} of {matrix.sum():.0f} test digits right")
    path.parent.mkdir(parents=True, exist_ok=True)
    ax.figure.savefig(path, dpi=100)
    print(f"\nConfusion matrix: {path}")


def main(picture: Path) -> None:
    digits = load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target.astype(np.int32)
    order = np.random.default_rng(0).permutation(len(x))
    train_rows, test_rows = order[:1298], order[1298:]  # 499 test rows: not a multiple of 8

    resume_check(x[train_rows], y[train_rows])
    state = train(x[train_rows], y[train_rows])

    x, y = x[test_rows], y[test_rows]
    forms = evaluate(state.model, x, y)
    rows = {"last epoch": state.metrics} | forms
    print_table({name: eqm.to_host(m, flat=True) for name, m in rows.items()})
    one = eqm.to_host(forms["one device"])
    for metrics in forms.values():
        values = eqm.to_host(metrics)
        assert np.array_equal(values["confusion"], one["confusion"])
        for name in one:
            np.testing.assert_allclose(values[name], one[name], rtol=1e-6)
    assert one["accuracy"] > 0.95

    draw_confusion(one["confusion"], picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("picture", type=Path, nargs="?", default=PICTURE)
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", DEVICES)
    main(arguments.picture)
