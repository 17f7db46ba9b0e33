"""A convolutional network with BatchNorm on handwritten digits, on a mesh of eight devices.

The model, the running statistics of its BatchNorm, the optimizer's state and the metrics go
through one jitted step, which donates them all. The rows are sharded over the mesh and the rest is
replicated; neither the model nor the metrics contain code for it.

    python docs/examples/digits_batchnorm.py
"""

import equinox as eqx
import jax
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, Int
from sklearn.datasets import load_digits

import eqmetrics as eqm


BATCH, EPOCHS = 96, 8
optimizer = optax.adam(3e-3)


class CNN(eqx.Module):
    """A convolution, BatchNorm, and a linear layer."""

    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    linear: eqx.nn.Linear

    def __init__(self, key: Array):
        first, second = jax.random.split(key)
        self.conv = eqx.nn.Conv2d(1, 16, 3, stride=2, padding=1, key=first)
        self.norm = eqx.nn.BatchNorm(16, axis_name="batch", mode="batch", momentum=0.9)
        self.linear = eqx.nn.Linear(16 * 4 * 4, 10, key=second)

    def __call__(
        self, x: Float[Array, "1 8 8"], state: eqx.nn.State
    ) -> tuple[Float[Array, "10"], eqx.nn.State]:
        x, state = self.norm(self.conv(x), state)
        return self.linear(jax.nn.relu(x).ravel()), state


def forward(model, state, x):
    """The logits of a batch, and one state of the statistics for all rows."""
    batched = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    return batched(x, state)


def new_metrics() -> eqm.MetricDict:
    return eqm.MetricDict(accuracy=eqm.Accuracy(), loss=eqm.Average().from_output("loss"))


@eqx.filter_jit(donate="all")
def train_step(training, x: Float[Array, "rows 1 8 8"], y: Int[Array, "rows"]):
    model, state, opt_state, metrics = training

    @eqx.filter_value_and_grad(has_aux=True)
    def objective(model):
        logits, new_state = forward(model, state, x)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return loss.mean(), (logits, loss, new_state)

    (_, (logits, loss, state)), grads = objective(model)
    updates, opt_state = optimizer.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    metrics = metrics.update(logits=logits, labels=y, loss=loss)
    return eqx.apply_updates(model, updates), state, opt_state, metrics


def eval_step(metrics, batch, mask, model, state):
    x, y = batch
    logits, _ = forward(eqx.nn.inference_mode(model), state, x)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    return metrics.update(logits=logits, labels=y, loss=loss, mask=mask)


def main() -> None:
    digits = load_digits()
    x = (digits.data / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    y = digits.target.astype(np.int32)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    train, test = order[:1298], order[1298:]

    # Automatic axes: jax 0.12 has no `pmean` under `vmap`, which BatchNorm needs, on explicit ones.
    mesh = jax.make_mesh((8,), ("d",), axis_types=(AxisType.Auto,))
    rows, everywhere = NamedSharding(mesh, P("d")), NamedSharding(mesh, P())
    model, state = eqx.nn.make_with_state(CNN)(jax.random.key(0))
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    training = eqx.filter_shard((model, state, opt_state, new_metrics()), everywhere)
    for epoch in range(EPOCHS):
        training = eqm.reset(training)  # changes only the metrics
        for batch in rng.permutation(train)[: len(train) // BATCH * BATCH].reshape(-1, BATCH):
            training = train_step(training, *jax.device_put((x[batch], y[batch]), rows))
        print(f"epoch {epoch}", eqm.to_host(training[-1], flat=True))

    model, state, *_ = training
    batches = ((x[i], y[i]) for i in np.array_split(test, 5))  # of 100 rows, the last of 99
    tested = eqm.evaluate(
        eval_step, new_metrics(), batches, args=(model, state), mesh=mesh, progress=False, size=104
    )
    values = eqm.to_host(tested, flat=True)
    print("test   ", values)
    assert values["accuracy"] > 0.95


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    main()
