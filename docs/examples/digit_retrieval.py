"""Retrieval by embeddings, on a mesh of eight devices: handwritten digits that are alike.

A small network learns to embed images of the same digit near each other. Then unseen images are
the queries: it ranks the documents by similarity, and images of the same digit should come first.
The raw pixels are the baseline. They answer the same queries, so the difference of both has its own
interval.

    python docs/examples/digit_retrieval.py
"""

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int
from sklearn.datasets import load_digits

import eqmetrics as eqm


BATCH, STEPS = 128, 150
optimizer = optax.adam(3e-3)


def split() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Images to learn from, which are later the documents, and the queries."""
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(digits))
    rows = {"image": (images / 16 - 0.3).astype(np.float32), "digit": digits.astype(np.int32)}
    documents, queries = np.split(order, [600])
    return {k: x[documents] for k, x in rows.items()}, {k: x[queries] for k, x in rows.items()}


def embed(model: eqx.nn.MLP, images: Float[Array, "rows 64"]) -> Float[Array, "rows 16"]:
    return jax.vmap(model)(images)


def loss_of(model: eqx.nn.MLP, image: Float[Array, "rows 64"], digit: Int[Array, "rows"]):
    """Each image should find the images of its digit in the batch."""
    x = embed(model, image)
    logits = eqm.ranking.similarity(x, x, exclude_self=True) / 0.1
    same = (digit[:, None] == digit[None]) & ~jnp.eye(len(digit), dtype=bool)
    each = jax.nn.logsumexp(jnp.where(same, logits, -jnp.inf), axis=1)
    some = jnp.any(same, axis=1)
    return jnp.mean(jnp.where(some, jax.nn.logsumexp(logits, axis=1) - each, 0))


@eqx.filter_jit(donate="all")
def train_step(model: eqx.nn.MLP, opt_state: optax.OptState, batch: dict[str, Array]):
    loss, grads = eqx.filter_value_and_grad(loss_of)(model, batch["image"], batch["digit"])
    updates, opt_state = optimizer.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    return eqx.apply_updates(model, updates), opt_state, loss


def eval_step(
    metrics: eqm.MetricDict,
    batch: dict[str, Array],
    mask: Array,
    model: eqx.nn.MLP,
    documents: dict[str, Array],
) -> eqm.MetricDict:
    asked, there = batch["image"], documents["image"]
    return metrics.update(
        pixels=eqm.ranking.similarity(asked, there),
        learned=eqm.ranking.similarity(embed(model, asked), embed(model, there)),
        relevance=batch["digit"][:, None] == documents["digit"][None],
        mask=mask,
    )


def of(scores: str) -> eqm.MetricDict:
    metrics = {
        "MAP": eqm.ranking.RetrievalAveragePrecision(),
        "MRR": eqm.ranking.MeanReciprocalRank(),
        "nDCG@10": eqm.ranking.NDCG(10),
        "precision@10": eqm.ranking.PrecisionAtK(10),
        "AUROC": eqm.ranking.RetrievalAUROC(),
    }
    return eqm.MetricDict({n: m.from_output(scores=scores) for n, m in metrics.items()})


def gain() -> eqm.Metric:
    """The difference between both, with an interval: the queries are the same."""
    both = (eqm.ranking.RetrievalAveragePrecision().from_output(scores=s)
            for s in ("learned", "pixels"))  # fmt: skip
    return eqm.Interval(eqm.Compose(lambda a, b: a - b, *both))


def batches(rows: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        some = rng.choice(len(rows["digit"]), BATCH, replace=False)
        yield {k: x[some] for k, x in rows.items()}


def main() -> None:
    documents, queries = split()
    model = eqx.nn.MLP(64, 16, 64, 1, key=jax.random.key(0))
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    for batch in batches(documents):
        model, opt_state, _ = train_step(model, opt_state, jax.device_put(batch))

    count = len(queries["digit"])
    parts = [{k: x[i : i + 256] for k, x in queries.items()} for i in range(0, count, 256)]
    metrics = eqm.MetricDict(pixels=of("pixels"), learned=of("learned"), gain=gain())
    mesh = jax.sharding.Mesh(jax.devices(), "d")
    args = model, jax.device_put(documents)
    metrics = eqm.evaluate(eval_step, metrics, parts, args=args, mesh=mesh)
    values = eqm.to_host(metrics)
    print(f"{count} queries, {len(documents['digit'])} documents")
    print(f"{'':<14}pixels  learned")
    for name in values["pixels"]:
        print(f"{name:<12} {values['pixels'][name]:>7.3f} {values['learned'][name]:>8.3f}")
    print("MAP is {value:.3f} better, {low:.3f} to {high:.3f}".format(**values["gain"]))


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    main()
