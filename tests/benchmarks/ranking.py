"""Updates of ranking scores and of a perplexity beside scikit-learn and torchmetrics' definitions,
in CPU time of all threads, in turns; and what their programs take to compile."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, si, table
from .peers import module
from .text import compiled, cpu_per_call


QUERIES, DOCUMENTS = 8000, 40
Row = list[object]


def lists(levels: int) -> dict[str, np.ndarray]:
    """Scores of so many levels: few have many ties."""
    rng = np.random.default_rng(0)
    shape = QUERIES, DOCUMENTS
    scores = rng.integers(0, levels, shape).astype(np.float32)
    relevance = np.maximum(rng.integers(-3, 4, shape), 0)
    return {"scores": scores, "relevance": relevance.astype(np.int32)}


def row(
    name: str, metric: Any, batch: dict[str, Any], peer: str, run: Callable[[], float], close: float
) -> Row:
    program, seconds = compiled(metric, {k: jnp.asarray(x) for k, x in batch.items()})
    want = run()
    assert abs(program().compute() - want) < close * abs(want), name
    took = cpu_per_call({"peer": lambda: run() and None, "ours": program}, rounds=7)
    times = f"{took['ours'] / took['peer']:.3f} of {peer}"
    return [name, si(took["ours"]), si(took["peer"]), times, f"{seconds:.1f} s"]


def of_lists() -> list[Row]:
    score = module("sklearn.metrics").ndcg_score
    tied, apart = lists(12), lists(2**23)
    some = np.any(tied["relevance"] > 0, axis=1)
    assert some.all()
    return [
        row("nDCG, with ties", eqm.ranking.NDCG(), tied, "scikit-learn",
            lambda: score(tied["relevance"], tied["scores"]), 1e-5),
        row("nDCG of the first 10, with ties", eqm.ranking.NDCG(10), tied, "scikit-learn",
            lambda: score(tied["relevance"], tied["scores"], k=10), 1e-5),
        row("nDCG of the first 10, without", eqm.ranking.NDCG(10, ties="first"), apart,
            "scikit-learn's `ignore_ties`",
            lambda: score(apart["relevance"], apart["scores"], k=10, ignore_ties=True), 1e-5),
        row("average precision", eqm.ranking.RetrievalAveragePrecision(),
            apart | {"relevance": apart["relevance"] > 0}, "a loop over queries",
            lambda: average_precision(apart["scores"], apart["relevance"] > 0), 1e-5),
    ]  # fmt: skip


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """torchmetrics' definition: query by query, and of each its relevant documents in order."""
    total = 0.0
    for x, y in zip(scores, relevant, strict=True):
        places = np.flatnonzero(y[np.argsort(-x, kind="stable")]) + 1
        total += float(np.mean(np.arange(1, len(places) + 1) / places))
    return total / len(scores)


def perplexity(logits: np.ndarray, labels: np.ndarray) -> float:
    """torchmetrics' definition: the probabilities of all tokens, and of these the labels'."""
    x = logits.reshape(-1, logits.shape[-1])
    x = np.exp(x - x.max(axis=1, keepdims=True))
    x /= x.sum(axis=1, keepdims=True)
    return float(np.exp(-np.mean(np.log(x[np.arange(len(x)), labels.ravel()]))))


def of_text() -> Row:
    rng = np.random.default_rng(0)
    logits = 2 * rng.standard_normal((4, 256, 32_000), np.float32)
    labels = rng.integers(0, 32_000, (4, 256)).astype(np.int32)
    batch = {"logits": logits, "labels": labels}
    name, peer = "perplexity of 4 x 256 tokens of 32000", "its definition in NumPy"
    return row(name, eqm.text.Perplexity(), batch, peer, lambda: perplexity(logits, labels), 1e-4)


def main() -> None:
    about("Ranking, and a perplexity", "scikit-learn", "torchmetrics")
    rows = [*of_lists(), of_text()]
    table(["", "CPU time of an update", "the other's", "", "compiled in"], rows)
    print(f"Lists: {QUERIES} queries of {DOCUMENTS} documents; with ties, scores of 12 levels. The")
    print("definitions without a package are torchmetrics', in NumPy, which has no threads here.\n")


if __name__ == "__main__":
    main()
