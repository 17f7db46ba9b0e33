"""What `evaluate` costs a step over a hand-written loop: both jitted with donation, with a
mask, over the same NumPy batches of 64 rows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, per_call, si, table


def step(metrics, batch, mask, model):
    x, y = batch
    logits = jax.vmap(model)(x)
    loss = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)[:, 0]
    return metrics.update(logits=logits, labels=y, loss=loss, mask=mask)


jitted = jax.jit(
    lambda m, b, mask, arrays, static: step(m, b, mask, eqx.combine(arrays, static)),
    static_argnums=4,
    donate_argnums=0,
)


def main() -> None:
    about("The loop")
    rng = np.random.default_rng(0)
    count, mask = 200, np.ones(64, bool)
    rows = []
    for width in (64, 512, 1024):
        model = eqx.nn.MLP(64, 10, width, 2, key=jax.random.key(0))
        arrays, static = eqx.partition(model, eqx.is_array)
        batches = [
            (rng.normal(size=(64, 64)).astype(np.float32), rng.integers(0, 10, 64, np.int32))
            for _ in range(count)
        ]
        empty = eqm.MetricDict(
            accuracy=eqm.Accuracy(),
            loss=eqm.Average().from_output("loss"),
            std=eqm.Std().from_output("loss"),
        )

        def by_hand(arrays=arrays, static=static, batches=batches, empty=empty):
            metrics = jax.tree.map(jnp.copy, empty)
            for batch in batches:
                metrics = jitted(metrics, batch, mask, arrays, static)
            return metrics

        def by_evaluate(model=model, batches=batches, empty=empty):
            return eqm.evaluate(step, empty, batches, args=(model,), progress=False)

        times = per_call({"hand": by_hand, "evaluate": by_evaluate}, 1, 15)
        hand, ours = times["hand"] / count, times["evaluate"] / count
        rows.append([width, si(hand), si(ours), f"{ours / hand - 1:+.1%}"])
    table(["MLP width", "by hand", "evaluate", "more"], rows)
    print("Covered: one device; no loader, no mesh.\n")


if __name__ == "__main__":
    main()
