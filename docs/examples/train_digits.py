"""Handwritten digits: metrics inside a jitted, donated training state; evaluation on eight
simulated devices; save and restore in the middle of an epoch."""

import io

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


DEVICES, BATCH, EPOCHS = 8, 64, 15
optimizer = optax.adam(3e-3)


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
    )


def new_state(key: Array) -> State:
    model = eqx.nn.MLP(64, 10, 64, 2, key=key)
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    return State(model, opt_state, new_metrics(), jnp.zeros((), jnp.int32))


def outputs(model: eqx.nn.MLP, x: Array, y: Array) -> dict[str, Array]:
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
    dynamic, static = eqx.partition(state, eqx.is_array)

    def body(carry, batch):
        new = train_step(eqx.combine(carry, static), *batch)
        return eqx.filter(new, eqx.is_array), None

    dynamic, _ = jax.lax.scan(body, dynamic, (xs, ys))
    return eqx.combine(dynamic, static)


def resume_check(state: State, batches: list) -> None:
    """The state is saved in the middle and restored; both runs end with the same bits."""
    half = len(batches) // 2
    for x, y in batches[:half]:
        state = jitted_step(state, jnp.asarray(x), jnp.asarray(y))
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, state)
    file.seek(0)
    restored = eqx.tree_deserialise_leaves(file, state)
    for x, y in batches[half:]:
        state = jitted_step(state, jnp.asarray(x), jnp.asarray(y))
        restored = jitted_step(restored, jnp.asarray(x), jnp.asarray(y))
    assert eqx.tree_equal(state, restored)
    print("saved, restored, resumed: the same bits")


def evaluate(model: eqx.nn.MLP, x: np.ndarray, y: np.ndarray) -> dict[str, dict]:
    """The same evaluation in three forms; the last batch is padded and masked."""
    size = -(-len(x) // DEVICES) * DEVICES
    (px, py), mask = eqm.pad_batch((x, y), size)

    one = new_metrics().update(**outputs(model, jnp.asarray(x), jnp.asarray(y)))

    def shard(metrics, px, py, mask):
        return metrics.update_across("devices", **outputs(model, px, py), mask=mask)

    mesh = jax.make_mesh((DEVICES,), ("devices",), axis_types=(AxisType.Auto,))
    rows = P("devices")
    mapped = jax.jit(
        jax.shard_map(shard, mesh=mesh, in_specs=(P(), rows, rows, rows), out_specs=P())
    )(new_metrics(), px, py, mask)

    split = [a.reshape(DEVICES, -1, *a.shape[1:]) for a in (px, py, mask)]
    stacked = eqx.filter_pmap(
        lambda px, py, mask: new_metrics().update(**outputs(model, px, py), mask=mask),
        axis_name="devices",
    )(*split)
    forms = {"one device": one, "shard_map": mapped, "filter_pmap": stacked.reduce()}
    return {name: eqm.to_host(metrics) for name, metrics in forms.items()}


def main() -> None:
    digits = load_digits()
    x = (digits.data / 16.0).astype(np.float32)
    y = digits.target.astype(np.int32)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1298], order[1298:]  # 499 test rows: not a multiple of 8

    rng = np.random.default_rng(1)
    state = new_state(jax.random.key(0))
    for epoch in tqdm(range(EPOCHS), disable=None):
        rows = rng.permutation(train)[: len(train) // BATCH * BATCH].reshape(-1, BATCH)
        state = eqx.tree_at(lambda s: s.metrics, state, state.metrics.reset())
        if epoch == 0:
            resume_check(new_state(jax.random.key(0)), [(x[r], y[r]) for r in rows])
        if epoch % 2:
            for r in rows:
                state = jitted_step(state, jnp.asarray(x[r]), jnp.asarray(y[r]))
        else:
            state = scan_epoch(state, jnp.asarray(x[rows]), jnp.asarray(y[rows]))
    print("train", eqm.to_host(state.metrics))

    results = evaluate(state.model, x[test], y[test])
    for name, values in results.items():
        print(f"{name:12}", "  ".join(f"{k} {v:.7f}" for k, v in values.items()))
    first = results["one device"]
    for values in results.values():
        assert values["accuracy"] == first["accuracy"]
        np.testing.assert_allclose(list(values.values()), list(first.values()), rtol=1e-6)
    assert first["accuracy"] > 0.95


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", DEVICES)
    main()
