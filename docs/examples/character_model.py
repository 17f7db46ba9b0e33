"""A small language model of characters, and how good it is, on a mesh of eight devices.

The text is scikit-learn's descriptions of its data sets. The model predicts each character from
the 16 before it. It is evaluated on unseen text (perplexity, bits per byte, accuracy) and on
questions: which of four continuations is the true one? Each value has a 95 % interval, whose rows
are pieces of text and questions.

    python docs/examples/character_model.py [character_model.png]
"""

import argparse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

import eqmetrics as eqm
import eqmetrics.plot


PICTURE = Path(__file__).parent / "out" / "character_model.png"
CONTEXT, LENGTH, BATCH, STEPS = 16, 48, 64, 200
optimizer = optax.adam(3e-3)

pages = sorted(p.name for p in files("sklearn.datasets.descr").iterdir() if p.name.endswith("rst"))
text = "".join(files("sklearn.datasets.descr").joinpath(p).read_text("utf-8") for p in pages)
vocabulary = sorted(set(text))
ids = np.searchsorted(vocabulary, list(text)).astype(np.int32)
train, test = np.split(ids, [len(ids) * 9 // 10])
bytes_of = np.array([len(c.encode()) for c in vocabulary])


class Model(eqx.Module):
    """An embedding of each of the 16 characters before, and two layers."""

    embedding: eqx.nn.Embedding
    layers: eqx.nn.MLP

    def __init__(self, key: Array, width: int = 16):
        first, second = jax.random.split(key)
        self.embedding = eqx.nn.Embedding(len(vocabulary), width, key=first)
        self.layers = eqx.nn.MLP(CONTEXT * width, len(vocabulary), 256, 1, key=second)

    def __call__(self, tokens: Int[Array, "length"]) -> Float[Array, "rest vocabulary"]:
        """The logits of each character after the first 16, from the 16 before it."""
        places = np.arange(len(tokens) - CONTEXT)[:, None] + np.arange(CONTEXT)
        seen = jax.vmap(jax.vmap(self.embedding))(tokens[places])
        return jax.vmap(self.layers)(seen.reshape(len(places), -1))


def likelihoods(model: Model, tokens: Int[Array, "*rows length"]) -> Float[Array, "*rows rest"]:
    losses = optax.softmax_cross_entropy_with_integer_labels
    return -losses(jax.vmap(model)(tokens), tokens[:, CONTEXT:])


@eqx.filter_jit(donate="all")
def train_step(model: Model, opt_state: optax.OptState, tokens: Int[Array, "rows length"]):
    loss, grads = eqx.filter_value_and_grad(lambda m: -likelihoods(m, tokens).mean())(model)
    updates, opt_state = optimizer.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    return eqx.apply_updates(model, updates), opt_state, loss


def text_step(metrics: eqm.MetricDict, tokens: Array, mask: Array, model: Model):
    logits, labels = jax.vmap(model)(tokens), tokens[:, CONTEXT:]
    count = jnp.asarray(bytes_of)[labels]
    return metrics.update(logits=logits, labels=labels, bytes=count, mask=mask)


def choice_step(metrics: eqm.Metric, batch: dict[str, Array], mask: Array, model: Model):
    rows, choices, length = batch["tokens"].shape
    each = likelihoods(model, batch["tokens"].reshape(-1, length)).sum(-1).reshape(rows, choices)
    return metrics.update(log_likelihoods=each, labels=batch["labels"], mask=mask)


def questions(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """16 characters, and four continuations of 8 characters, of which one is true."""
    starts = rng.integers(0, len(test) - CONTEXT - 8, (count, 4))
    places = starts[:, :, None] + np.arange(CONTEXT + 8)
    labels = rng.integers(0, 4, count).astype(np.int32)
    tokens = test[places]
    tokens[:, :, :CONTEXT] = tokens[np.arange(count), labels][:, None, :CONTEXT]
    return {"tokens": tokens, "labels": labels}


def batches(rng: np.random.Generator) -> Iterator[np.ndarray]:
    for _ in range(STEPS):
        starts = rng.integers(0, len(train) - LENGTH, BATCH)
        yield train[starts[:, None] + np.arange(LENGTH)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("picture", nargs="?", type=Path, default=PICTURE)
    picture = parser.parse_args().picture
    # Automatic axes: on explicit axes an embedding would have to say how its result is sharded.
    mesh, rng = jax.sharding.Mesh(jax.devices(), "d"), np.random.default_rng(0)
    model = Model(jax.random.key(0))
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    for step, tokens in enumerate(batches(rng), 1):
        model, opt_state, loss = train_step(model, opt_state, jnp.asarray(tokens))
        if step % 50 == 0:
            print(f"step {step}  perplexity of the batch {np.exp(loss):.2f}")

    of_text = eqm.MetricDict(
        perplexity=eqm.Interval(eqm.text.Perplexity()),
        bits_per_byte=eqm.Interval(eqm.text.BitsPerByte()),
        accuracy=eqm.Interval(eqm.text.TokenAccuracy()),
    )
    starts = np.arange(0, len(test) - LENGTH, LENGTH - CONTEXT)  # predicts each character once
    rows = test[starts[:, None] + np.arange(LENGTH)]
    parts = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]  # the last one is short
    of_text = eqm.evaluate(text_step, of_text, parts, args=(model,), mesh=mesh)
    asked = [questions(rng, 64) for _ in range(4)]
    choice = eqm.Interval(eqm.text.MultipleChoice())
    choice = eqm.evaluate(choice_step, choice, asked, args=(model,), mesh=mesh)
    values = {f"text {name}": x for name, x in eqm.to_host(of_text).items()}
    told = eqm.to_host(choice)
    for name in ("accuracy", "probability"):
        values[f"choice {name}"] = {k: told[k][name] for k in ("value", "low", "high")}
    for name, x in values.items():
        print("{:<18} {value:.4f}  {low:.4f} to {high:.4f}".format(name, **x))

    shares = [name for name in values if name.endswith(("accuracy", "probability"))]
    estimate = {k: [values[name][k] for name in shares] for k in ("value", "low", "high")}
    ax = eqmetrics.plot.intervals(estimate, names=shares)
    ax.axvline(1 / 4, color="0.6", ls=":", label="a guess of four")
    ax.set(xlim=(0, 1), title=f"perplexity {values['text perplexity']['value']:.2f}")
    ax.legend()
    picture.parent.mkdir(exist_ok=True)
    ax.figure.savefig(picture, dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    main()
