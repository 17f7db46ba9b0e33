"""A recurrent network that tags tokens, on a mesh of eight devices.

Sequences of different lengths are padded, and a mask says which tokens are real: it is passed to
the loss and to the metrics. The tag of a token is the token two places before it, which the network
must remember. The model, the optimizer's state and the metrics go through one donated step.

    python docs/examples/token_tagger.py
"""

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Bool, Float, Int

import eqmetrics as eqm


TOKENS, LENGTH, BATCH, STEPS, LAG = 6, 12, 64, 200, 2
optimizer = optax.adam(1e-2)


class Tagger(eqx.Module):
    """A GRU over the tokens, and a linear layer for each."""

    cell: eqx.nn.GRUCell
    linear: eqx.nn.Linear

    def __init__(self, key: Array, width: int = 48):
        first, second = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(TOKENS, width, key=first)
        self.linear = eqx.nn.Linear(width, TOKENS, key=second)

    def __call__(self, tokens: Int[Array, "length"]) -> Float[Array, "length tokens"]:
        def step(memory, x):
            memory = self.cell(x, memory)
            return memory, self.linear(memory)

        start = jnp.zeros(self.cell.hidden_size)
        return jax.lax.scan(step, start, jax.nn.one_hot(tokens, TOKENS))[1]


def batches(seed: int, count: int) -> Iterator[dict[str, np.ndarray]]:
    """Padded: `tokens` and `labels` of shape `(rows, length)`, and which of them are `real`."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        tokens = rng.integers(0, TOKENS, (BATCH, LENGTH + LAG)).astype(np.int32)
        lengths = rng.integers(LAG + 1, LENGTH + 1, (BATCH, 1))
        place = np.arange(LENGTH)
        real = (place >= LAG) & (place < lengths)  # the first two have no tag
        labels = np.where(real, tokens[:, :LENGTH], -1)  # not a valid label in the padding
        yield {"tokens": tokens[:, LAG:], "labels": labels, "real": real}


def new_metrics() -> eqm.MetricDict:
    """Means over tokens, with a mask of all axes, and over sequences, with one number each."""
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        loss=eqm.Average().from_output("loss"),
        whole=eqm.Average().from_output("whole", mask=None),
        tokens=eqm.Count().from_output("loss"),
    )


def outputs(model: Tagger, tokens, labels, real: Bool[Array, "rows length"]) -> dict[str, Array]:
    logits = jax.vmap(model)(tokens)
    known = jnp.where(real, labels, 0)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, known)
    right = (logits.argmax(-1) == labels) | ~real
    whole = right.all(axis=1)  # every token of the sequence
    return {"logits": logits, "labels": known, "loss": loss, "whole": whole, "mask": real}


@eqx.filter_jit(donate="all")
def train_step(training, batch: dict[str, Array]):
    model, opt_state, metrics = training

    @eqx.filter_value_and_grad(has_aux=True)
    def objective(model):
        out = outputs(model, **batch)
        return jnp.sum(out["loss"] * out["mask"]) / jnp.sum(out["mask"]), out

    (_, out), grads = objective(model)
    updates, opt_state = optimizer.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    return eqx.apply_updates(model, updates), opt_state, metrics.update(**out)


def main() -> None:
    mesh = jax.make_mesh((8,), ("d",))
    rows, everywhere = NamedSharding(mesh, P("d")), NamedSharding(mesh, P())
    model = Tagger(jax.random.key(0))
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    training = eqx.filter_shard((model, opt_state, new_metrics()), everywhere)
    with jax.set_mesh(mesh):  # the carry of the scan starts without a row axis
        for step, batch in enumerate(batches(0, STEPS), 1):
            training = train_step(training, jax.device_put(batch, rows))
            if step % (STEPS // 4) == 0:
                print(f"step {step}", eqm.to_host(training[-1], flat=True))
                training = eqm.reset(training)  # changes only the metrics

        model, metrics = training[0], training[-1]
        update = eqx.filter_jit(lambda metrics, batch: metrics.update(**outputs(model, **batch)))
        for batch in batches(1, 5):
            metrics = update(metrics, jax.device_put(batch, rows))
    values = eqm.to_host(metrics, flat=True)
    print("test    ", values)
    assert values["accuracy"] > 0.95


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    main()
